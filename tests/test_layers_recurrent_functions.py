"""The recurrences over time: values, derivatives of both orders, masks, machine code and NumPy."""

import multiprocessing
import sys

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy.errors import ShapeError
from minpy.layers.functions import gru, lstm, simple_rnn
from minpy.layers.functions.recurrent_runs import compiled_kernels, kernels_of_numba

KINDS = {"lstm": 4, "gru": 3, "tanh": 1, "relu": 1}


def wave(*shape, scale=0.7, shift=0.0):
    size = int(numpy.prod(shape))
    return (scale * numpy.sin(numpy.arange(size) * 1.3 + shift + len(shape))).reshape(shape)


def arguments(kind, samples=3, steps=5, features=4, units=6, dtype="float64"):
    columns = KINDS[kind] * units
    shapes = [(samples, steps, features), (features, columns), (units, columns), (columns,)]
    shapes += [(columns,)] if kind == "gru" else []
    shapes += [(samples, units)] * (2 if kind == "lstm" else 1)
    return [wave(*shape, shift=i).astype(dtype) for i, shape in enumerate(shapes)]


def run(kind, args, mask=None):
    if kind == "lstm":
        return lstm(*args, mask=mask)
    if kind == "gru":
        return gru(*args, mask=mask)
    return simple_rnn(*args, mask=mask, activation=kind)


def sigmoid(x):
    return 1 / (1 + numpy.exp(-x))


def by_hand(kind, args, mask=None):
    x, weights, kernel, bias, *rest = args
    h = rest[1] if kind == "gru" else rest[0]
    c = rest[1] if kind == "lstm" else h
    units = kernel.shape[0]
    hs = []
    for t in range(x.shape[1]):
        z, y = x[:, t] @ weights + bias, h @ kernel
        if kind == "lstm":
            i, f, g, o = ((z + y)[:, k * units : (k + 1) * units] for k in range(4))
            new_c = sigmoid(f) * c + sigmoid(i) * numpy.tanh(g)
            new = sigmoid(o) * numpy.tanh(new_c)
        elif kind == "gru":
            y = y + rest[0]
            update = sigmoid(z[:, :units] + y[:, :units])
            reset = sigmoid(z[:, units : 2 * units] + y[:, units : 2 * units])
            new = numpy.tanh(z[:, 2 * units :] + reset * y[:, 2 * units :])
            new_c = new = update * h + (1 - update) * new
        else:
            new_c = new = numpy.tanh(z + y) if kind == "tanh" else numpy.maximum(z + y, 0)
        counts = numpy.ones((len(x), 1)) if mask is None else mask[:, t, None]
        h, c = numpy.where(counts, new, h), numpy.where(counts, new_c, c)
        hs.append(h)
    return numpy.stack(hs, 1), h, c


MASK = numpy.array([[1, 1, 1, 1, 1], [1, 1, 0, 1, 0], [0, 0, 1, 1, 1]], bool)


@pytest.mark.parametrize("mask", [None, MASK], ids=["all", "masked"])
@pytest.mark.parametrize("kind", KINDS)
def test_values_are_those_of_the_formulas(kind, mask):
    args = arguments(kind)
    expected = by_hand(kind, args, mask)
    found = run(kind, [np.array(a) for a in args], mask)
    for a, b in zip(found, expected, strict=False):
        numpy.testing.assert_allclose(a.asnumpy(), b, rtol=1e-12, atol=1e-14)


def loss_of(kind, mask):
    def loss(*args):
        out = run(kind, args, mask)
        weighted = [np.sum(o * wave(*o.shape, shift=9 + i)) for i, o in enumerate(out)]
        return sum(weighted)

    return loss


@pytest.mark.parametrize("mask", [None, MASK], ids=["all", "masked"])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_the_slopes(kind, mask):
    args = arguments(kind)
    loss = loss_of(kind, mask)
    found = minpy.grad(loss, tuple(range(len(args))))(*map(np.array, args))

    def value(*args):
        out = by_hand(kind, args, mask)[: 3 if kind == "lstm" else 2]
        return sum(float((o * wave(*o.shape, shift=9 + i)).sum()) for i, o in enumerate(out))

    for k, g in enumerate(found):
        direction = wave(*args[k].shape, shift=3)
        step = 1e-6
        ahead, behind = list(args), list(args)
        ahead[k] = args[k] + step * direction
        behind[k] = args[k] - step * direction
        slope = (value(*ahead) - value(*behind)) / (2 * step)
        numpy.testing.assert_allclose((g.asnumpy() * direction).sum(), slope, rtol=2e-6, atol=1e-8)


