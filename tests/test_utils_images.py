"""Images between files, Pillow and arrays, and Keras' draws and functions of a session."""

from __future__ import annotations

import random as python_random

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy import random, utils
from minpy.errors import ShapeError
from minpy.layers import Dense, Input, Layer
from minpy.models import Sequential

Image = pytest.importorskip("PIL.Image")

RAMP = numpy.arange(4 * 6 * 3, dtype="float32").reshape(4, 6, 3)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("layout", ["channels_first", "channels_last"])
def test_an_array_becomes_an_image_and_comes_back(channels, layout):
    x = numpy.random.default_rng(0).integers(0, 256, (4, 6, channels)).astype("float32")
    given = x.transpose(2, 0, 1) if layout == "channels_first" else x
    img = utils.array_to_img(np.array(given), layout, scale=False)
    assert img.size == (6, 4)
    numpy.testing.assert_array_equal(utils.img_to_array(img, layout), given)


def test_scaling_goes_from_black_to_white():
    img = utils.array_to_img(RAMP - 7, "channels_last")
    found = utils.img_to_array(img, "channels_last", "uint8")
    numpy.testing.assert_array_equal(found, (RAMP / RAMP.max() * 255).astype("uint8"))


def test_files_are_written_and_read(tmp_path):
    x = numpy.random.default_rng(1).integers(0, 256, (10, 20, 3)).astype("uint8")
    path = tmp_path / "a.png"
    utils.save_img(path, x, "channels_last", scale=False)
    whole = utils.load_img(path)
    numpy.testing.assert_array_equal(numpy.asarray(whole), x)
    assert utils.load_img(path, "grayscale").mode == "L"
    small = utils.load_img(path, target_size=(5, 5), interpolation="box")
    expected = Image.fromarray(x).resize((5, 5), Image.Resampling.BOX)
    numpy.testing.assert_array_equal(numpy.asarray(small), numpy.asarray(expected))
    middle = utils.load_img(path, target_size=(10, 10), keep_aspect_ratio=True)
    numpy.testing.assert_array_equal(numpy.asarray(middle), x[:, 5:15])
    with open(path, "rb") as file:
        assert utils.load_img(file).size == (20, 10)
    clear = numpy.concatenate([x, x[:, :, :1]], 2)
    utils.save_img(tmp_path / "b.jpg", clear, "channels_last", scale=False)
    assert utils.load_img(tmp_path / "b.jpg").mode == "RGB"


def test_a_smart_resize_cuts_and_does_not_stretch():
    x = numpy.random.default_rng(2).random((2, 8, 16, 3)).astype("float32")
    found = utils.smart_resize(x, (4, 4))
    assert type(found) is numpy.ndarray
    part = x[:, :, 4:12]
    # halving by bilinear weights is the mean of each two by two
    expected = part.reshape(2, 4, 2, 4, 2, 3).mean((2, 4))
    numpy.testing.assert_allclose(found, expected, rtol=1e-5)
    one = utils.smart_resize(
        np.array(x[0].transpose(2, 0, 1)), (4, 4), data_format="channels_first"
    )
    numpy.testing.assert_allclose(one.asnumpy().transpose(1, 2, 0), expected[0], rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: utils.array_to_img(numpy.zeros((2, 2))), ShapeError, "three axes"),
        (lambda: utils.array_to_img(numpy.zeros((5, 2, 2))), ShapeError, "1, 3 or 4 channels"),
        (lambda: utils.load_img("a.png", "rbg"), ValueError, "color_mode"),
        (lambda: utils.load_img("a.png", interpolation="cubic"), ValueError, "interpolation"),
        (lambda: utils.load_img(3), TypeError, "a path"),
        (lambda: utils.img_to_array(numpy.zeros(3)), ShapeError, "expected an image"),
        (lambda: utils.array_to_img(numpy.zeros((1, 2, 2)), "first"), ValueError, "data_format"),
        (lambda: utils.smart_resize(RAMP, 3), ValueError, "height, width"),
        (lambda: utils.set_random_seed(-1), ValueError, "from 0"),
        (lambda: utils.get_source_inputs(3), ValueError, "symbolic"),
        (lambda: random.randint((2,), 3, 3), ValueError, "minval < maxval"),
        (lambda: random.randint((2,), 0, 3, "float32"), ValueError, "integer dtype"),
        (lambda: random.gamma((2,), -1.0), ValueError, "above 0"),
        (lambda: random.binomial((2,), 3, 1.5), ValueError, "from 0 to 1"),
        (lambda: random.categorical([1.0], 2), ShapeError, "batch, classes"),
        (lambda: random.dropout(np.ones(2), 1.5), ValueError, "rate"),
        (lambda: random.SeedGenerator(-1), ValueError, "from 0"),
    ],
)
def test_what_is_wrong_is_said(call, error, words):
    with pytest.raises(error, match=words):
        call()


