"""``minpy.ops`` gives what ``keras.ops`` gives, eagerly, in graphs and on symbolic tensors."""

from __future__ import annotations

import json
import pathlib

import keras_ops
import numpy
import pytest
from keras_layer_values import numbers
from keras_ops import CALLS, X, filled, flat

import minpy
import minpy.numpy as np
from minpy import ops
from minpy.autograd import grad
from minpy.errors import ShapeError
from minpy.layers import Dense, Input, Layer
from minpy.models import Functional, Model, Sequential, load_model

RNG = numpy.random.RandomState(11)

STORED = json.loads(pathlib.Path(keras_ops.__file__).with_suffix(".json").read_text())["cases"]
IDS = [f"{i}-{name}" for i, (name, _, _) in enumerate(CALLS)]


def close(found, stored):
    expected = numpy.array(stored["values"]).reshape(stored["shape"])
    numpy.testing.assert_allclose(
        found, expected, rtol=2e-5, atol=2e-5 * max(1.0, abs(expected).max(initial=0))
    )


def arguments(args, options):
    return [filled(a) for a in args], {key: filled(value) for key, value in options.items()}


@pytest.mark.parametrize("number", range(len(CALLS)), ids=IDS)
def test_values_and_gradients_are_those_of_keras(number):
    name, args, options = CALLS[number]
    function = getattr(ops, name)
    args, options = arguments(args, options)
    found = flat(function(*args, **options))
    for part, stored in zip(found, STORED[number]["outputs"], strict=True):
        close(part, stored)
    if "gradient" in STORED[number]:

        def total(x):
            made = function(x, *args[1:], **options)
            made = made[0] if isinstance(made, tuple | list) else made
            return np.sum(made * np.array(numbers(made.shape, seed=9)))

        close(grad(total)(np.array(args[0])).asnumpy(), STORED[number]["gradient"])


def test_every_name_is_there_and_is_a_function():
    assert len(ops.__all__) > 280
    for name in ops.__all__:
        value = getattr(ops, name)
        assert callable(value) or all(callable(getattr(value, n)) for n in value.__all__), name


def test_loops_and_branches_are_differentiated_through():
    def power(x):
        return ops.fori_loop(0, 3, lambda i, value: value * x, x)

    assert float(grad(power)(np.array(2.0))) == 32.0
    assert float(grad(lambda x: ops.cond(x > 1, lambda: x * x, lambda: x))(np.array(3.0))) == 6.0
    doubled = ops.while_loop(lambda i, x: i < 5, lambda i, x: (i + 1, x * 2), (0, np.array(1.0)))
    assert float(doubled[1]) == 32.0
    assert ops.while_loop(lambda i: i < 5, lambda i: i + 1, 0, maximum_iterations=3) == 3
    assert ops.switch(7, [lambda x: x, lambda x: -x], 2) == -2
    xs = np.arange(6.0).reshape(3, 2)
    for reverse in (False, True):
        last, sums = ops.scan(lambda c, x: (c + x, c), np.zeros(2), xs, reverse=reverse)
        assert last.tolist() == [6.0, 9.0]
        assert sums.tolist()[1] == ([4.0, 5.0] if reverse else [0.0, 1.0])
    assert ops.vectorized_map(lambda p: p[0] + p[1], (xs, xs)).tolist() == (2 * xs).tolist()
    with pytest.raises(ValueError, match="arrays of one length"):
        ops.map(lambda x: x, (xs, xs[:2]))


def test_conversions():
    x = ops.convert_to_tensor([1, 2], "float32")
    assert ops.is_tensor(x)
    assert not ops.is_tensor([1])
    assert ops.shape(x) == (2,)
    assert ops.dtype(x) == "float32"
    assert type(ops.convert_to_numpy(x)) is numpy.ndarray
    assert ops.cast(x, "int32").dtype == numpy.int32
    assert ops.saturate_cast([300.0, -5.0, 7.6], "uint8").tolist() == [255, 0, 7]
    assert ops.saturate_cast(np.array([1e12, -1e12]), "int32").tolist() == [2147483520, -(2**31)]
    assert float(grad(lambda x: x * ops.stop_gradient(x))(np.array(3.0))) == 3.0


