"""Images in programs: convolution, pooling and normalization by oneDNN, in its own layouts.

Everything is compared with the same operations in float64, which NumPy's kernels compute.
"""

from __future__ import annotations

import ctypes.util
import threading

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy import autograd, layers, random
from minpy.autograd.trace import open_trace
from minpy.graph.native import Program, ProgramTrace, aligned, available
from minpy.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from minpy.layers.functions import (
    affine,
    avg_pool,
    batchnorm,
    conv,
    conv_transpose,
    global_avg_pool,
    heads_attention,
    layer_norm,
    max_pool,
    relu,
    rms_norm,
    softmax_loss,
)
from minpy.layers.parameter import bound
from minpy.losses import SparseCategoricalCrossentropy
from minpy.models import Sequential
from minpy.runtime import onednn

pytestmark = pytest.mark.skipif(
    not available() or onednn.library() is None, reason="numba or oneDNN is missing"
)

rng = numpy.random.default_rng(0)


def some(*shape):
    return rng.standard_normal(shape).astype("float32")


@pytest.fixture(params=[False, True], ids=["alone", "shared"])
def shared(request, monkeypatch):
    """Programs of small operations, and such as large ones get; both for small arrays."""
    if request.param:
        monkeypatch.setattr("minpy.graph.native.lowerings._MANY_ELEMENTS", 1)
        monkeypatch.setattr("minpy.graph.native.products._MANY_PRODUCTS", 1)
    return request.param


def as_program(function, arrays, shared):
    """Return a function's results by a program, which ran on other values first."""
    memories = [numpy.ones(a.shape, "float32") for a in arrays]
    with open_trace(ProgramTrace) as trace:
        traced = [trace.input(np.array(a), m) for a, m in zip(arrays, memories, strict=True)]
        program = Program(trace, results := list(function(*traced)), [None] * len(results), shared)
    program.run()
    for memory, a in zip(memories, arrays, strict=True):
        memory[...] = a
    program.run()
    return program.results


def check(function, *arrays, shared=False, rtol=2e-5):
    """Compare a function of arrays, and its derivatives by all of them, with float64."""

    def all_of(*arrays):
        weights = numpy.linspace(0.5, 1.5, 7)

        def total(*arrays):
            result = function(*arrays)
            flat = np.reshape(result, (-1,))
            repeated = numpy.resize(weights, flat.shape).astype(flat.dtype)
            return np.sum(flat * repeated)

        gradients = autograd.grad(total, tuple(range(len(arrays))))(*arrays)
        return [function(*arrays), *gradients]

    found = as_program(all_of, arrays, shared)
    expected = all_of(*[np.array(a.astype("float64")) for a in arrays])
    for f, e in zip(found, expected, strict=True):
        e = e.asnumpy()
        assert f.shape == e.shape
        numpy.testing.assert_allclose(f, e, rtol=rtol, atol=rtol * max(1.0, numpy.abs(e).max()))


CONVOLUTIONS = {
    "of one channel": ((2, 1, 8, 8), (32, 1, 3, 3), {}),
    "of three channels": ((2, 3, 9, 7), (16, 3, 3, 3), {"pad": 1}),
    "of whole blocks of channels": ((2, 32, 7, 7), (16, 32, 3, 3), {"pad": 1}),
    "of channels that fill no block": ((3, 10, 7, 7), (20, 10, 3, 3), {}),
    "with a stride and uneven padding": (
        (2, 16, 8, 8),
        (32, 16, 3, 3),
        {"stride": 2, "pad": ((0, 1), (0, 1))},
    ),
    "pointwise": ((2, 16, 6, 6), (32, 16, 1, 1), {}),
    "pointwise with a stride": ((2, 16, 8, 8), (32, 16, 1, 1), {"stride": 2}),
    "dilated": ((2, 16, 9, 9), (16, 16, 3, 3), {"dilation": 2}),
    "in groups": ((2, 32, 7, 7), (32, 16, 3, 3), {"groups": 2}),
    "of each channel by itself": ((2, 16, 7, 7), (16, 1, 3, 3), {"groups": 16, "pad": 1}),
    "of signals": ((2, 16, 11), (16, 16, 3), {"pad": 1}),
    "of volumes": ((2, 4, 5, 6, 5), (16, 4, 3, 3, 3), {}),
}


