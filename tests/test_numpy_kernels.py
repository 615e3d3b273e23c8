"""Under every policy the numbers are NumPy's: each MXNet kernel agrees, or lets NumPy do it."""

from __future__ import annotations

import copy
import itertools
import warnings
from collections.abc import Callable
from typing import Any

import numpy
import pytest
from numpy_calls import CALLS

import minpy
import minpy.numpy as np
import minpy.scipy.special  # registers functions with MXNet kernels when it is first imported
from minpy import runtime
from minpy.context import cpu
from minpy.errors import PolicyError
from minpy.policy import operation_counts, reset_operation_counts, use_policy
from minpy.primitives import registry

pytestmark = pytest.mark.skipif(not runtime.available(), reason="needs mxnet")

_TOLERANCES = {"float16": 4e-3, "float32": 3e-5, "float64": 1e-10, "complex128": 1e-10}

# Values at which libraries disagree.
AWKWARD = numpy.array(
    [numpy.nan, numpy.inf, -numpy.inf, 0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.5, -2.5, 1e30, -1e-30]
)
DTYPES = ("float32", "float64", "float16", "int32", "int64", "uint8", "bool")
SHAPES = [(3,), (2, 3), (), (0,), (2, 0, 3), (2, 1, 3), (1,)]


@pytest.fixture(autouse=True)
def _setting():
    minpy.set_default_dtype("float64")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    minpy.set_default_dtype("float32")


def sample(shape: tuple[int, ...], dtype: str) -> numpy.ndarray:
    rng = numpy.random.default_rng(len(shape))
    if dtype == "bool":
        return numpy.asarray(rng.random(shape) < 0.5)
    if dtype[0] in "iu":
        return numpy.asarray(rng.integers(0 if dtype[0] == "u" else -4, 6, shape), dtype)
    x = numpy.asarray(rng.normal(size=shape) * 2)
    x.flat[: min(x.size, 3)] = [0.0, 0.5, -2.5][: x.size]
    return x.astype(dtype)


def outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as error:
        return error


def leaves(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return [leaf for part in value for leaf in leaves(part)]
    return [value]


def assert_agree(found: Any, expected: Any, what: str) -> None:
    if isinstance(expected, Exception):
        assert isinstance(found, type(expected)), (what, found, expected)
        return
    assert not isinstance(found, Exception), (what, found)
    for f, e in zip(leaves(found), leaves(expected), strict=True):
        if isinstance(e, np.ndarray):
            assert (f.shape, f.dtype) == (e.shape, e.dtype), what
            tolerance = _TOLERANCES.get(e.dtype.name, 0.0)
            numpy.testing.assert_allclose(
                f.asnumpy(), e.asnumpy(), rtol=tolerance, atol=tolerance, err_msg=what
            )
        else:
            assert f == e or f != f, what


def assert_all_policies_agree(call: Callable[[], Any], what: str) -> None:
    with use_policy("only_numpy"):
        expected = outcome(call)
    with use_policy("prefer_mxnet"):
        assert_agree(outcome(call), expected, f"prefer_mxnet: {what}")
    with use_policy("only_mxnet"):
        found = outcome(call)
        if not isinstance(found, PolicyError):
            assert_agree(found, expected, f"only_mxnet: {what}")


def with_mxnet_kernel(inputs: int) -> list[str]:
    """Names in one order, whatever was imported before: pytest's workers must collect alike."""
    return sorted(n for n, op in registry.items() if op.mxnet and getattr(op, "nin", 0) == inputs)


UNARY = [*with_mxnet_kernel(1), "fix", "isposinf", "isneginf", "zeros_like", "ones_like"]
BINARY = with_mxnet_kernel(2)


@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one_array(name):
    function = registry[name]
    reset_operation_counts()
    for dtype, shape in itertools.product(DTYPES, SHAPES):
        x = np.array(sample(shape, dtype))
        assert_all_policies_agree(lambda x=x: function(x), f"{name}({dtype}{shape})")
    for dtype in ("float32", "float64"):
        for x in (np.array(AWKWARD.astype(dtype)), np.array(sample((3, 4), dtype)).T):
            assert_all_policies_agree(lambda x=x: function(x), f"{name}({x})")
    assert operation_counts()[name]["mxnet"] > 0


_PAIRS = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((), (3,)),
    ((3,), ()),
    ((2, 1, 3), (4, 1)),
    ((0,), (1,)),
    ((0,), ()),
    ((), ()),
    ((2, 3), (2,)),
    ((2, 0), (1, 1)),
]
_NUMBERS = [2, 0.5, -3, True, -0.0, 0, 0.0, 10**10, numpy.nan, numpy.inf]
_NUMBERS += [numpy.float32(1.5), numpy.float64(2.5), numpy.int64(3)]


