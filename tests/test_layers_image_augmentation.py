"""Random layers of images: Keras' numbers for given transformations, draws, labels, errors."""

from __future__ import annotations

import json
import pathlib

import numpy
import pytest
from keras_image_layers import LIKE_IMAGES, images_of, transformation_of

from minpy import layers, random
from minpy.autograd import make_vjp
from minpy.errors import ShapeError
from minpy.layers import Input
from minpy.models import Model, Sequential
from minpy.optimizers import SGD

STORED = json.loads(pathlib.Path(__file__).with_name("keras_image_layers.json").read_text())
CASES = STORED["cases"]
NAMES = [f"{c['kind']}-{i}" for i, c in enumerate(CASES)]


def drawn_of(case, last=False):
    drawn = transformation_of(case["transformation"], last)
    # The one part of this layer's transformation has no name in Keras.
    return {"should_apply": drawn} if isinstance(drawn, numpy.ndarray) else drawn


@pytest.mark.parametrize("data_format", ["channels_first", "channels_last"])
@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_a_given_transformation_does_what_it_does_in_keras(case, data_format):
    last = data_format == "channels_last"
    x = images_of(case["shape"], case["scale"])
    layer = getattr(layers, case["kind"])(**case["settings"], data_format=data_format)
    given = x.transpose(0, 2, 3, 1) if last else x
    found = layer.transform_images(given, drawn_of(case, last)).asnumpy()
    found = found.transpose(0, 3, 1, 2) if last else found
    expected = numpy.array(case["output"]).reshape(case["shape"])
    numpy.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-4 * case["scale"])
    if "labels" in case:
        labels = layer.transform_labels(numpy.eye(2, dtype="float32"), drawn_of(case, last))
        numpy.testing.assert_allclose(numpy.asarray(labels), case["labels"], rtol=1e-6)


KINDS = {
    case["kind"]: {k: v for k, v in case["settings"].items() if k != "value_range"}
    for case in reversed(CASES)
}
KINDS["RandomElasticTransform"] = {}
UNSEEDED = {"AutoContrast", "ContrastLimitedAdaptiveHistogramEqualization", "Equalization"}


def data_of(shape=(4, 3, 8, 8), scale=255):
    return {"images": images_of(shape, scale), "labels": numpy.eye(shape[0], dtype="float32")}


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_makes_the_transformation_that_is_drawn(kind):
    layer = getattr(layers, kind)(**KINDS[kind], seed=5)
    data = data_of()
    with random.scope(3):
        out = layer(data, training=True)
    with random.scope(3):
        drawn = layer.get_random_transformation(data)
    again = layer.transform_images(data["images"], drawn)
    numpy.testing.assert_array_equal(out["images"].asnumpy(), again.asnumpy())
    labels = layer.transform_labels(layers.Identity()(data["labels"]), drawn)
    numpy.testing.assert_array_equal(numpy.asarray(out["labels"]), numpy.asarray(labels))
    numpy.testing.assert_allclose(numpy.asarray(labels).sum(1), 1, rtol=1e-6)
    if kind not in UNSEEDED:
        one, two = (layer.get_random_transformation(data, seed=s) for s in (1, 1))
        for name in one:
            numpy.testing.assert_array_equal(numpy.asarray(one[name]), numpy.asarray(two[name]))
        assert layer.get_random_transformation(data, training=False) is None