@pytest.mark.parametrize("name", sorted(CONVOLUTIONS))
def test_convolutions(name, shared):
    x, w, told = CONVOLUTIONS[name]
    arrays = some(*x), some(*w), some(w[0])
    check(lambda x, w, b: conv(x, w, b, **told), *arrays, shared=shared)
    check(lambda x, w, b: relu(conv(x, w, b, **told)), *arrays, shared=shared)
    check(lambda x, w: conv(x, w, **told), *arrays[:2], shared=shared)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("channels", [3, 32])
def test_transposed_convolutions(stride, channels, shared):
    arrays = some(2, 16, 5, 5), some(16, channels, 3, 3), some(channels)
    check(lambda x, w: relu(conv_transpose(x, w, stride=stride)), *arrays[:2], shared=shared)
    check(lambda x, w, b: conv_transpose(x, w, b, stride=stride), *arrays, shared=shared)


@pytest.mark.parametrize("channels", [3, 16])
@pytest.mark.parametrize(
    "told",
    [{}, {"pool": 3, "stride": 2}, {"pool": 3, "stride": 2, "pad": ((0, 1), (1, 1))}],
    ids=["by 2", "overlapping", "padded"],
)
@pytest.mark.parametrize(
    "pool", [max_pool, avg_pool, lambda x, **t: avg_pool(x, count_include_pad=True, **t)]
)
def test_pooling(pool, told, channels, shared):
    x = some(2, channels, 9, 9)
    check(lambda x: pool(x, **told), x, shared=shared)
    check(lambda x: pool(relu(x), **told), x, shared=shared)


def test_pooling_after_a_convolution_that_somebody_else_reads_too(shared):
    def f(x, w, b):
        y = relu(conv(x, w, b))
        return np.sum(y, axis=(2, 3)) + np.sum(max_pool(y), axis=(2, 3))

    check(f, some(2, 3, 8, 8), some(16, 3, 3, 3), some(16), shared=shared)


@pytest.mark.parametrize(("shape", "axis"), [((4, 16, 5, 5), 1), ((4, 5, 5, 6), 3), ((8, 7), 1)])
def test_batch_normalization(shape, axis, shared):
    n = shape[axis]

    def f(x, gamma, beta, activation):
        out, mean, var = batchnorm(x, gamma, beta, axis=axis)
        return activation(out) + np.sum(mean * var)

    arrays = some(*shape), some(n), some(n)
    for activation in (relu, lambda x: x):
        check(lambda *a, g=activation: f(*a, g), *arrays, shared=shared, rtol=1e-4)


