"""Generated programs that write: NumPy's values, and gradients of finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy
import pytest

import minpy
import minpy.numpy as np

# A program is a list of statements on a list of arrays, which views and copies are added to. The
# same statements run on NumPy's arrays and on minpy's; `xp` is the namespace.
Statement = Callable[[Any, list[Any]], None]


def _pick(rng: numpy.random.Generator, shapes: list[tuple[int, ...]]) -> int:
    return int(rng.integers(len(shapes)))


def _index(rng: numpy.random.Generator, shape: tuple[int, ...]) -> tuple:
    index: list[Any] = []
    for n in shape:
        kind = rng.integers(0, 4)
        if kind == 0:
            index.append(slice(int(rng.integers(0, n)), None))
        elif kind == 1:
            index.append(slice(None, None, int(rng.choice([-1, 2]))))
        elif kind == 2:
            index.append(int(rng.integers(-n, n)))
        else:
            index.append(slice(None))
    return tuple(index)


def view(rng, shapes):
    i = _pick(rng, shapes)
    shape = shapes[i]
    kind = rng.integers(0, 4)
    if kind == 0:
        at = _index(rng, shape)
        made = numpy.zeros(shape)[at]
        if made.ndim == 0:
            return view(rng, shapes) if rng.random() < 0.9 else (lambda xp, v: None)
        shapes.append(made.shape)
        return lambda xp, v: v.append(v[i][at])
    if kind == 1:
        shapes.append(shape[::-1])
        return lambda xp, v: v.append(v[i].T)
    if kind == 2:
        shapes.append((1, *shape))
        return lambda xp, v: v.append(v[i][None])
    shapes.append((int(numpy.prod(shape)),))
    return lambda xp, v: v.append(v[i].reshape(-1))  # a view or a copy, as NumPy decides


def assign(rng, shapes):
    i, j = _pick(rng, shapes), _pick(rng, shapes)
    at = _index(rng, shapes[i])
    c = float(rng.normal())

    def run(xp, v):
        v[i][at] = xp.sum(xp.sin(v[j])) * c

    return run


def assign_row(rng, shapes):
    i = _pick(rng, shapes)
    c = float(rng.normal())

    def run(xp, v):
        v[i][0] = v[i][-1] * c

    return run


def add_to_mask(rng, shapes):
    i = _pick(rng, shapes)
    mask = rng.random(shapes[i]) < 0.5

    def run(xp, v):
        v[i][mask] += xp.cos(v[i])[mask]

    return run


def add_at_repeated(rng, shapes):
    i = _pick(rng, shapes)
    rows = rng.integers(0, shapes[i][0], 3)

    def run(xp, v):
        v[i][rows] *= 0.5  # once, as in NumPy
        xp.add.at(v[i], rows, xp.sum(v[i]) * 0.1)

    return run


def augment(rng, shapes):
    i, j = _pick(rng, shapes), _pick(rng, shapes)
    operation = rng.choice(["+", "-", "*", "/"])

    def run(xp, v):
        factor = 1.5 + 0.25 * xp.tanh(xp.sum(v[j]))
        target = v[i]
        if operation == "+":
            target += factor
        elif operation == "-":
            target -= factor * target
        elif operation == "*":
            target *= factor
        else:
            target /= factor

    return run


def out(rng, shapes):
    i = _pick(rng, shapes)
    mask = rng.random(shapes[i]) < 0.6

    def run(xp, v):
        xp.multiply(v[i], xp.tanh(v[i]), out=v[i], where=mask)

    return run


def put(rng, shapes):
    i, j = _pick(rng, shapes), _pick(rng, shapes)
    size = int(numpy.prod(shapes[i]))
    places = rng.permutation(size)[: max(1, size // 2)]

    def run(xp, v):
        xp.put(v[i], places, xp.tanh(v[j]).reshape(-1)[0] * 0.5)

    return run


def putmask(rng, shapes):
    i = _pick(rng, shapes)
    mask = rng.random(shapes[i]) < 0.3

    def run(xp, v):
        xp.putmask(v[i], mask, xp.sin(v[i]))

    return run


def copyto(rng, shapes):
    i = _pick(rng, shapes)
    shape = shapes[i]
    j = next(k for k, s in enumerate(shapes) if s == shape)

    def run(xp, v):
        xp.copyto(v[i], v[j] * 0.9)

    return run


def through_flat(rng, shapes):
    i = _pick(rng, shapes)

    def run(xp, v):
        v[i].flat[::2] = xp.sum(v[i] * v[i]) * 0.1

    return run


def copy(rng, shapes):
    i = _pick(rng, shapes)
    shapes.append(shapes[i])
    return lambda xp, v: v.append(v[i] * 1.0)


STATEMENTS = [view, view, assign, assign_row, add_to_mask, add_at_repeated, augment, augment]
STATEMENTS += [out, put, putmask, copyto, through_flat, copy]


def program(seed: int) -> Callable[[Any, Any], Any]:
    rng = numpy.random.default_rng(seed)
    shapes: list[tuple[int, ...]] = [(3, 2)]
    statements = []
    for _ in range(9):
        make = STATEMENTS[rng.integers(len(STATEMENTS))]
        statements.append(make(rng, shapes))
    weights = [rng.normal(size=shape) for shape in shapes]

    def run(xp: Any, x: Any) -> Any:
        arrays = [x * 1.0]
        for statement in statements:
            statement(xp, arrays)
        total = 0.0
        for array, w in zip(arrays, weights, strict=True):
            total = total + xp.sum(xp.tanh(array) * w)
        return total

    return run


SEEDS = range(60)
X = numpy.linspace(-0.7, 0.9, 6).reshape(3, 2)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_generated_program(seed):
    run = program(seed)
    expected = run(numpy, X)
    minpy.set_default_dtype("float64")
    assert float(run(np, np.array(X))) == pytest.approx(expected, rel=1e-12)
    value, gradient = minpy.value_and_grad(lambda x: run(np, x))(X)
    assert float(value) == pytest.approx(expected, rel=1e-12)
    eps = 1e-6
    for place in numpy.ndindex(X.shape):
        step = numpy.zeros(X.shape)
        step[place] = eps
        slope = (run(numpy, X + step) - run(numpy, X - step)) / (2 * eps)
        assert float(gradient[place]) == pytest.approx(slope, rel=1e-5, abs=1e-7)
    minpy.check_grads(lambda x: run(np, x), order=2, tol=1e-4, rtol=1e-4)(X)


@pytest.mark.parametrize("seed", SEEDS[:20])
def test_a_generated_program_inside_of_another_derivative(seed):
    first, second = program(seed), program(seed + 1000)

    def outer(x):
        y = x * 1.0
        inner = minpy.grad(lambda z: first(np, z * y))(y)
        y[0] = inner[1]  # a write of what an inner derivative gave
        return second(np, y + inner)

    minpy.check_grads(outer, order=1, tol=1e-4, rtol=1e-4)(X)