@pytest.mark.parametrize("name", [n for n in BINARY if n != "matmul"])
def test_functions_of_two_arrays(name):
    function = registry[name]
    reset_operation_counts()
    for dtype, (a, b) in itertools.product(DTYPES, _PAIRS):
        x, y = np.array(sample(a, dtype)), np.array(sample(b, dtype))
        assert_all_policies_agree(lambda x=x, y=y: function(x, y), f"{name}({dtype}{a}, {b})")
    for first, second in itertools.permutations(DTYPES, 2):
        x, y = np.array(sample((3,), first)), np.array(sample((3,), second))
        assert_all_policies_agree(lambda x=x, y=y: function(x, y), f"{name}({first}, {second})")
    for dtype, number in itertools.product(DTYPES, _NUMBERS):
        x = np.array(sample((4,), dtype))
        what = f"{name} of {dtype} and {number!r}"
        assert_all_policies_agree(lambda x=x, n=number: function(x, n), what)
        assert_all_policies_agree(lambda x=x, n=number: function(n, x), what)
    for dtype in ("float32", "float64"):
        x = np.array(numpy.repeat(AWKWARD, AWKWARD.size).astype(dtype))
        y = np.array(numpy.tile(AWKWARD, AWKWARD.size).astype(dtype))
        assert_all_policies_agree(lambda x=x, y=y: function(x, y), f"{name}(awkward {dtype})")
    assert operation_counts()[name]["mxnet"] > 0


def to_minpy(value: Any, dtype: str = "float64") -> Any:
    if isinstance(value, numpy.ndarray):
        cast = value.dtype.kind == "f" and (dtype[0] == "f" or not numpy.isnan(value).any())
        return np.array(value.astype(dtype) if cast else value)
    if type(value) in (list, tuple):
        return type(value)(to_minpy(v, dtype) for v in value)
    return value


@pytest.mark.parametrize("call", [c for c in CALLS if c.path != "empty_like"], ids=str)
def test_all_functions_under_all_policies(call):
    for default, dtype in (("float64", "float64"), ("float32", "float32"), ("float64", "int64")):
        minpy.set_default_dtype(default)
        args = to_minpy(copy.deepcopy(call.args), dtype)

        def run(args=args):
            kwargs = {k: to_minpy(v) for k, v in call.kwargs.items()}
            return call.function_of(np)(*args, **kwargs)

        assert_all_policies_agree(run, f"{call} {dtype}")


@pytest.mark.parametrize("call", [c for c in CALLS if c.path != "empty_like"], ids=str)
def test_all_functions_and_gradients_on_a_device(call):
    """On ``cpu(1)``, apart from the host as a GPU is; results and gradients lie there too."""

    def run(context: Any, smooth: Any = None) -> Any:
        with context:
            args = list(to_minpy(copy.deepcopy(call.args)))
            kwargs = {k: to_minpy(v) for k, v in call.kwargs.items()}
            for i, value in zip(call.smooth, smooth or [], strict=False):
                args[i] = value
            return call.function_of(np)(*args, **kwargs)

    found, expected = leaves(run(cpu(1))), leaves(run(cpu()))
    given = any(isinstance(a, numpy.ndarray) for a in leaves(list(call.args)))
    assert_agree(found, expected, str(call))
    for f in found:
        if isinstance(f, np.ndarray) and given and runtime.supports(f.dtype):
            assert f.context == cpu(1)

    def gradients(context: Any) -> list[np.ndarray]:
        def total(*smooth: Any) -> Any:
            parts = [p for p in leaves(run(context, smooth)) if isinstance(p, np.ndarray)]
            return sum(np.sum(p * p) for p in parts if p.dtype.kind == "f")

        with context:
            points = [to_minpy(call.args[i]) for i in call.smooth]
        return leaves(list(minpy.grad(total, range(len(points)))(*points)))

    if call.smooth:
        for f, e in zip(gradients(cpu(1)), gradients(cpu()), strict=True):
            assert f.context == cpu(1)
            numpy.testing.assert_allclose(f.asnumpy(), e.asnumpy(), rtol=1e-7, atol=1e-9)