def test_normalization_by_running_statistics(shared):
    def f(x, gamma, beta, mean, var):
        return relu(batchnorm(x, gamma, beta, "test", running_mean=mean, running_var=var)[0])

    arrays = some(4, 16, 5, 5), some(16), some(16), some(16), numpy.abs(some(16)) + 0.5
    found = as_program(lambda *a: [f(*a)], arrays, shared)[0]
    expected = f(*[np.array(a.astype("float64")) for a in arrays]).asnumpy()
    numpy.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_a_residual_block_and_its_loss(shared):
    def f(labels, x, w1, w2, w3, gamma, beta, dense, bias):
        first = relu(batchnorm(conv(x, w1, pad=1), gamma, beta)[0])
        y = batchnorm(conv(first, w2, pad=1), gamma, beta)[0]
        y = relu(y + conv(first, w3))
        y = np.reshape(global_avg_pool(y), (4, -1))
        return softmax_loss(affine(y, dense, bias), labels)

    def all_of(*arrays):
        value, gradients = autograd.value_and_grad(f, tuple(range(1, len(arrays))))(*arrays)
        return [value, *gradients]

    weights = [0.3 * some(*s) for s in [(16, 3, 3, 3), (16, 16, 3, 3), (16, 16, 1, 1)]]
    labels = numpy.array([1, 0, 2, 1], "float32")
    arrays = labels, some(4, 3, 6, 6), *weights, some(16), some(16), some(16, 3), some(3)
    found = as_program(all_of, arrays, shared)
    expected = all_of(*[np.array(a.astype("float64")) for a in arrays])
    for a, e in zip(found, [e.asnumpy() for e in expected], strict=True):
        numpy.testing.assert_allclose(a, e, rtol=1e-3, atol=1e-4 * max(1.0, numpy.abs(e).max()))


FOLDED = {
    "with biases": ((4, 8, 3, 3), True, {"pad": 1}),
    "without biases": ((4, 8, 3, 3), False, {}),
    "in groups": ((16, 4, 3, 3), True, {"groups": 2, "pad": 1}),
    "of each channel by itself": ((8, 1, 3, 3), False, {"groups": 8, "pad": 1}),
}


@pytest.mark.parametrize("function", [relu, lambda x: x])
@pytest.mark.parametrize("name", FOLDED)
def test_given_statistics_are_part_of_the_convolution_before_them(name, function, monkeypatch):
    shape, biased, options = FOLDED[name]
    filters = shape[0]
    x, w, b = some(3, 8, 9, 9), some(*shape), some(filters) if biased else None
    gamma, beta, mean = some(filters), some(filters), some(filters)
    var = some(filters) ** 2 + 0.1
    names = []
    emit = Program._emit_operation
    monkeypatch.setattr(
        Program, "_emit_operation", lambda self, o: (names.append(o.name), emit(self, o))[1]
    )

    def f(x, w, gamma, beta, mean, var, *b):
        y = conv(x, w, *b, **options)
        return function(batchnorm(y, gamma, beta, "test", running_mean=mean, running_var=var)[0])

    given = [x, w, gamma, beta, mean, var, *([] if b is None else [b])]
    (found,) = as_program(lambda *a: [f(*a)], given, False)
    expected = f(*[np.array(a.astype("float64")) for a in given]).asnumpy()
    numpy.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-4)
    assert "normalize" not in names
    assert names.count("convolution") == 1
    # Derivatives by the scale need what is normalized: nothing is folded, and all are right.
    check(f, *given[:2], gamma, beta, *given[4:])


def test_a_convolution_that_others_read_is_not_folded():
    x, w, gamma, beta, mean = some(2, 8, 6, 6), some(4, 8, 3, 3), some(4), some(4), some(4)

    def f(x, w):
        y = conv(x, w)
        normal = batchnorm(y, gamma, beta, "test", running_mean=mean, running_var=mean**2 + 1)[0]
        return normal * np.mean(y)

    check(f, x, w)


@pytest.mark.parametrize("axes", [(0, 2, 3, 1), (0, 3, 1, 2), (3, 2, 1, 0)])
def test_axes_in_another_order_before_and_after_a_convolution(axes, shared):
    back = tuple(numpy.argsort(axes))
    x = some(2, 16, 6, 5).transpose(back).copy()
    check(
        lambda x, w: np.transpose(relu(conv(np.transpose(x, axes), w)), axes) * 2.0,
        x,
        some(16, 16, 3, 3),
        shared=shared,
    )


def test_numbers_for_each_channel_and_sums_over_the_others(shared):
    def f(x, w, scale):
        y = conv(x, w)
        y = y * np.reshape(scale, (1, 16, 1, 1)) - np.mean(y, axis=(0, 2, 3), keepdims=True)
        return np.sum(y * y, axis=(0, 2))

    check(f, some(2, 16, 5, 5), some(16, 16, 3, 3), some(16), shared=shared, rtol=1e-4)


