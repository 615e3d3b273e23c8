"""The gradients are HIPS autograd's, of real and of complex arguments, by its own functions."""

from __future__ import annotations

import warnings
from typing import Any

import numpy
import pytest
from numpy_calls import CALLS, Call

import minpy
import minpy.numpy as np

autograd = pytest.importorskip("autograd")
anp = pytest.importorskip("autograd.numpy")

# Its derivative differs: by choice, as the first three, or because it is wrong.
DIFFERENT = {
    "clip": "0 at the bounds, and keywords of its own",
    "linalg.eigh": "the signs of vectors are arbitrary",
    "linalg.svd": "the signs of vectors are arbitrary",
    "linalg.cholesky": "the table's points are symmetric in a way of their own",
    "linalg.pinv": "wrong",
    "tile": "wrong where an axis is added in front",
}
# nan there where a factor is zero, and for infinite orders.
NAN_THERE = ("prod(d3)", "linalg.norm(d4,inf)")

_COMPLEX = """
    add subtract multiply true_divide power negative exp log sin cos tan sinh cosh tanh sqrt
    square reciprocal absolute real conj sum mean prod dot matmul tensordot einsum inner
    reshape transpose where cumsum diag trace linalg.inv linalg.solve linalg.det linalg.norm
    expm1 log1p arctan arcsinh kron
"""


def _comparable(call: Call) -> bool:
    if call.path in DIFFERENT or not call.smooth or str(call) in NAN_THERE:
        return False
    if {"where", "out"} & call.kwargs.keys():  # which it takes no notice of
        return False
    if any(isinstance(call.args[i], list) for i in call.smooth):
        return False
    return call.path.startswith("linalg.") or hasattr(anp, call.path)


def _total(call: Call, module: Any, weights: list[Any]) -> Any:
    """Return a real function of the smooth arguments: a weighted sum of all results."""

    def total(*smooth: Any) -> Any:
        args = list(call.args)
        for i, value in zip(call.smooth, smooth, strict=True):
            args[i] = value
        result = call.function_of(module)(*args, **call.kwargs)
        parts = result if isinstance(result, tuple | list) else [result]
        found = 0.0
        for part, w in zip(parts, weights, strict=False):
            found = found + module.sum(module.real(part * w) + module.imag(part * w))
        return found

    return total


def _weights(call: Call) -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = call.function_of(numpy)(*call.args, **call.kwargs)
    rng = numpy.random.default_rng(1)
    parts = result if isinstance(result, tuple | list) else [result]
    return [rng.normal(size=numpy.shape(p)) * (1.0 + 0.5j) for p in parts]


def compared(call: Call) -> bool:
    """Compare the gradients; return whether HIPS autograd has them."""
    smooth = [call.args[i] for i in call.smooth]
    numbers = tuple(range(len(smooth)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            weights = _weights(call)
            expected = autograd.grad(_total(call, anp, weights), numbers)(*smooth)
        except Exception:  # no rule, a keyword it doesn't know, shapes it gets wrong…
            return False
        found = minpy.grad(_total(call, np, weights), numbers)(*smooth)
    for f, e in zip(found, expected, strict=True):
        assert f.shape == numpy.shape(e)
        numpy.testing.assert_allclose(f.asnumpy(), e, rtol=1e-8, atol=1e-10)
    return True


@pytest.fixture(autouse=True)
def _double():
    minpy.set_default_dtype("float64")


_BY_PATH: dict[str, list[Call]] = {}
for _call in CALLS:
    if _comparable(_call):
        _BY_PATH.setdefault(_call.path, []).append(_call)
# It has these functions without a derivative, or not for the calls of the table.
_NONE_THERE = """
    array_split average broadcast_to cbrt compress convolve copysign corrcoef correlate cov
    cumprod delete diagflat diagonal divmod dsplit ediff1d extract flip float_power fmod
    frexp hsplit insert interp ldexp linalg.eigvalsh linalg.matrix_power linalg.qr
    linalg.slogdet median modf msort nancumprod nancumsum nanmax nanmean nanmedian nanmin
    nanpercentile nanprod nanquantile nanstd nansum nanvar outer pad percentile polyval
    positive ptp quantile resize sort split take take_along_axis trapz unique unwrap vander
    vdot vsplit
"""


@pytest.mark.parametrize("path", _BY_PATH)
def test_of_real_arguments(path):
    count = sum([compared(call) for call in _BY_PATH[path]])
    assert count > 0 or path in _NONE_THERE.split()


def _with_imaginary_parts(call: Call) -> Call:
    def make(value: numpy.ndarray) -> numpy.ndarray:
        return value + 1j * numpy.random.default_rng(2).uniform(0.3, 0.9, value.shape)

    args = tuple(make(a) if i in call.smooth else a for i, a in enumerate(call.args))
    return Call(call.path, args, call.kwargs, call.smooth)


@pytest.mark.parametrize("path", _COMPLEX.split())
def test_of_complex_arguments(path):
    calls = [call for call in _BY_PATH[path] if not {"dtype", "initial"} & call.kwargs.keys()]
    assert sum([compared(_with_imaginary_parts(call)) for call in calls]) > 0


def test_a_program_written_for_it_runs_by_its_import_alone():
    def program(np):
        def predict(weights, inputs):
            for w, b in weights:
                outputs = np.dot(inputs, w) + b
                inputs = np.tanh(outputs)
            return outputs - np.log(np.sum(np.exp(outputs), axis=1, keepdims=True))

        def loss(weights, inputs, targets):
            penalty = sum(np.sum(w**2) for w, _ in weights)
            return -np.sum(predict(weights, inputs) * targets) + 0.01 * penalty

        return loss

    rng = numpy.random.RandomState(0)
    weights = [(rng.randn(m, n), rng.randn(n)) for m, n in ((4, 5), (5, 3))]
    inputs, targets = rng.randn(6, 4), numpy.eye(3)[rng.randint(0, 3, 6)]
    expected = autograd.grad(program(anp))(weights, inputs, targets)
    found = minpy.grad(program(np))(weights, inputs, targets)
    for (w, b), (v, c) in zip(found, expected, strict=True):
        numpy.testing.assert_allclose(w.asnumpy(), v, rtol=1e-10)
        numpy.testing.assert_allclose(b.asnumpy(), c, rtol=1e-10)