class Standardized(Layer):
    """A layer of one's own, written with operations."""

    def build(self, input_shape):
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="scale")

    def call(self, x):
        mean, variance = ops.moments(x, axes=[-1], keepdims=True)
        return ops.relu(self.scale * (x - mean) * ops.rsqrt(variance + 1e-3))


def test_a_layer_written_with_operations_trains_compiled_as_eagerly():
    x = numpy.linspace(-1, 1, 24, dtype="float32").reshape(8, 3) ** 2
    losses = {}
    for jit in (False, "auto"):
        model = Sequential([Standardized(), Dense(1, kernel_initializer="ones")])
        model.compile("sgd", "mse", jit=jit)
        losses[jit] = model.fit(x, x[:, :1], epochs=3, shuffle=False, verbose=0).history["loss"]
    numpy.testing.assert_allclose(losses[False], losses["auto"], rtol=1e-5)
    assert model.jit_status == "compiled" or "mxnet" in model.jit_status


def test_operations_on_symbolic_tensors_are_parts_of_models(tmp_path):
    x = Input((6,))
    first = ops.softmax(ops.relu(x), axis=-1)
    values, places = ops.top_k(first, 2)
    y = ops.concatenate([ops.sum(values, axis=1, keepdims=True), ops.mean(x, 1, True)], axis=1)
    model = Model(x, [Dense(2)(y), ops.one_hot(places, 6), ops.unstack(x, axis=1)[2]])
    data = numbers((4, 6))
    outputs = model(np.array(data))
    assert [ops.shape(t)[1:] for t in model.outputs] == [o.shape[1:] for o in outputs]
    kept = numpy.maximum(data, 0)
    parts = numpy.exp(kept) / numpy.exp(kept).sum(1, keepdims=True)
    order = numpy.argsort(-parts, 1, kind="stable")[:, :2]
    numpy.testing.assert_array_equal(outputs[1].asnumpy().argmax(-1), order)
    numpy.testing.assert_array_equal(outputs[2].asnumpy(), data[:, 2])
    text = json.dumps(model.get_config())
    assert json.dumps(Functional.from_config(json.loads(text)).get_config()) == text
    model.save(tmp_path / "a.h5")
    again = load_model(tmp_path / "a.h5")(np.array(data))
    for a, b in zip(outputs, again, strict=True):
        numpy.testing.assert_array_equal(a.asnumpy(), b.asnumpy())


def test_a_file_finds_only_what_computes():
    from minpy.layers.core.operation import Operation

    for name in ("ops.map", "ops.convert_to_numpy", "ops.nothing", "ops.arrays"):
        with pytest.raises(ValueError, match="unknown operation"):
            Operation(name)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ops.top_k(np.ones(3), 4), "k from 0 to 3"),
        (lambda: ops.one_hot([1], 3, sparse=True), "dense"),
        (lambda: ops.convert_to_tensor([1], ragged=True), "dense"),
        (lambda: ops.normalize([1.0], order=0), "order from 1"),
        (lambda: ops.slice(np.ones((2, 2)), (0,), (1, 1)), "one start and one length"),
        (lambda: ops.scatter([0], [1.0], (3,)), "indices"),
        (lambda: ops.scatter_update(np.ones(3), [[0]], [1.0], "mul"), "reduction"),
        (lambda: ops.segment_sum(np.ones(3), [0]), "one number for each of 3 parts"),
        (lambda: ops.conv(np.ones((1, 4, 4)), np.ones((3, 3, 2))), "make groups"),
        (lambda: ops.conv(np.ones((1, 4, 4)), np.ones((3, 4))), "kernel of 3 axes"),
        (lambda: ops.binary_crossentropy([1.0], [[1.0]]), "target of the output's shape"),
        (lambda: ops.dot_product_attention(*[np.ones((1, 2, 3))] * 3), "heads"),
        (lambda: ops.dot_product_attention(*[None] * 3, flash_attention=True), "flash"),
    ],
)
def test_what_is_wrong_is_said(call, words):
    with pytest.raises((ValueError, ShapeError), match=words):
        call()
    assert X(2).made().shape == (2,)


