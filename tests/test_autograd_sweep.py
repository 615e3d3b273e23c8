"""Rules over generated shapes, broadcasting, axes, masks and outputs: both modes, two orders."""

from __future__ import annotations

import warnings
import zlib
from typing import Any

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy.numpy.fallback import Fallback
from minpy.numpy.function import Composition, Ufunc
from minpy.primitives import registry

# Where a function is smooth; elsewhere numbers around zero, but not close to it or to each other.
DOMAINS = {
    "arccos": (-0.9, 0.9),
    "arcsin": (-0.9, 0.9),
    "arctanh": (-0.9, 0.9),
    "arccosh": (1.2, 3.0),
    "log": (0.3, 3.0),
    "log2": (0.3, 3.0),
    "log10": (0.3, 3.0),
    "log1p": (-0.6, 3.0),
    "sqrt": (0.3, 3.0),
    "power": (0.3, 3.0),
    "float_power": (0.3, 3.0),
}
# Jumps wherever its arguments' quotient is whole: points are drawn again until none is near.
_QUOTIENTS = ("remainder", "mod", "fmod", "divmod")
# Integers in an argument, or no smooth result.
_APART = {"ldexp", "frexp", "matmul"}

UFUNCS = sorted(
    name
    for name, op in registry.items()
    if isinstance(op, Ufunc)
    and "." not in name
    and op.differentiable
    and (op.vjp_rules or op.vjp_all)
    and name not in _APART
)
ROUNDS = range(6)


def generator(*key: Any) -> numpy.random.Generator:
    return numpy.random.default_rng(zlib.crc32(repr(key).encode()))


def draw(rng: numpy.random.Generator, name: str, shape: tuple[int, ...]) -> numpy.ndarray:
    low, high = DOMAINS.get(name, (-2.0, 2.0))
    count = int(numpy.prod(shape, dtype=int))
    # Evenly apart, so that neither ties nor zeros are near.
    x = numpy.linspace(low, high, 2 * count + 2)[1:-1:2] + rng.uniform(-1, 1) * 1e-2
    return rng.permutation(x).reshape(shape) if count else numpy.zeros(shape)


def shapes(rng: numpy.random.Generator, count: int) -> list[tuple[int, ...]]:
    """Return shapes that broadcast against each other, sometimes with an axis of length zero."""
    whole = tuple(int(n) for n in rng.choice([1, 2, 3], rng.integers(0, 4)))
    if whole and rng.random() < 0.15:
        whole = (*whole[:-1], 0)
    found = []
    for _ in range(count):
        ones = tuple(n if n == 0 or rng.random() < 0.7 else 1 for n in whole)
        found.append(ones[rng.integers(0, len(ones) + 1) :] if rng.random() < 0.4 else ones)
    return found


