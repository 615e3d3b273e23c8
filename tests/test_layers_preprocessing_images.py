"""Image layers: Keras' numbers, random changes that follow from seed and step, compiled models."""

from __future__ import annotations

import json
import pathlib

import numpy
import pytest
from keras_convolutional import numbers

import minpy
from minpy import layers, random, runtime
from minpy.autograd import make_vjp
from minpy.errors import ShapeError
from minpy.layers import serialization
from minpy.layers.functions import sampling
from minpy.layers.functions.sampling import FILL_MODES, sampled
from minpy.models import Sequential, load_model
from minpy.optimizers import SGD
from minpy.policy import use_policy

EXPECTED = json.loads(pathlib.Path(__file__).with_name("keras_preprocessing.json").read_text())
CASES = EXPECTED["images"]
NAMES = [f"{c['kind']}-{i}" for i, c in enumerate(CASES)]


def array(stored):
    return numpy.array(stored["values"], "float32").reshape(stored["shape"])


def made(case):
    return getattr(layers, case["kind"])(**case["settings"])


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_images_are_those_of_keras(case):
    layer, expected = made(case), array(case["output"])
    x = numbers(case["shape"], seed=1)
    assert layer.compute_output_shape(x.shape) == expected.shape
    found = numpy.asarray(layer(x, training=True))
    numpy.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_configurations_make_equal_layers(case):
    layer = made(case)
    again = serialization.deserialize(json.loads(json.dumps(serialization.serialize(layer))))
    assert again.get_config() == layer.get_config()


# --- random changes -------------------------------------------------------------------------------

RANDOM = {
    "flip": lambda **k: layers.RandomFlip(**k),
    "flip vertical": lambda **k: layers.RandomFlip("vertical", **k),
    "rotation": lambda **k: layers.RandomRotation(0.2, **k),
    "rotation wrap": lambda **k: layers.RandomRotation(0.2, fill_mode="wrap", **k),
    "rotation nearest": lambda **k: layers.RandomRotation(0.2, interpolation="nearest", **k),
    "zoom": lambda **k: layers.RandomZoom(0.3, (-0.2, 0.4), fill_mode="nearest", **k),
    "translation": lambda **k: layers.RandomTranslation(
        0.4, 0.6, fill_mode="constant", fill_value=0.3, **k
    ),
    "crop": lambda **k: layers.RandomCrop(4, 5, **k),
    "contrast": lambda **k: layers.RandomContrast(0.5, (-1, 1), **k),
    "brightness": lambda **k: layers.RandomBrightness(0.5, (-1, 1), **k),
}


@pytest.fixture(params=RANDOM, ids=list(RANDOM))
def make(request):
    return RANDOM[request.param]


def test_draws_follow_from_seed_and_step(make):
    layer, x = make(), numbers((6, 2, 7, 8))

    def at(seed, step):
        with random.scope(seed, step):
            return numpy.asarray(layer(x, training=True))

    numpy.testing.assert_array_equal(at(1, 5), at(1, 5))
    assert (at(1, 5) != at(1, 6)).any()
    assert (at(1, 5) != at(2, 5)).any()


def test_a_layer_with_a_seed_repeats_itself_from_the_first_call_on(make):
    x = numbers((6, 2, 7, 8))
    first, again = make(seed=4), make(seed=4)
    a = [numpy.asarray(first(x, training=True)) for _ in range(3)]
    b = [numpy.asarray(again(x, training=True)) for _ in range(3)]
    numpy.testing.assert_array_equal(a, b)
    assert (a[0] != a[1]).any() or (a[1] != a[2]).any()


def test_nothing_changes_at_test_time(make):
    x = numbers((6, 2, 7, 8))
    layer = make()
    found = numpy.asarray(layer(x, training=False))
    if isinstance(layer, layers.RandomCrop):
        assert found.shape == (6, 2, 4, 5)
    else:
        numpy.testing.assert_array_equal(found, x)
        numpy.testing.assert_array_equal(Sequential([make()]).predict(x, verbose=0), x)


def test_images_change_where_nobody_says_that_this_is_no_training(make):
    # as in Keras: augmenting a data set, looking at what a layer does
    x = numbers((6, 2, 7, 8))
    with random.scope(1, 0):
        wanted = numpy.asarray(make()(x, training=True))
    for layer in (make(), Sequential([make()])):
        with random.scope(1, 0):
            numpy.testing.assert_array_equal(numpy.asarray(layer(x)), wanted)


def test_images_differ_from_one_another_and_layouts_agree(make):
    x = numpy.broadcast_to(numbers((1, 2, 7, 8)), (6, 2, 7, 8))
    with random.scope(3, 0):
        first = numpy.asarray(make()(x, training=True))
    if not isinstance(make(), layers.RandomCrop):  # that is the same for a batch, as in Keras
        assert any((first[0] != image).any() for image in first[1:])
    with random.scope(3, 0):
        last = make(data_format="channels_last")(x.transpose(0, 2, 3, 1), training=True)
    numpy.testing.assert_array_equal(numpy.asarray(last).transpose(0, 3, 1, 2), first)


