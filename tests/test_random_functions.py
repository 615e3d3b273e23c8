"""Functions put together at random: compiled, they give NumPy's values and the operations' slopes.

A program rewrites what it records, lets operations write where nobody reads any more, and keeps
layouts of its own: what is right for each operation alone may be wrong for two.
"""

from __future__ import annotations

import random
from typing import Any

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy.graph import native
from minpy.graph.program_call import ProgramCall

pytestmark = pytest.mark.skipif(not native.available(), reason="numba is missing")

SHAPES = [
    [(3, 4), (4, 3)],
    [(4, 4), (4,)],
    [(2, 3, 4), (4,)],
    [(5,), (5,)],
    [(8, 16), (16, 8)],
    [(2, 3, 4, 4), (3, 1, 1)],
    [(2, 8, 6, 6), (1, 8, 1, 1)],
    [(40, 33), (33, 17)],
]
MOST = 20_000  # elements of a value


def _written(np: Any, x: Any, n: int) -> Any:
    z = x * 1.0
    if not z.ndim:
        return z
    part = z[1:] if n % 2 else z[..., :1]
    if n % 3 == 0:
        part *= 2.0
    elif n % 3 == 1:
        part[...] = 0.3
    else:
        z[:1] += 1.0
    return z


_REDUCTIONS = [
    lambda np, x, **where: np.sum(x, **where) * 0.25,
    lambda np, x, **where: np.mean(x, **where),
    lambda np, x, **where: np.max(x, **where),
    lambda np, x, **where: np.min(x, **where),
]
# Groups of functions of (np, two values, a number that picks); a group is as likely as another.
_GROUPS = [
    [
        lambda np, x, y, n: np.tanh(x),
        lambda np, x, y, n: np.exp(np.tanh(x)),
        lambda np, x, y, n: np.sqrt(np.abs(x) + 0.5),
        lambda np, x, y, n: np.log(np.abs(x) + 0.5),
        lambda np, x, y, n: np.sin(x),
        lambda np, x, y, n: 1.0 / (1.0 + np.exp(-x)),
        lambda np, x, y, n: 0.5 * x * (1.0 + np.tanh(0.8 * (x + 0.04 * x**3))),
        lambda np, x, y, n: np.logaddexp(x, 0.0),
        lambda np, x, y, n: np.maximum(x, 0.0),
        lambda np, x, y, n: 1.0 / (1.5 + x * x),
    ],
    [
        lambda np, x, y, n: x + y,
        lambda np, x, y, n: x - y,
        lambda np, x, y, n: x * y,
        lambda np, x, y, n: x / (2.0 + np.abs(y)),
        lambda np, x, y, n: np.maximum(x, y),
        lambda np, x, y, n: np.where(x > 0.1, x, 0.5),
    ],
    [lambda np, x, y, n: 0.3 * np.matmul(x, y)],
    [
        lambda np, x, y, n: _REDUCTIONS[n % 4](
            np, x, axis=[None, 0, -1, 1][n // 4 % 4], keepdims=bool(n // 16 % 2)
        )
    ],
    [
        lambda np, x, y, n: np.transpose(x),
        lambda np, x, y, n: np.swapaxes(x, 0, 1),
        lambda np, x, y, n: np.reshape(x, (-1,)),
        lambda np, x, y, n: np.reshape(x, (x.shape[0], -1)),
        lambda np, x, y, n: np.concatenate([x, y], axis=[0, -1][n % 2]),
    ],
    [
        lambda np, x, y, n: x[1:],
        lambda np, x, y, n: x[::2],
        lambda np, x, y, n: x[..., 0],
        lambda np, x, y, n: x[..., None],
        lambda np, x, y, n: x[::-1],
        lambda np, x, y, n: x[..., 1:3],
        lambda np, x, y, n: _written(np, x, n),
    ],
]


def drawn(seed: int) -> tuple[Any, list[numpy.ndarray], list[numpy.ndarray]]:
    """Return a function of ``(np, *arrays)`` and two lists of arguments for it."""
    rng = random.Random(seed)
    steps = [
        (rng.choice(rng.choice(_GROUPS)), *(rng.randrange(10**6) for _ in range(3)))
        for _ in range(rng.randint(2, 14))
    ]

    def function(np: Any, *args: Any) -> list[Any]:
        values = list(args)
        for apply, a, b, n in steps:
            try:
                made = apply(np, values[a % len(values)], values[b % len(values)], n)
            except (ValueError, IndexError):  # shapes that don't fit; the same in both libraries
                continue
            if 0 < made.size <= MOST and made.ndim <= 4:
                values.append(made)
        return values[len(args) :]

    shapes = rng.choice(SHAPES)
    numbers = numpy.random.default_rng(seed)
    first, second = ([numbers.uniform(-1, 1, s) for s in shapes] for _ in range(2))
    return function, first, second


def single(arrays: list[numpy.ndarray]) -> list[Any]:
    return [np.array(a.astype("float32")) for a in arrays]


def check(seed: int) -> bool:
    """Compare one function and its slopes; say whether it was a program."""
    function, before, arrays = drawn(seed)
    with numpy.errstate(all="ignore"):
        expected = function(numpy, *arrays)
    if not expected:
        return False
    compiled = minpy.jit(lambda *args: function(np, *args))
    compiled(*single(before))  # what it is traced with must not matter
    found = compiled(*single(arrays))
    for f, e in zip(found, expected, strict=True):
        assert f.shape == e.shape
        scale = max(1.0, numpy.abs(e).max())
        numpy.testing.assert_allclose(f.asnumpy(), e, rtol=1e-3, atol=2e-4 * scale)
    (call,) = compiled._calls.values()

    def total(f: Any) -> Any:
        return lambda *args: sum(np.sum(np.tanh(v)) for v in f(*args))

    numbers = tuple(range(len(arrays)))
    wanted = minpy.grad(total(lambda *args: function(np, *args)), numbers)(*map(np.array, arrays))
    slopes = minpy.grad(total(compiled), numbers)(*single(arrays))
    at_once = minpy.jit(minpy.grad(total(lambda *args: function(np, *args)), numbers))
    for f, g, e in zip(slopes, at_once(*single(arrays)), wanted, strict=True):
        scale = max(1.0, numpy.abs(e.asnumpy()).max())
        for slope in (f, g):
            numpy.testing.assert_allclose(
                slope.asnumpy(), e.asnumpy(), rtol=3e-3, atol=1e-3 * scale
            )
    return type(call) is ProgramCall


@pytest.fixture(params=[False, True], ids=["alone", "shared"])
def shared(request, monkeypatch):
    """Programs of small arrays, and the kernels that large ones get for small arrays too."""
    if request.param:
        monkeypatch.setattr("minpy.graph.native.lowerings._MANY_ELEMENTS", 1)
        monkeypatch.setattr("minpy.graph.native.products._MANY_PRODUCTS", 1)
        monkeypatch.setattr("minpy.graph.runnable.worth_sharing", lambda work: True)


def test_compiled_functions_are_the_operations_one_by_one(shared):
    programs = [check(seed) for seed in range(60)]
    assert sum(programs) > 50


@pytest.mark.slow
def test_many_compiled_functions_are_the_operations_one_by_one(shared):
    for seed in range(60, 3000):
        check(seed)