@pytest.mark.parametrize("kind", ["lstm", "gru", "tanh"])
def test_second_derivatives_are_the_slopes_of_the_first(kind):
    args = [np.array(a) for a in arguments(kind, 2, 3, 2, 2)]
    loss = loss_of(kind, None)
    number = 2  # the recurrent kernel
    direction = wave(*args[number].shape)

    def slope(kernel):
        given = [*args[:number], kernel, *args[number + 1 :]]
        return np.sum(minpy.grad(loss, number)(*given) * direction)

    found = minpy.grad(slope)(args[number]).asnumpy()
    other = wave(*found.shape, shift=5)
    step = 1e-5
    ahead = float(slope(args[number] + step * other))
    behind = float(slope(args[number] - step * other))
    numpy.testing.assert_allclose((found * other).sum(), (ahead - behind) / (2 * step), rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_forward_mode_gives_what_the_gradients_say(kind):
    args = [np.array(a) for a in arguments(kind, 2, 3, 2, 2)]
    tangent = wave(*args[1].shape)
    loss = loss_of(kind, None)

    def of_weights(weights):
        return loss(args[0], weights, *args[2:])

    _, found = minpy.autograd.make_jvp(of_weights)(args[1])(np.array(tangent))
    expected = (minpy.grad(of_weights)(args[1]).asnumpy() * tangent).sum()
    numpy.testing.assert_allclose(float(found), expected, rtol=1e-10)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (3, 4, 5, 7), (18, 3, 33, 20), (5, 2, 1, 40)])
@pytest.mark.parametrize("kind", KINDS)
def test_machine_code_computes_what_numpy_does(kind, sizes, masked, monkeypatch):
    if kernels_of_numba() is None:
        pytest.skip("needs numba")
    samples, steps, features, units = sizes
    args = arguments(kind, samples, steps, features, units, "float32")
    mask = (wave(samples, steps) > -0.2) if masked else None
    results = {}
    for least in (0, 1 << 60):
        monkeypatch.setattr(compiled_kernels, "__defaults__", (least,))
        given = [np.array(a) for a in args]
        out = run(kind, given, mask)
        gradients = minpy.grad(loss_of(kind, mask), tuple(range(len(args))))(*given)
        results[least] = [a.asnumpy() for a in (*out, *gradients)]
    for a, b in zip(*results.values(), strict=True):
        numpy.testing.assert_allclose(a, b, rtol=2e-5, atol=3e-6 * max(1, abs(b).max()))


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_extreme_inputs_neither_overflow_nor_hide_nan(kind):
    args = arguments(kind, 16, 20, 16, 64, "float32")
    args[0][0] = 1e30
    args[0][1] = -1e30
    args[0][2, 3] = numpy.nan
    with numpy.errstate(all="ignore"):
        hs = run(kind, [np.array(a) for a in args])[0].asnumpy()
    assert numpy.isfinite(hs[[0, 1]]).all() and numpy.abs(hs[[0, 1]]).max() <= 1
    assert numpy.isfinite(hs[2, :3]).all() and numpy.isnan(hs[2, 3:]).all()


def test_wrong_shapes_are_refused_with_what_was_expected():
    x, weights, kernel, bias, h, c = arguments("lstm")
    with pytest.raises(ShapeError, match=r"\(batch, time, features\)"):
        lstm(x[0], weights, kernel, bias)
    with pytest.raises(ShapeError, match=r"kernel of shape \(4, 24\), got \(3, 24\)"):
        lstm(x, weights[:3], kernel, bias)
    with pytest.raises(ShapeError, match=r"h0 of shape \(3, 6\)"):
        lstm(x, weights, kernel, bias, h[:2], c)
    with pytest.raises(ShapeError, match=r"mask of shape \(3, 5\)"):
        lstm(x, weights, kernel, bias, mask=MASK[:2])
    with pytest.raises(ValueError, match="'tanh' or 'relu'"):
        simple_rnn(x, weights, kernel, activation="selu")


@pytest.mark.parametrize("kind", KINDS)
def test_equal_calls_give_equal_bits_whichever_thread_does_what(kind):
    if kernels_of_numba() is None:
        pytest.skip("needs numba")
    minpy.runtime.available()  # the threads are those of mxnet's OpenMP
    args = [np.array(a) for a in arguments(kind, 40, 6, 30, 40, "float32")]
    gradients = minpy.grad(loss_of(kind, None), tuple(range(len(args))))
    first = [g.asnumpy().copy() for g in gradients(*args)]
    for _ in range(60):
        for a, b in zip(first, gradients(*args), strict=True):
            numpy.testing.assert_array_equal(a, b.asnumpy())


def _in_a_child(queue):
    args = arguments("lstm", 64, 10, 20, 32, "float32")
    queue.put(run("lstm", [np.array(a) for a in args])[0].asnumpy())


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_computes_what_its_parent_does():
    args = arguments("lstm", 64, 10, 20, 32, "float32")
    expected = run("lstm", [np.array(a) for a in args])[0].asnumpy()  # starts the threads
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_in_a_child, args=(queue,))
    child.start()
    try:
        found = queue.get(timeout=60)
    finally:
        child.join(5)
        if child.is_alive():
            child.kill()
    numpy.testing.assert_array_equal(found, expected)