def check(function: Any, *args: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        minpy.check_grads(function, order=2, tol=3e-5, rtol=3e-5)(*args)


@pytest.mark.parametrize("name", UFUNCS)
def test_ufuncs(name):
    op = getattr(np, name)
    for turn in ROUNDS:
        rng = generator(name, turn)
        args = [draw(rng, name, shape) for shape in shapes(rng, op.nin)]
        if name in _QUOTIENTS:
            while args[0].size and args[1].size:
                near = numpy.divide(*args)
                if numpy.abs(near - numpy.round(near)).min() > 1e-3:
                    break
                args = [a + rng.uniform(-0.1, 0.1, a.shape) for a in args]
        # Sums and differences of arguments that tie.
        if op.nin == 2 and args[0].size and args[1].size:
            while numpy.abs(numpy.subtract(*args)).min() < 1e-3:
                args[1] = args[1] + rng.uniform(0.01, 0.1)
        result = numpy.broadcast_shapes(*[a.shape for a in args])
        mask = rng.random(result) < 0.6
        options: list[dict[str, Any]] = [{}]
        if op.nout == 1:
            options += [{"where": mask}, {"out": None}, {"where": mask, "out": None}]
        chosen = options[turn % len(options)]

        def function(*given: Any, op=op, chosen=chosen, result=result) -> Any:
            kwargs = dict(chosen)
            if "out" in kwargs:
                kwargs["out"] = np.ones(result) * 0.25
            made = op(*given, **kwargs)
            parts = made if isinstance(made, tuple) else (made,)
            return [p for p in parts if p.dtype.kind in "fc"]

        check(function, *args)


# Which of axis=tuple, keepdims= and where= a function along axes takes.
ALONG_AXES: dict[str, str] = {
    **dict.fromkeys(["sum", "prod", "max", "min"], "tuple keepdims where"),
    **dict.fromkeys(["mean", "var", "std"], "tuple keepdims where"),
    **dict.fromkeys(["nansum", "nanprod", "nanmean", "nanvar", "nanstd"], "tuple keepdims"),
    **dict.fromkeys(["nanmax", "nanmin", "ptp", "amax", "amin"], "tuple keepdims"),
    **dict.fromkeys(["median", "nanmedian"], "tuple keepdims"),
    **dict.fromkeys(["cumsum", "cumprod", "nancumsum", "nancumprod", "sort"], ""),
    **dict.fromkeys(["diff", "flip", "roll", "repeat", "trapz", "gradient"], "some"),
    "average": "tuple",
    "linalg.norm": "pair keepdims",
    "fft.fft": "some",
    "fft.irfft": "some",
}
_MORE_ARGUMENTS = {"roll": (1,), "repeat": (2,)}


@pytest.mark.parametrize("name", ALONG_AXES)
def test_functions_along_axes(name):
    takes = ALONG_AXES[name].split()
    function: Any = np
    for part in name.split("."):
        function = getattr(function, part)
    for turn in range(8):
        rng = generator(name, turn)
        shape = tuple(int(n) for n in rng.integers(2, 4, rng.integers(1, 4)))
        x = draw(rng, name, shape)
        if "prod" in name:
            x = numpy.abs(x) + 0.5
        axis: Any = int(rng.integers(-len(shape), len(shape)))
        if turn % 4 == 0 and "some" not in takes:
            axis = None
        elif turn % 4 == 1 and len(shape) > 1 and {"tuple", "pair"} & set(takes):
            size = 2 if "pair" in takes else int(rng.integers(1, len(shape) + 1))
            axis = tuple(int(k) for k in rng.permutation(len(shape))[:size])
        options: dict[str, Any] = {"axis": axis}
        if "keepdims" in takes and turn % 3 == 0:
            options["keepdims"] = True
        if "where" in takes and turn % 4 == 3:
            mask = rng.random(shape) < 0.7
            mask[(0,) * len(shape)] = True
            if name in ("mean", "var", "std"):  # of nothing they are nan
                mask[...] |= rng.random(shape[-1:]) < 2
            elif name in ("max", "min"):
                options["initial"] = 10.0 if name == "min" else -10.0
            options["where"] = mask

        def call(x: Any, options=options) -> Any:
            made = function(x, *_MORE_ARGUMENTS.get(name, ()), **options)
            return list(made) if isinstance(made, tuple | list) else made

        check(call, x)


@pytest.mark.parametrize("turn", range(24))
def test_indexing_reading_and_writing(turn):
    rng = generator("index", turn)
    shape = tuple(int(n) for n in rng.integers(2, 5, rng.integers(1, 4)))
    index: list[Any] = []
    for n in shape:
        kind = rng.integers(0, 6)
        if kind == 0:
            index.append(int(rng.integers(-n, n)))
        elif kind == 1:
            index.append(slice(None, None, int(rng.choice([-2, -1, 1, 2]))))
        elif kind == 2:
            index.append(slice(int(rng.integers(0, n)), None))
        elif kind == 3:
            index.append(rng.integers(-n, n, 3))
        elif kind == 4 and not any(isinstance(i, numpy.ndarray) for i in index):
            index.append(rng.random(n) < 0.5)
        else:
            index.append(slice(None))
    arrays = [i for i in index if isinstance(i, numpy.ndarray)]
    if len(arrays) > 1:  # a mask beside an array of integers has to select as many
        index = [
            slice(None) if isinstance(i, numpy.ndarray) and i.dtype == bool else i for i in index
        ]
    if rng.random() < 0.3:
        index.insert(0, None)
    place = tuple(index)
    x = draw(rng, "", shape)
    part = numpy.asarray(x[place])
    v = draw(rng, "", part.shape)
    repeated = [i for i in place if isinstance(i, numpy.ndarray)]
    check(lambda x: x[place] ** 2, x)

    def write(x: Any, v: Any) -> Any:
        y = x * 1.0
        y[place] = v * x[place]
        return y * x

    def augment(x: Any, v: Any) -> Any:
        y = x * 1.0
        z = y[...]  # through a view
        z[place] *= v
        z += x
        return y * y

    if not repeated:
        check(write, x, v)
        check(augment, x, v)
    else:
        check(write, x, v)


def test_every_differentiable_operation_has_rules():
    none_by_nature = {"view", "unique"}
    without = {
        name
        for name, op in registry.items()
        if op.differentiable
        and not isinstance(op, Composition | Fallback)
        and not (op.vjp_rules or op.vjp_all)
    }
    assert without <= none_by_nature


COMPLEX = sorted(
    name
    for name in UFUNCS
    if getattr(np, name).nout == 1
    and all(k in "".join(getattr(np, name).types) for k in "D")
    and not any(part in name for part in ("maximum", "minimum", "fmax", "fmin"))
)


@pytest.mark.parametrize("name", COMPLEX)
def test_ufuncs_of_complex_numbers(name):
    op = getattr(np, name)
    for turn in range(4):
        rng = generator("complex", name, turn)
        kinds = [(True, False)[turn == n + 1] for n in range(op.nin)]
        args = []
        for shape, is_complex in zip(shapes(rng, op.nin), kinds, strict=True):
            part = draw(rng, name, shape)
            args.append(part + 1j * rng.normal(size=shape) if is_complex else part + 0.0)
        check(op, *args)


_C = generator("complex arrays")


def cplx(*shape: int) -> numpy.ndarray:
    return _C.normal(size=shape) + 1j * _C.normal(size=shape)


_NAMES = """
    sum mean prod cumsum cumprod std var ptp tril triu diff gradient trapz flip angle real imag
    nan_to_num sinc nansum nanprod nanmean nanvar cov average max min sort unique
"""

FUNCTIONS_OF_COMPLEX: dict[str, tuple] = {
    **{name: (getattr(np, name), cplx(2, 3)) for name in _NAMES.split()},
    **{name: (getattr(np, name), cplx(3, 3)) for name in ("trace", "diag", "transpose")},
    **{name: (getattr(np, name), cplx(3), cplx(3)) for name in ("inner", "vdot", "cross", "kron")},
    **{name: (getattr(np, name), cplx(2, 3), cplx(3, 2)) for name in ("dot", "matmul")},
    "tensordot": (lambda a, b: np.tensordot(a, b, 1), cplx(2, 3), cplx(3, 2)),
    "einsum": (lambda a, b: np.einsum("ij,jk->ik", a, b), cplx(2, 3), cplx(3, 2)),
    "convolve": (np.convolve, cplx(4), cplx(2)),
    "polyval": (np.polyval, cplx(3), cplx(2)),
    "vander": (np.vander, cplx(3)),
    "interp": (lambda y: np.interp([0.2, 1.4], numpy.arange(3.0), y), cplx(3)),
    "where": (lambda a, b: np.where(numpy.array([True, False]), a, b), cplx(2), cplx(2)),
    "concatenate": (lambda a, b: np.concatenate([a, b]), cplx(2), cplx(3)),
    "stack": (lambda a, b: np.stack([a, b]), cplx(2), cplx(2)),
}


@pytest.mark.parametrize("name", FUNCTIONS_OF_COMPLEX)
def test_functions_of_complex_arrays(name):
    function, *args = FUNCTIONS_OF_COMPLEX[name]
    check(function, *args)
