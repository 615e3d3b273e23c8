"""Operations on segments, windows, matrices and signals: derivatives, graphs and what is wrong."""

from __future__ import annotations

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy import ops
from minpy.errors import ShapeError
from minpy.layers import Dense, Flatten, Input, Layer
from minpy.models import Model, Sequential
from minpy.ops import matrices

RNG = numpy.random.RandomState(5)


def real(*shape: int) -> numpy.ndarray:
    return RNG.normal(size=shape)


SEGMENTS = [2, 0, 0, 2, 0, 2, 0]
CASES = {
    "segment_sum": (lambda x: ops.segment_sum(x, SEGMENTS), real(7, 2)),
    "segment_max": (lambda x: ops.segment_max(x, SEGMENTS)[::2], real(7, 2)),
    "segment_min": (lambda x: ops.segment_min(x, SEGMENTS)[::2], real(7, 2)),
    "segment_prod": (lambda x: ops.segment_prod(x, SEGMENTS), real(7, 2)),
    "segment_prod of zeros": (
        lambda x: ops.segment_prod(x, SEGMENTS),
        numpy.array([0.0, 2.0, 0.0, 1.0, 3.0, 2.0, 0.5]),
    ),
    "unfold": (lambda x: ops.unfold(x, (2, 1), 2, (1, 0), (1, 2)), real(2, 2, 4, 3)),
    "fold": (lambda x: ops.fold(x, (3, 4), 2, 1, (0, 1), 2), real(2, 8, 3)),
    "cdist": (ops.cdist, real(2, 3, 2), real(4, 2)),
    "extract_sequences": (lambda x: ops.extract_sequences(x, 3, 2), real(2, 8)),
    "stft": (lambda x: list(ops.stft(x, 4, 3, 6)), real(2, 9)),
    "istft": (lambda a, b: ops.istft((a, b), 4, 2, 4, 7), real(3, 3), real(3, 3)),
    "view_as_complex": (ops.view_as_complex, real(3, 2)),
    "view_as_real": (lambda x: ops.view_as_real(x * (1 + 2j)), real(3)),
    "polar": (ops.polar, real(3), real(3)),
    "lu_factor": (lambda x: ops.lu_factor(x)[0], real(2, 3, 3)),
    "cholesky_inverse": (ops.cholesky_inverse, real(2, 3, 3) + 3 * numpy.eye(3)),
    "cholesky_inverse, upper": (
        lambda x: ops.cholesky_inverse(x, True),
        real(3, 3) + 3 * numpy.eye(3),
    ),
    "psnr": (lambda a, b: ops.psnr(a, b, 2.0), real(5), real(5)),
    "rearrange": (lambda x: ops.rearrange(x, "(a b) c -> b (c a)", a=3), real(6, 2)),
    "associative_scan": (lambda x: ops.associative_scan(np.multiply, x, axis=1), real(2, 5)),
    "adaptive_average_pool": (
        lambda x: ops.adaptive_average_pool(x, 2, "channels_last"),
        real(1, 5, 2),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_agrees_with_finite_differences_in_both_modes_to_second_order(name):
    function, *args = CASES[name]
    minpy.check_grads(function, order=2, tol=5e-5, rtol=5e-5)(*args)


# --- segments -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["max", "min", "prod", "sum"])
@pytest.mark.parametrize("dtype", ["float32", "int32", "uint8"])
def test_segments_are_reduced_one_by_one(kind, dtype):
    data = RNG.randint(0, 4, (40, 3)).astype(dtype)
    numbers = RNG.randint(-1, 9, 40)
    found = numpy.asarray(getattr(ops, f"segment_{kind}")(data, numbers, 12))
    assert found.dtype == dtype
    assert found.shape == (12, 3)
    for segment in range(12):
        parts = data[numbers == segment]
        if len(parts):
            expected = getattr(parts, kind)(0)
        elif kind in ("sum", "prod"):
            expected = kind == "prod"
        else:
            limits = numpy.iinfo(dtype) if dtype != "float32" else None
            low, high = (limits.min, limits.max) if limits else (-numpy.inf, numpy.inf)
            expected = low if kind == "max" else high
        numpy.testing.assert_array_equal(found[segment], numpy.broadcast_to(expected, 3))


def test_a_long_segment_beside_many_short_ones_needs_no_table_of_both():
    numbers = numpy.concatenate([numpy.zeros(50_000, int), numpy.arange(20_000)])
    data = RNG.rand(70_000).astype("float32")
    found = numpy.asarray(ops.segment_max(data, numbers))
    assert found[0] == max(data[:50_000].max(), data[50_000])
    numpy.testing.assert_array_equal(found[1:], data[50_001:])


# --- windows and axes -----------------------------------------------------------------------------


def test_fold_is_the_transpose_of_unfold():
    x, y = real(2, 3, 6, 5), real(2, 18, 12)
    options = {"kernel_size": (3, 2), "dilation": (2, 1), "padding": 1, "stride": (1, 2)}
    windows = numpy.asarray(ops.unfold(x, **options))
    y = real(*windows.shape)
    images = numpy.asarray(ops.fold(y, (6, 5), **options))
    numpy.testing.assert_allclose((windows * y).sum(), (images * x).sum(), rtol=1e-6)


def test_axes_are_rearranged_as_loops_do():
    x = real(4, 6, 2)
    found = numpy.asarray(ops.rearrange(x, "(a b) (c d) e -> (d a) e (c b)", a=2, d=3))
    for a, b, c, d, e in numpy.ndindex(2, 2, 2, 3, 2):
        assert found[d * 2 + a, e, c * 2 + b] == x[a * 2 + b, c * 3 + d, e]


# --- scans and derivatives ------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 8, 13])
def test_a_scan_combines_from_the_first_part_on_in_order(count):
    x = RNG.rand(2, count, 2, 2)

    def along(parts):
        made = [parts[0]]
        for part in parts[1:]:
            made.append(made[-1] @ part)  # associative, and not commutative
        return made

    found = numpy.asarray(ops.associative_scan(np.matmul, x, axis=1))
    expected = numpy.stack(along(list(numpy.moveaxis(x, 1, 0))), 1)
    numpy.testing.assert_allclose(found, expected, rtol=1e-6)
    found = numpy.asarray(ops.associative_scan(np.matmul, x, reverse=True, axis=1))
    expected = numpy.stack(along(list(numpy.moveaxis(x, 1, 0))[::-1])[::-1], 1)
    numpy.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_scan_of_containers_runs_a_recurrence():
    decay, inputs = RNG.rand(9).astype("float32"), RNG.rand(9).astype("float32")

    def combine(a, b):
        return {"decay": a["decay"] * b["decay"], "sum": a["sum"] * b["decay"] + b["sum"]}

    found = ops.associative_scan(combine, {"decay": decay, "sum": inputs})["sum"]
    state, states = 0.0, []
    for d, u in zip(decay, inputs, strict=True):
        state = d * state + u
        states.append(state)
    numpy.testing.assert_allclose(found, states, rtol=1e-5)


def test_a_derivative_forward_has_the_structure_of_the_value():
    value, tangent, aux = ops.jvp(
        lambda x, y: ({"product": x * y, "sine": np.sin(x)}, "beside"),
        [np.array([1.0, 2.0]), 3.0],
        [np.array([1.0, 0.0]), 10.0],
        has_aux=True,
    )
    assert aux == "beside"
    numpy.testing.assert_allclose(value["product"], [3.0, 6.0])
    numpy.testing.assert_allclose(tangent["product"], [13.0, 20.0])
    numpy.testing.assert_allclose(tangent["sine"], [numpy.cos(1.0), 0.0], rtol=1e-6)


# --- matrices -------------------------------------------------------------------------------------


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("kind", ["float64", "complex128"])
def test_factors_make_the_matrix_with_its_rows_exchanged(own, kind, monkeypatch):
    if own:
        monkeypatch.setattr(matrices, "_elimination", lambda: matrices._eliminated)
    x = (real(2, 5, 5) + (1j * real(2, 5, 5) if kind == "complex128" else 0)).astype(kind)
    factors, pivots = (numpy.asarray(part) for part in ops.lu_factor(x))
    assert pivots.dtype == "int32"
    for a, both, exchanged in zip(x, factors, pivots, strict=True):
        a = a.copy()
        for k, pivot in enumerate(exchanged):
            a[[k, pivot]] = a[[pivot, k]]
        lower = numpy.tril(both, -1) + numpy.eye(5)
        assert abs(numpy.tril(both, -1)).max() <= numpy.sqrt(2)  # 1 of real ones
        numpy.testing.assert_allclose(lower @ numpy.triu(both), a, rtol=1e-9, atol=1e-12)


def test_the_distance_of_a_vector_from_itself_has_derivative_zero():
    x = np.array(real(3, 2))
    gradient = minpy.grad(lambda x: np.sum(ops.cdist(x, x) ** 2))(x)
    assert np.isfinite(gradient).all()
    assert not np.any(minpy.grad(lambda x: np.sum(ops.cdist(x, x)[[0, 1], [0, 1]]))(x))


# --- signals --------------------------------------------------------------------------------------


@pytest.mark.parametrize("window", ["hann", "hamming", None, numpy.linspace(0.5, 1, 6)])
@pytest.mark.parametrize("center", [False, True])
def test_the_inverse_gives_the_signal_back(window, center):
    x = real(2, 32)
    spectrum = ops.stft(x, 6, 2, 8, window, center)
    y = numpy.asarray(ops.istft(spectrum, 6, 2, 8, 32, window, center))
    assert y.shape == (2, 32)
    kept = slice(0, 32) if center else slice(8, 24)
    numpy.testing.assert_allclose(y[:, kept], x[:, kept], rtol=1e-5, atol=1e-6)


def test_a_spectrum_is_that_of_each_window():
    x = real(20)
    real_part, imaginary = ops.stft(x, 4, 3, 6, "hamming", False)
    weights = 0.54 - 0.46 * numpy.cos(2 * numpy.pi * numpy.arange(4) / 4)
    for t in range(real_part.shape[0]):
        expected = numpy.fft.rfft(x[3 * t : 3 * t + 6] * numpy.pad(weights, 1))
        numpy.testing.assert_allclose(real_part[t], expected.real, atol=1e-6)
        numpy.testing.assert_allclose(imaginary[t], expected.imag, atol=1e-6)


# --- in models ------------------------------------------------------------------------------------


class Windowed(Layer):
    """A layer of one's own: a convolution by windows, then their sum back."""

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(4, 8), name="kernel")

    def call(self, x):
        windows = ops.unfold(ops.rearrange(x, "b (c h w) -> b c h w", c=1, h=4), 2)
        made = ops.matmul(ops.transpose(windows, (0, 2, 1)), self.kernel)
        made = ops.fold(ops.transpose(made, (0, 2, 1)), 4, 2)
        return ops.adaptive_max_pool(made, 3, "channels_first")


def test_a_layer_of_windows_trains_compiled_as_eagerly():
    x = numpy.linspace(-1, 1, 8 * 16, dtype="float32").reshape(8, 16) ** 2
    losses = {}
    for jit in (False, "auto"):
        minpy.random.seed(3)
        model = Sequential([Windowed(), Flatten(), Dense(1)])
        model.compile("sgd", "mse", jit=jit)
        losses[jit] = model.fit(x, x[:, :1], epochs=3, shuffle=False, verbose=0).history["loss"]
    numpy.testing.assert_allclose(losses[False], losses["auto"], rtol=1e-5)
    assert model.jit_status == "compiled" or "mxnet" in model.jit_status


def test_symbolic_tensors_get_shapes_and_values():
    x = Input((12,))
    frames = ops.extract_sequences(x, 4, 2)
    y = ops.rearrange(frames, "b t (p f) -> b p (t f)", p=2)
    spectrum = ops.stft(x, 4, 2, 4)
    model = Model(x, [y, spectrum[0], ops.segment_max(ops.swapaxes(x, 0, 1), [0, 1, 2] * 4)])
    assert y.shape == (None, 2, 10)
    assert spectrum[0].shape == (None, 7, 3)
    data = real(3, 12).astype("float32")
    outputs = model(data)
    numpy.testing.assert_allclose(outputs[1], ops.stft(data, 4, 2, 4)[0], rtol=1e-6)
    numpy.testing.assert_array_equal(outputs[2], data.reshape(3, 4, 3).max(1).T)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ops.segment_max(np.ones(3), [0]), "one number for each of 3 parts"),
        (lambda: ops.segment_prod(1.0, 0), "first axis"),
        (lambda: ops.unfold(np.ones((4, 4)), 2), "batch, channels, height, width"),
        (lambda: ops.unfold(np.ones((1, 1, 2, 2)), 3), "no window"),
        (lambda: ops.fold(np.ones((1, 4, 5)), 3, 2), r"a multiple of 4, 4\)"),
        (lambda: ops.cdist(np.ones((2, 3)), np.ones((2, 2))), "sets"),
        (lambda: ops.extract_sequences(np.ones(3), 4, 1), "no window of 4"),
        (lambda: ops.extract_sequences(np.ones(3), 2, 0), "sequence_stride"),
        (lambda: ops.stft(np.ones(9), 4, 2, 3), "fft_length from sequence_length"),
        (lambda: ops.stft(np.ones(3), 4, 2, 8), "too short to be mirrored"),
        (lambda: ops.stft(np.ones(9), 4, 2, 4, "blackman"), "'hann', 'hamming'"),
        (lambda: ops.stft(np.ones(9), 4, 2, 4, [1.0]), r"window of shape \(4,\)"),
        (lambda: ops.istft((np.ones((3, 4)),) * 2, 4, 2, 4), "windows, 3"),
        (lambda: ops.view_as_complex(np.ones(3)), "real and imaginary"),
        (lambda: ops.lu_factor(np.ones((2, 3))), "square"),
        (lambda: ops.psnr(np.ones(2), np.ones(3), 1.0), "one shape"),
        (lambda: ops.adaptive_max_pool(np.ones(3), 2), "signals, images or volumes"),
        (lambda: ops.rearrange(np.ones((2, 3)), "a b c -> a b c"), "3 axes"),
        (lambda: ops.rearrange(np.ones((2, 3)), "a b -> a"), "once before and once after"),
        (lambda: ops.rearrange(np.ones((2, 3)), "a (b c) -> a b c"), "all lengths but one"),
        (lambda: ops.rearrange(np.ones((2, 3)), "a (b c) -> a b c", b=2), "doesn't split"),
        (lambda: ops.rearrange(np.ones((2, 3)), "a b -> b a", d=2), "has no axes d"),
        (lambda: ops.rearrange(np.ones((2, 3)), "a (b -> b a"), "parentheses"),
        (lambda: ops.rearrange(np.ones((2, 3)), "a b"), "one '->'"),
        (lambda: ops.associative_scan(np.add, [np.ones(2), np.ones(3)]), "one length"),
        (lambda: ops.jvp(np.sin, (1.0,), ()), "a tangent for each primal"),
    ],
)
def test_what_is_wrong_is_said(call, words):
    with pytest.raises((ValueError, ShapeError), match=words):
        call()