# --- draws ----------------------------------------------------------------------------------------

COUNT = 40_000
# Name → (arguments behind the shape, mean, deviation), in closed form.
MOMENTS = {
    "gamma": ((3.0,), 3.0, 3.0**0.5),
    "beta": ((2.0, 3.0), 0.4, 0.2),
    "binomial": ((10, 0.3), 3.0, 2.1**0.5),
    "randint": ((-2, 5), 1.0, 2.0),
    "truncated_normal": ((1.0, 2.0), 1.0, 2 * 0.8796256610342398),
}


@pytest.mark.parametrize("name", MOMENTS)
def test_draws_have_the_distributions_mean_and_deviation(name):
    arguments, mean, deviation = MOMENTS[name]
    drawn = getattr(random, name)((COUNT,), *arguments, seed=3).asnumpy().astype("float64")
    assert abs(drawn.mean() - mean) < 5 * deviation / COUNT**0.5
    assert abs(drawn.std() - deviation) < 0.02 * deviation


@pytest.mark.parametrize("name", MOMENTS)
def test_draws_are_functions_of_the_seed(name):
    def draw(**options):
        return getattr(random, name)((5, 2), *MOMENTS[name][0], **options).asnumpy()

    numpy.testing.assert_array_equal(draw(seed=4), draw(seed=4))
    assert (draw(seed=4) != draw(seed=5)).any()
    random.seed(2)
    first = [draw(), draw()]
    random.seed(2)
    for a, b in zip(first, [draw(), draw()], strict=True):
        numpy.testing.assert_array_equal(a, b)
    assert (first[0] != first[1]).any()
    kept = random.SeedGenerator(4)
    assert (draw(seed=kept) != draw(seed=kept)).any()


def test_classes_are_drawn_with_softmax_probabilities():
    logits = numpy.log([[1.0, 2.0, 5.0], [1.0, 1.0, 0.5]])
    drawn = random.categorical(logits, COUNT, seed=1).asnumpy()
    assert drawn.dtype == numpy.int32
    for row, weights in zip(drawn, numpy.exp(logits), strict=True):
        found = numpy.bincount(row, minlength=3) / COUNT
        numpy.testing.assert_allclose(found, weights / weights.sum(), atol=0.012)


def test_a_shuffle_keeps_what_is_there():
    x = numpy.arange(60).reshape(3, 20)
    found = random.shuffle(x, axis=1, seed=1).asnumpy()
    assert (found != x).any()
    numpy.testing.assert_array_equal(numpy.sort(found, 1), x)
    numpy.testing.assert_array_equal(found[1] - found[0], numpy.full(20, 20))


def test_dropout_is_trained_through_and_scales_what_stays():
    found = random.dropout(np.ones((400, 50)), 0.25, noise_shape=(None, 1), seed=1).asnumpy()
    assert set(numpy.unique(found)) == {0.0, numpy.float32(1 / 0.75)}
    assert (found == found[:, :1]).all()
    gradient = minpy.grad(lambda x: random.dropout(x, 0.5, seed=1).sum())(np.ones(50))
    assert set(gradient.tolist()) == {0.0, 2.0}

    class Noisy(Layer):
        def __init__(self):
            super().__init__()
            self.draws = random.SeedGenerator(3)

        def call(self, x, training=False):
            return random.dropout(x, 0.5, seed=self.draws) if training else x

    x = numpy.ones((16, 4), "float32")
    losses = []
    for jit in (False, "auto"):
        random.seed(1)
        model = Sequential([Noisy(), Dense(1, kernel_initializer="ones")])
        model.compile("sgd", "mse", jit=jit)
        losses.append(model.fit(x, x[:, :1], epochs=3, verbose=0).history["loss"])
    numpy.testing.assert_allclose(*losses, rtol=1e-5)
    assert len(set(losses[0])) == 3


# --- sessions -------------------------------------------------------------------------------------


def test_a_seed_for_all_is_one_for_python_numpy_and_minpy():
    found = []
    for _ in range(2):
        utils.set_random_seed(11)
        found.append((python_random.random(), numpy.random.rand(), float(random.uniform(()))))
    assert found[0] == found[1]
    utils.clear_session()


def test_source_inputs_are_found_behind_shared_layers():
    a, b = Input((3,), name="a"), Input((3,), name="b")
    shared = Dense(2)
    tensor = shared(a) + shared(b)
    assert [x.name for x in utils.get_source_inputs(tensor)] == ["a", "b"]
    assert utils.is_keras_tensor(tensor)
    assert not utils.is_keras_tensor(np.ones(2))