def test_patches_are_the_windows_row_by_row_with_channels_last():
    x = RNG.rand(2, 5, 6, 3).astype("float32")
    for size, strides, rate in (((2, 3), None, 1), (2, (1, 2), 1), (2, 1, 2)):
        found = numpy.asarray(
            ops.image.extract_patches(x, size, strides, rate, data_format="channels_last")
        )
        kh, kw = (size, size) if isinstance(size, int) else size
        sh, sw = (kh, kw) if strides is None else numpy.broadcast_to(strides, 2)
        for i in range(found.shape[1]):
            for j in range(found.shape[2]):
                rows = slice(i * sh, i * sh + (kh - 1) * rate + 1, rate)
                columns = slice(j * sw, j * sw + (kw - 1) * rate + 1, rate)
                numpy.testing.assert_array_equal(found[:, i, j], x[:, rows, columns].reshape(2, -1))
    first = numpy.moveaxis(x, -1, 1)
    for padding in ("valid", "same"):
        last = ops.image.extract_patches(x, 2, 2, padding=padding, data_format="channels_last")
        other = ops.image.extract_patches(
            first, 2, 2, padding=padding, data_format="channels_first"
        )
        numpy.testing.assert_array_equal(numpy.moveaxis(numpy.asarray(other), 1, -1), last)
        assert last.shape[1] == (2 if padding == "valid" else 3)


def test_images_are_resized_as_the_layer_does_padded_and_cropped_back():
    x = RNG.rand(2, 5, 6, 3).astype("float32")
    layer = minpy.layers.Resizing(7, 4, data_format="channels_last")
    found = ops.image.resize(x, (7, 4), data_format="channels_last")
    numpy.testing.assert_allclose(found, layer(x), rtol=1e-6)
    padded = ops.image.pad_images(
        x, 1, 2, target_height=9, target_width=10, data_format="channels_last"
    )
    assert padded.shape == (2, 9, 10, 3)
    back = ops.image.crop_images(
        padded, 1, 2, target_height=5, target_width=6, data_format="channels_last"
    )
    numpy.testing.assert_array_equal(back, x)
    with pytest.raises(ValueError, match="expected two of top, bottom and height"):
        ops.image.pad_images(x, 1, 1, 1, 1, target_height=9, data_format="channels_last")
    gray = ops.image.rgb_to_grayscale(x, "channels_last")
    numpy.testing.assert_allclose(gray[..., 0], x @ [0.2989, 0.587, 0.114], rtol=1e-6)


def test_operations_of_modules_are_found_again_in_saved_models(tmp_path):
    inputs = minpy.Input((3, 4, 4))
    patches = ops.image.extract_patches(ops.nn.relu(inputs), 2, data_format="channels_first")
    model = minpy.Model(inputs, patches)
    model.save(tmp_path / "model.h5")
    x = RNG.randn(2, 3, 4, 4)
    numpy.testing.assert_array_equal(minpy.saving.load_model(tmp_path / "model.h5")(x), model(x))


@pytest.mark.parametrize("mask_index", [0, 2])
def test_the_ctc_loss_sums_over_all_alignments_of_what_counts(mask_index):
    import itertools

    logits = RNG.randn(3, 4, 3).astype("float32")
    logs = logits - numpy.log(numpy.exp(logits).sum(-1, keepdims=True))
    one, other = (c for c in range(3) if c != mask_index)
    targets = numpy.array([[one, other], [one, one], [other, 0]])
    lengths, steps = [2, 2, 1], [4, 3, 2]
    found = ops.ctc_loss(targets, logits, lengths, steps, mask_index)
    for i in range(3):
        total = 0.0
        for path in itertools.product(range(3), repeat=steps[i]):
            said = [c for c, _ in itertools.groupby(path) if c != mask_index]
            if said == list(targets[i][: lengths[i]]):
                total += numpy.exp(sum(logs[i, t, c] for t, c in enumerate(path)))
        assert float(found[i]) == pytest.approx(-numpy.log(total), rel=1e-5)