@pytest.mark.skipif(not runtime.available(), reason="graphs are MXNet's")
def test_training_with_random_images_compiles_and_is_that_of_eager_steps(make, tmp_path):
    x, y = numbers((8, 2, 7, 8), seed=1), numbers((8, 1), seed=2)

    def run(jit):
        minpy.random.seed(5)
        # A convolution in front, so that gradients go through the changes.
        model = Sequential(
            [layers.Conv2D(2, 3, padding="same"), make(), layers.Flatten(), layers.Dense(1)]
        )
        model.compile(SGD(0.01), "mse", jit=jit)
        return model.fit(x, y, 4, 4, verbose=0).history["loss"], model

    eager, _ = run(False)
    compiled, model = run("auto")
    assert model.jit_status == "compiled"
    numpy.testing.assert_allclose(compiled, eager, rtol=2e-4)
    model.save(tmp_path / "model.h5")
    again = load_model(tmp_path / "model.h5")
    numpy.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize("method", ["nearest", "bilinear"])
@pytest.mark.parametrize("mode", FILL_MODES)
def test_the_gradient_of_sampling_is_its_transpose(mode, method):
    x = minpy.numpy.array(numbers((2, 3, 4, 5)).astype("float64"))
    rows, columns = (numbers((2, 3, 6), seed, -6.0, 10.0).astype("float64") for seed in (3, 4))
    vjp, y = make_vjp(lambda x: sampled(x, rows, columns, mode, method, 0.0))(x)
    g = numbers(y.shape, seed=5).astype("float64")
    back = numpy.asarray(vjp(minpy.numpy.array(g)))
    assert numpy.isclose((numpy.asarray(y) * g).sum(), (back * numpy.asarray(x)).sum())


@pytest.mark.skipif(not runtime.available(), reason="MXNet's sampler")
@pytest.mark.parametrize("method", ["nearest", "bilinear"])
@pytest.mark.parametrize("mode", FILL_MODES)
def test_mxnet_samples_as_numpy_does_far_beyond_the_edges(mode, method):
    x = minpy.numpy.array(numbers((2, 3, 4, 5)))
    rows, columns = (minpy.numpy.array(numbers((2, 3, 6), s, -20.0, 30.0)) for s in (3, 4))
    expected = sampled(x, rows, columns, mode, method, 0.25)
    with use_policy("only_mxnet"):
        found = sampled(x, rows, columns, mode, method, 0.25)
    numpy.testing.assert_allclose(
        numpy.asarray(found), numpy.asarray(expected), rtol=1e-4, atol=2e-5
    )


def test_a_crop_is_a_part_of_the_image_and_reaches_every_place():
    x = numpy.arange(30, dtype="float32").reshape(1, 1, 5, 6)
    layer = layers.RandomCrop(4, 4, seed=0)
    seen = set()
    for _ in range(60):
        found = numpy.asarray(layer(x, training=True))[0, 0]
        top, left = divmod(int(found[0, 0]), 6)
        numpy.testing.assert_array_equal(found, x[0, 0, top : top + 4, left : left + 4])
        seen.add((top, left))
    assert seen == {(top, left) for top in range(2) for left in range(3)}


def test_contrast_is_drawn_from_both_sides_of_one():
    layer = layers.RandomContrast((0.5, 0.25), (-9, 9), seed=0)
    x = numpy.array([[[[-1.0, 1.0]]]] * 500, "float32")
    found = numpy.asarray(layer(x, training=True))[:, 0, 0, 1]
    assert 0.5 <= found.min() < 0.55
    assert 1.2 < found.max() <= 1.25


def test_flips_are_made_for_half_of_the_images():
    x = numpy.broadcast_to(numpy.array([1.0, 2.0], "float32"), (2000, 1, 1, 2))
    found = numpy.asarray(layers.RandomFlip("horizontal", seed=1)(x, training=True))
    assert 0.45 < (found[:, 0, 0, 0] == 2).mean() < 0.55


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: layers.RandomFlip("left"), ValueError, "mode: expected 'horizontal'"),
        (lambda: layers.RandomRotation(2.0), ValueError, "expected a number from -1 to 1"),
        (lambda: layers.RandomRotation(0.1, "mirror"), ValueError, "fill_mode: expected"),
        (lambda: layers.RandomZoom(-1.0), ValueError, "height_factor: expected a number"),
        (lambda: layers.RandomContrast(1.5), ValueError, "expected a factor from 0 to 1"),
        (lambda: layers.RandomBrightness(0.1, (1, 0)), ValueError, "expected a value_range"),
        (lambda: layers.RandomCrop(0, 3), ValueError, "height: expected a positive integer"),
        (lambda: layers.Resizing(3, 3, "cubic"), ValueError, "interpolation: expected"),
        (
            lambda: layers.Resizing(3, 3, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True),
            ValueError,
            "not both",
        ),
        (lambda: layers.Resizing(3, 3)(numpy.ones((4, 4))), ShapeError, "expected images of shape"),
        (
            lambda: layers.RandomFlip()(numpy.ones((1, 1, 1, 4, 4)), training=True),
            ShapeError,
            "or one without the batch axis",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("fill", [0.0, 0.25])
@pytest.mark.parametrize("method", ["nearest", "bilinear"])
@pytest.mark.parametrize("mode", FILL_MODES)
def test_the_compiled_loop_samples_what_numpy_does(mode, method, fill, monkeypatch):
    rng = numpy.random.default_rng(0)
    x = numbers((3, 2, 9, 7)).astype("float32")
    rows, columns = (
        rng.uniform(-1.5 * n, 2.5 * n, (3, 8, 6)).astype("float32") for n in x.shape[2:]
    )
    rows[0, 0, :3] = [0.0, 8.0, 8.5]  # at the edges
    found = []
    for places in (10**9, 1):
        monkeypatch.setattr(sampling, "_WORTH_A_LOOP", places)
        found.append(sampling._sampled(x, rows, columns, mode, method, fill))
    numpy.testing.assert_allclose(*found, rtol=1e-5, atol=1e-6)