def build(channels_last):
    random.seed(0)
    told = {"data_format": "channels_last" if channels_last else "channels_first"}
    model = Sequential(
        [
            layers.Conv2D(16, 3, padding="same", use_bias=False, **told),
            layers.BatchNormalization(axis=-1 if channels_last else 1),
            layers.ReLU(),
            layers.MaxPooling2D(2, **told),
            layers.SeparableConv2D(16, 3, **told),
            layers.Dropout(0.2),
            layers.GlobalAveragePooling2D(**told),
            layers.Dense(5),
        ]
    )
    return model


@pytest.mark.parametrize("channels_last", [False, True])
def test_training_is_the_same_as_operation_by_operation(channels_last, monkeypatch):
    x, y = some(40, *((12, 12, 3) if channels_last else (3, 12, 12))), rng.integers(0, 5, 40)
    losses = {}
    for jit in (True, False):
        model = build(channels_last)
        model.compile("adam", minpy.losses.SparseCategoricalCrossentropy(from_logits=True), jit=jit)
        history = model.fit(x, y, batch_size=16, epochs=4, verbose=0, shuffle=False)
        losses[jit] = history.history["loss"], model.predict(x)
        if jit:
            replays = model._step._graphs.values()
            assert all(type(r).__name__ == "ProgramReplay" for r in replays)
    numpy.testing.assert_allclose(losses[True][0], losses[False][0], rtol=2e-4)
    numpy.testing.assert_allclose(losses[True][1], losses[False][1], rtol=2e-3, atol=2e-3)


def test_memory_is_used_again():
    def f(x, w):
        for _ in range(12):
            x = relu(conv(x, w, pad=1))
        return [x]

    arrays = some(4, 16, 16, 16), 0.1 * some(16, 16, 3, 3)
    with open_trace(ProgramTrace) as trace:
        given = [trace.input(np.array(a), a) for a in arrays]
        program = Program(trace, f(*given), [None])
    addresses = {
        k.ctypes.data for k in program._kept if isinstance(k, numpy.ndarray) and k.nbytes >= 65536
    }
    assert 2 <= len(addresses) <= 4


def test_objects_of_the_library_are_given_back():
    library = onednn.library()
    layout = library.strided((3, 4))
    destroyed = []
    original = layout._destroy
    layout._destroy = lambda handle: (destroyed.append(handle), original(handle))
    handle = layout.handle
    del layout
    assert destroyed == [handle]


def test_what_the_library_lacks_is_refused():
    library = onednn.library()
    with pytest.raises(onednn.Refused):
        library.recipe(
            "matmul",
            library.strided((2, 3)),
            library.strided((4, 5)),
            None,
            library.strided((2, 5)),
        )


def test_without_the_package_steps_are_graphs(monkeypatch):
    monkeypatch.setattr(onednn, "library", lambda: None)
    with open_trace(ProgramTrace) as trace:
        x = trace.input(np.array(some(2, 3, 8, 8)), some(2, 3, 8, 8))
        with pytest.raises(minpy.graph.trace.Untraceable, match="convolution has no instruction"):
            conv(x, np.array(some(4, 3, 3, 3)))


def test_a_library_that_is_none_is_no_library(tmp_path, monkeypatch):
    broken = tmp_path / "libdnnl.so.3"
    broken.write_bytes(b"not a library")
    monkeypatch.setattr(onednn, "_path", lambda: str(broken))
    onednn._loaded.cache_clear()
    try:
        assert onednn.library() is None
        monkeypatch.setattr(onednn, "_path", lambda: ctypes.util.find_library("m"))
        onednn._loaded.cache_clear()
        assert onednn.library() is None
    finally:
        monkeypatch.undo()
        onednn._loaded.cache_clear()
    assert onednn.library() is not None