def test_the_likeliest_labels_end_in_minus_ones():
    scores = numpy.eye(4)[[[1, 1, 0, 1, 3], [2, 0, 0, 2, 2]]]
    labels, total = ops.ctc_decode(scores, [5, 4])
    numpy.testing.assert_array_equal(labels[0], [[1, 1, 3, -1, -1], [2, 2, -1, -1, -1]])
    numpy.testing.assert_array_equal(total, [[-5], [-4]])
    labels, _ = ops.ctc_decode(scores, [5, 4], merge_repeated=False, mask_index=2)
    numpy.testing.assert_array_equal(labels[0], [[1, 1, 0, 1, 3], [0, 0, -1, -1, -1]])


def test_a_transposed_convolution_is_the_gradient_of_the_convolution():
    x = RNG.rand(2, 4, 5, 3).astype("float32")
    kernel = RNG.rand(3, 2, 6, 3).astype("float32")  # filters, then channels
    y = ops.conv_transpose(x, kernel, 2, "same", data_format="channels_last")
    assert y.shape == (2, 8, 10, 6)
    g = minpy.grad(
        lambda a: ops.sum(ops.conv(a, kernel, 2, "same", data_format="channels_last") * x)
    )(ops.zeros((2, 8, 10, 6)))
    numpy.testing.assert_allclose(y, g, rtol=1e-5)


def test_fourier_transforms_take_and_return_pairs():
    z = RNG.randn(2, 3, 4) + 1j * RNG.randn(2, 3, 4)
    pair = (z.real, z.imag)
    for name in ("fft", "fft2", "ifft2"):
        real, imaginary = getattr(ops, name)(pair)
        wanted = getattr(numpy.fft, name)(z)
        numpy.testing.assert_allclose(numpy.asarray(real) + 1j * numpy.asarray(imaginary), wanted)
    numpy.testing.assert_allclose(ops.irfft(ops.rfft(z.real)), z.real, atol=1e-12)
    with pytest.raises(ShapeError, match=r"expected a pair"):
        ops.fft(z.real[0, 0])


def test_a_gradient_written_down_is_used_for_each_argument():
    @ops.custom_gradient
    def product(x, y):
        def grad(*args, upstream=None):
            return upstream * y * 10, upstream * x

        return x * y, grad

    a, b = ops.array([1.0, 2.0]), ops.array([3.0, 4.0])
    numpy.testing.assert_array_equal(product(a, b), [3, 8])
    found = minpy.grad(lambda x, y: ops.sum(product(x, y)), argnum=[0, 1])(a, b)
    numpy.testing.assert_array_equal(found[0], [30, 40])
    numpy.testing.assert_array_equal(found[1], [1, 2])


def test_axes_are_lists_too():
    x = RNG.rand(2, 3, 4)
    numpy.testing.assert_allclose(ops.sum(x, axis=[1, 2]), x.sum((1, 2)))
    numpy.testing.assert_allclose(ops.std(x, axis=[0, -1]), x.std((0, -1)))


def test_a_triangular_system_is_solved():
    a, b = numpy.tril(RNG.rand(3, 3)) + numpy.eye(3), RNG.rand(3, 2)
    numpy.testing.assert_allclose(a @ ops.linalg.solve_triangular(a, b, lower=True), b)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_blocks_of_pixels_become_channels_and_come_back(data_format):
    x = RNG.rand(2, 4, 6, 3).astype("float32")
    given = x if data_format == "channels_last" else numpy.moveaxis(x, -1, 1)
    deep = numpy.asarray(ops.space_to_depth(given, 2, data_format))
    seen = deep if data_format == "channels_last" else numpy.moveaxis(deep, 1, -1)
    numpy.testing.assert_array_equal(seen[:, 1, 2], x[:, 2:4, 4:6].reshape(2, -1))
    numpy.testing.assert_array_equal(ops.depth_to_space(deep, 2, data_format), given)
    with pytest.raises(ShapeError, match="don't make blocks"):
        ops.depth_to_space(given, 2, data_format)