@pytest.mark.parametrize("kind", KINDS)
def test_images_keep_to_their_data_format_and_may_come_alone(kind):
    x = data_of()["images"]
    found = {}
    for data_format in ("channels_first", "channels_last"):
        layer = getattr(layers, kind)(**KINDS[kind], data_format=data_format)
        given = x if data_format == "channels_first" else x.transpose(0, 2, 3, 1)
        drawn = layer.get_random_transformation(given, seed=2)
        for name in set(drawn or ()) & set(LIKE_IMAGES):
            assert drawn[name].shape == given.shape
        out = layer.transform_images(given, drawn).asnumpy()
        assert out.shape == given.shape
        found[data_format] = out if data_format == "channels_first" else out.transpose(0, 3, 1, 2)
        assert layer(given[0], training=True).shape == given[0].shape
        assert layer(given[0].astype("uint8"), training=True).dtype == "float32"
    numpy.testing.assert_allclose(*found.values(), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_at_test_time_images_stay_but_for_layers_that_always_work(kind):
    x = data_of()["images"]
    out = getattr(layers, kind)(**KINDS[kind])(x, training=False).asnumpy()
    always = UNSEEDED - {"Equalization"}
    assert (kind in always) == bool((out != x).any())


def test_labels_are_mixed_by_the_area_that_is_replaced():
    layer = layers.CutMix(seed=1)
    x = numpy.broadcast_to(numpy.arange(8.0)[:, None, None, None], (8, 1, 40, 40))
    drawn = layer.get_random_transformation(x.astype("float32"), seed=3)
    out = layer.transform_images(x.astype("float32"), drawn).asnumpy()
    order = drawn["permutation_order"].asnumpy()
    assert sorted(order) == list(range(8))
    kept = 1 - drawn["batch_masks"].asnumpy().mean((1, 2, 3))
    numpy.testing.assert_allclose(drawn["mix_weight"].asnumpy().ravel(), kept, atol=0.06)
    expected = kept * numpy.arange(8) + (1 - kept) * order
    numpy.testing.assert_allclose(out.mean((1, 2, 3)), expected, rtol=1e-5)


def test_weights_of_mixtures_are_of_a_beta_distribution():
    layer = layers.MixUp(alpha=2.0)
    drawn = layer.get_random_transformation(numpy.zeros((4000, 1, 1, 1), "float32"), seed=1)
    weight = drawn["mix_weight"].asnumpy()
    assert weight.mean() == pytest.approx(0.5, abs=0.02)
    assert weight.var() == pytest.approx(1 / 20, abs=0.004)  # ab / ((a + b)² (a + b + 1))


def test_probabilities_and_sizes_are_those_asked_for():
    x = numpy.zeros((3000, 1, 10, 10), "float32")
    chosen = layers.RandomGrayscale(0.2).get_random_transformation(x, seed=1)["should_apply"]
    assert chosen.asnumpy().mean() == pytest.approx(0.2, abs=0.03)
    # A probability from 0 to 1, uniformly, is a half on the whole.
    inverted = layers.RandomInvert().get_random_transformation(x, seed=1)["apply_inversion"]
    assert inverted.asnumpy().mean() == pytest.approx(0.5, abs=0.04)
    bits = layers.RandomPosterization(4).get_random_transformation(x, seed=1)["shift_factor"]
    assert set(bits.asnumpy()) == {5, 6, 7}
    erasing = layers.RandomErasing(scale=(0.25, 0.25))
    masks = erasing.get_random_transformation(x, seed=1)["batch_masks"].asnumpy()
    assert masks.any(3).sum(2).max() == masks.any(2).sum(2).max() == 5


def test_elastic_fields_are_smooth_noise_times_keras_numbers():
    ndimage = pytest.importorskip("scipy.ndimage")
    x = images_of((1, 1, 40, 40), 255)
    layer = layers.RandomElasticTransform((1, 1), (1, 1), fill_mode="mirror")
    drawn = layer.get_random_transformation(x, seed=1)
    sigma, distance = 2.0, 4.0
    noise = drawn["noise"].asnumpy()[:, 0].astype("float64")
    # A kernel of 13 numbers, and zeros around.
    smooth = [ndimage.gaussian_filter(n * sigma, sigma, mode="constant", radius=6) for n in noise]
    rows, columns = numpy.mgrid[:40, :40] + distance * numpy.array(smooth[::-1])
    expected = ndimage.map_coordinates(x[0, 0], [rows, columns], order=1, mode="mirror")
    found = layer.transform_images(x, drawn).asnumpy()[0, 0]
    numpy.testing.assert_allclose(found, expected, rtol=1e-3, atol=0.05)


def test_derivatives_go_back_to_the_pixels_that_images_are_made_of():
    for kind in ("MixUp", "CutMix", "RandomGaussianBlur", "RandomShear", "RandomErasing"):
        case = next(c for c in CASES if c["kind"] == kind)
        layer = getattr(layers, kind)(**case["settings"])
        drawn = drawn_of(case)
        x = images_of(case["shape"], 100).astype("float64") + 10

        def made(x, layer=layer, drawn=drawn):
            return layer.transform_images(x, drawn)

        vjp, _ = make_vjp(made)(layers.Identity()(x))
        g = numpy.cos(numpy.arange(x.size)).reshape(x.shape)
        back = numpy.asarray(vjp(g))
        step = 1e-3 * numpy.sin(numpy.arange(x.size) * 3.0).reshape(x.shape)
        change = numpy.asarray(made(x + step)) - numpy.asarray(made(x - step))
        assert (back * step).sum() * 2 == pytest.approx((g * change).sum(), rel=1e-4), kind


def test_a_model_takes_a_dictionary_of_images_and_labels():
    data = data_of()
    inputs = {"images": Input((3, 8, 8)), "labels": Input((4,))}
    model = Model(inputs, layers.MixUp(seed=1)(inputs))
    out = model(data, training=False)
    assert set(out) == {"images", "labels"}
    numpy.testing.assert_array_equal(out["labels"].asnumpy(), data["labels"])


def test_colours_jitter_as_the_layers_of_its_parts_do():
    x = data_of()["images"]
    jitter = layers.RandomColorJitter(
        brightness_factor=0.2, contrast_factor=0.3, saturation_factor=0.8, hue_factor=0.4, seed=4
    )
    parts = [
        layers.RandomBrightness(0.2),
        layers.RandomContrast(0.3),
        layers.RandomSaturation(0.8),
        layers.RandomHue(0.4),
    ]
    with random.scope(9):
        found = jitter(x, training=True).asnumpy()
    with random.scope(9):
        expected = layers.Identity()(x)
        for part in parts:
            expected = part(expected, training=True)
    numpy.testing.assert_array_equal(found, expected.asnumpy())
    data = data_of()
    again = layers.RandomColorJitter(hue_factor=0.4, seed=4)
    other = layers.RandomColorJitter(hue_factor=0.4, seed=4)
    out = again(data, training=True)["images"].asnumpy()
    numpy.testing.assert_array_equal(out, other(data, training=True)["images"].asnumpy())
    assert (out != x).any()


def test_each_of_the_eleven_changes_is_taken_and_as_many_as_asked_for():
    x = data_of((2, 3, 8, 8))["images"] * 0.5 + 30
    outs = []
    for step in range(60):
        with random.scope(1, step):
            outs.append(layers.RandAugment(num_ops=1)(x, training=True).asnumpy())
    inverted = sum(o.mean() > x.mean() * 1.5 for o in outs)
    assert inverted > 0
    spread = [o for o in outs if o.min() == 0 and o.max() == 255]
    assert spread  # equalization, or contrasts
    assert len({o.tobytes() for o in outs}) > 40
    assert all(numpy.isfinite(o).all() for o in outs)


# What each change without a random part makes of images, where factors are 0.
FIXED = {
    "stays": lambda x: x,  # no change, and shears, translations and rotations by nothing
    "posterized": layers.RandomPosterization(1),
    "inverted": layers.Solarization(),
    "stretched": layers.AutoContrast(),
    "equalized": layers.Equalization(),
}


def made_by(layer, x, steps):
    outs = []
    for step in range(steps):
        with random.scope(1, step):
            outs.append(layer(x, training=True).asnumpy())
    return outs


def test_augmix_keeps_a_part_of_images_and_adds_one_of_a_change():
    x = data_of((2, 3, 8, 8))["images"] * 0.5 + 30
    # Beta(a, a) of a large a is a half.
    layer = layers.AugMix(num_chains=1, chain_depth=1, factor=0, alpha=1e7, all_ops=False)
    expected = {
        name: 0.5 * x + 0.5 * numpy.asarray(change(layers.Identity()(x)))
        for name, change in FIXED.items()
    }
    counts = dict.fromkeys(FIXED, 0)
    for out in made_by(layer, x, 160):
        near = min(expected, key=lambda name: abs(expected[name] - out).max())
        numpy.testing.assert_allclose(out, expected[near], atol=0.1)
        counts[near] += 1
    # Seven changes and none, each as often; four of the eight leave images as they are.
    assert 60 < counts.pop("stays") < 100
    assert all(8 <= n <= 34 for n in counts.values()), counts


def test_augmix_mixes_chains_by_parts_of_sum_one():
    class Shifts(layers.AugMix):
        def _with_one_change(self, images, changes, or_none=False):
            self.places += 1
            return images + 10.0 ** (self.places // self.chain_depth)

    layer = Shifts(num_chains=2, chain_depth=1, alpha=0.7)
    x = numpy.full((1, 1, 1, 1), 7.0, "float32")
    firsts = []
    for step in range(300):
        layer.places = -1
        with random.scope(2, step):
            added = layer(x, training=True).item() - 7  # (1 - kept) (p + 10 (1 - p))
        assert -1e-4 < added < 10.001
        firsts.append(added)
    # The means of Beta and Dirichlet are a half each: 0.5 (0.5 · 1 + 0.5 · 10).
    assert numpy.mean(firsts) == pytest.approx(2.75, abs=0.45)
    assert numpy.std(firsts) > 1.5


def test_augmix_is_the_same_in_a_compiled_step_and_draws_anew_in_each():
    x = data_of((8, 3, 6, 6))["images"]
    y = numpy.arange(8, dtype="float32")[:, None]
    losses = {}
    for jit in (False, "auto"):
        random.seed(3)
        made = [layers.AugMix(num_chains=1, chain_depth=1), layers.Flatten(), layers.Dense(1)]
        model = Sequential([Input((3, 6, 6)), *made])
        model.compile(SGD(1e-8), "mse", jit=jit)
        kernel = model.layers[-1].kernel
        kernel.assign(numpy.sin(numpy.arange(kernel.size)).reshape(kernel.shape))
        history = model.fit(x, y, batch_size=8, epochs=6, shuffle=False, verbose=0)
        assert (model.jit_status == "compiled") == bool(jit)
        losses[jit] = history.history["loss"]
    numpy.testing.assert_allclose(losses[False], losses["auto"], rtol=1e-4)
    assert len(set(losses["auto"])) == 6


BAD = [
    ("RandomHue", {"factor": 1.5}, "from 0.0 to 1.0, or two of them, got 1.5"),
    ("RandomHue", {"factor": (0.1, 0.2, 0.3)}, "two of them"),
    ("RandomPosterization", {"factor": 9}, "from 1 to 8"),
    ("RandomGrayscale", {"factor": -1}, "from 0 to 1, got -1"),
    ("RandomInvert", {"value_range": (1, 0)}, "value_range"),
    ("RandomGaussianBlur", {"kernel_size": 4}, "odd kernel_size"),
    ("RandomPerspective", {"scale": 2}, "scale from 0 to 1"),
    ("RandomShear", {"fill_mode": "mirror"}, "fill_mode"),
    ("RandomErasing", {"fill_value": (1, 2)}, "of one number, of three"),
    ("MixUp", {"alpha": 0}, "above 0"),
    ("AugMix", {"alpha": -1}, "alpha above 0, got -1"),
    ("AugMix", {"num_chains": 0}, "num_chains"),
    ("AugMix", {"factor": 2}, "AugMix: factor: expected a number from 0.0 to 1.0"),
    ("ContrastLimitedAdaptiveHistogramEqualization", {"tile_grid_size": (1,)}, "two numbers"),
]


@pytest.mark.parametrize(("kind", "settings", "told"), BAD)
def test_wrong_arguments_are_told(kind, settings, told):
    with pytest.raises(ValueError, match=told):
        getattr(layers, kind)(**settings)


def test_wrong_inputs_are_told():
    with pytest.raises(ShapeError, match=r"3 channels \(channels_first\), got \(None, 4, 8, 8\)"):
        layers.RandomHue(0.1)(numpy.zeros((2, 4, 8, 8), "float32"))
    with pytest.raises(ShapeError, match="'images' and 'labels', got"):
        layers.MixUp()({"images": numpy.zeros((2, 3, 8, 8)), "bounding_boxes": numpy.zeros(3)})