@pytest.mark.parametrize("masked", [False, True])
def test_attention_over_heads(masked, shared):
    mask = numpy.tri(6, 6, dtype="float32")[None, None] if masked else None
    arrays = [0.5 * some(3, 6, 4, 8) for _ in range(3)]
    check(lambda q, k, v: heads_attention(q, k, v, mask), *arrays, shared=shared, rtol=1e-4)


def test_attention_with_a_mask_that_is_computed(shared):
    def f(q, k, v, lengths):
        return heads_attention(q, k, v, np.reshape(lengths, (3, 1, 1, 6)) > 0)

    arrays = [*[0.5 * some(3, 6, 4, 8) for _ in range(3)], some(3, 6)]
    found = as_program(lambda *a: [f(*a)], arrays, shared)[0]
    expected = f(*[np.array(a.astype("float64")) for a in arrays]).asnumpy()
    numpy.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("centred", [False, True])
def test_normalization_of_rows(centred, shared):
    gamma, beta = some(12), some(12)
    if centred:
        check(lambda x, g, b: layer_norm(x, g, b), some(3, 5, 12), gamma, beta, shared=shared)
    else:
        check(lambda x, g: rms_norm(x, g), some(3, 5, 12), gamma, shared=shared)


@pytest.mark.parametrize("name", ["gelu", "silu", "elu", "leaky_relu", "softplus", "tanh"])
def test_activations_and_their_derivatives(name, shared):
    f = getattr(minpy.activations, name)
    check(lambda x: f(x), 2 * some(7, 9), shared=shared, rtol=5e-5)


def test_what_numpy_does_runs_between_two_parts(shared):
    def f(x, y):
        both = np.concatenate([x * 2.0, np.flip(y, 1)], axis=1)
        return np.cumsum(both[:, 1:5], axis=0) * np.sin(np.pad(x, ((0, 0), (1, 0))))

    check(f, some(4, 3), some(4, 5), shared=shared)


def test_a_result_of_another_shape_is_an_error():
    operation = minpy.primitives.Primitive(
        "first_positive", lambda x: x[: int((x > 0).sum())], arrays=1
    )
    memory = numpy.ones(4, "float32")
    with open_trace(ProgramTrace) as trace:
        x = trace.input(np.ones(4), memory)
        program = Program(trace, [operation(x) * 2.0], [None])
    program.run()
    memory[2:] = -1
    with pytest.raises(ValueError, match=r"first_positive.*jit=False"):
        program.run()


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
@pytest.mark.parametrize("sequences", [False, True])
def test_recurrences(kind, sequences, shared):
    layer = getattr(layers, kind)(5, return_sequences=sequences)
    layer.build((4, 6, 3))
    weights = [0.5 * some(*w.shape) for w in layer.weights]

    def f(x, h, *weights):
        with bound(layer.weights, list(weights)):
            states = [h] * (2 if kind == "LSTM" else 1)
            return layer(x, initial_state=states)

    check(f, some(4, 6, 3), some(4, 5), *weights, shared=shared, rtol=1e-4)


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "relu"])
def test_layers_that_end_with_a_function(name, shared):
    f = getattr(minpy.activations, name)
    check(lambda x, w, b: f(affine(x, w, b)), some(9, 7), some(7, 5), some(5), shared=shared)
    check(
        lambda x, w, b: f(affine(x, w, b)) + affine(x, w, b),
        *(some(9, 7), some(7, 5), some(5)),
        shared=shared,
    )
    check(lambda x, w: f(conv(x, w)), some(2, 16, 5, 5), some(16, 16, 3, 3), shared=shared)


def test_factors_that_are_one_number(shared):
    def f(x):
        return 3.0 * (x * np.full((6, 5), 0.5)) * 2.0 + np.mean((x - 1.0) ** 2)

    check(f, some(6, 5), shared=shared)


def test_an_input_is_read_where_it_lies(shared):
    def f(x, w):
        return [relu(conv(np.reshape(x, (2, 16, 6, 6)), w)), x * 2.0]

    x, w = some(2, 16 * 36), some(16, 16, 3, 3)
    own = numpy.zeros_like(x)
    with open_trace(ProgramTrace) as trace:
        given = [trace.input(np.array(x), own), trace.input(np.array(w), w)]
        program = Program(trace, f(*given), [None, None], shared)
    assert program.reads_anywhere(own)
    for other in (x, some(2, 16 * 36), own):
        program.read_from(own, other.ctypes.data)
        program.run()
        for found, expected in zip(program.results, f(np.array(other), np.array(w)), strict=True):
            numpy.testing.assert_allclose(found, expected.asnumpy(), rtol=1e-4, atol=1e-4)
    with open_trace(ProgramTrace) as trace:
        given = trace.input(np.array(x), own)
        program = Program(trace, [np.cumsum(given, axis=0), given], [None, None], shared)
    assert not program.reads_anywhere(own)  # NumPy has it, and it is a result


def test_batches_of_any_memory_train_alike():
    x, y = some(2000, 64), some(2000, 3)
    orders = {"rows": x, "columns": numpy.asfortranarray(x), "double": x.astype("float64")}
    losses = {}
    for name, given in orders.items():
        random.seed(0)
        model = Sequential([layers.Dense(64, activation="tanh"), layers.Dense(3)])
        model.compile("sgd", "mse")
        losses[name] = [model.train_on_batch(given[i::2], y[i::2]) for i in (0, 1)]
        losses[name] += model.fit(given, y, 1000, epochs=2, verbose=0).history["loss"]
    assert losses["rows"] == losses["columns"] == losses["double"]


def test_models_in_threads_of_their_own_train_to_the_bits_of_each_alone():
    x = numpy.random.RandomState(0).randn(96, 1, 12, 12).astype("float32")
    y = numpy.random.RandomState(1).randint(0, 10, 96)

    def built(seed):
        random.seed(seed)
        hidden = [Conv2D(8, 3, activation="relu"), MaxPooling2D(2), Dropout(0.3), Flatten()]
        model = Sequential([*hidden, Dense(64, "relu"), Dense(10)])
        model.compile("adam", SparseCategoricalCrossentropy(from_logits=True))
        model.predict(x[:32], verbose=0)
        model.train_on_batch(x[:32], y[:32])  # chooses the seed of its own
        return model

    def train(model):
        model.fit(x, y, epochs=4, batch_size=32, shuffle=False, verbose=0)

    alone = [built(seed) for seed in (1, 2)]
    for model in alone:
        train(model)
    together = [built(seed) for seed in (1, 2)]
    threads = [threading.Thread(target=train, args=(model,)) for model in together]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for a, b in zip(alone, together, strict=True):
        assert b.jit_status == "compiled"
        for u, v in zip(a.get_weights(), b.get_weights(), strict=True):
            numpy.testing.assert_array_equal(u, v)


def test_the_work_of_images_is_counted_as_what_it_is():
    weights = np.ones((8, 3, 3, 3), dtype="float32")

    def work(step):
        with open_trace(ProgramTrace) as trace:
            x = trace.input(np.ones((2, 3, 10, 10), dtype="float32"), aligned((2, 3, 10, 10)))
            step(x)
            return trace.work

    def slope(function):
        return lambda x: autograd.grad(lambda y: np.sum(function(y)))(x)

    products = 2 * 8 * 8 * 8 * 3 * 9
    assert work(lambda x: conv(x, weights)) == products
    assert products < work(lambda x: max_pool(conv(x, weights), 2)) < 1.1 * products
    # Back, a convolution takes as many for the images (and for the weights, if they are wanted).
    assert 2 * products < work(slope(lambda x: max_pool(conv(x, weights), 2))) < 3.3 * products
