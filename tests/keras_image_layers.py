"""Asks Keras for what image layers make of given transformations.

Run it where Keras is installed, which the tests themselves don't need:

    KERAS_BACKEND=numpy python tests/keras_image_layers.py

Keras' backends don't agree on all of it. With those of 3.15 at hand, PyTorch's counts of tiles in
ContrastLimitedAdaptiveHistogramEqualization are integers, and its limit is 0; JAX' Equalization
gives other values; TensorFlow's shear fills otherwise with 'wrap'. The numbers are NumPy's.
"""

from __future__ import annotations

import json
import pathlib

import numpy
from keras_convolutional import numbers

RGB, WIDE = (2, 3, 6, 8), (2, 3, 9, 10)
ON_OFF = {"bool": [True, False]}
BOTH = {"bool": [True, True]}
MASK = numpy.zeros(RGB)
MASK[0, :, 1:4, 2:5] = MASK[1, :, 0:2, 5:] = 1
FIRST_LAST = ("channels_first", "channels_last")


def points(moved):
    start = numpy.array([[0, 0], [7, 0], [0, 5], [7, 5]], float)
    return {
        "start_points": {"float32": numpy.repeat(start[None], 2, 0).tolist()},
        "end_points": {"float32": (start + numpy.array(moved)).tolist()},
    }


CORNERS = points([[[0, 0], [-1, 0.5], [0.5, -1], [-2, -1]], [[0, 0], [1, 0], [0, 1.5], [0.5, 1]]])
SHEAR = {"shear_factor": {"float32": [[0.31, -0.22], [-0.43, 0.13]]}}
MIXED = {"permutation_order": {"int32": [1, 0]}, "mix_weight": {"float32": [0.3, 0.9]}}
CUT = {
    "permutation_order": {"int32": [1, 0]},
    "batch_masks": {"bool": (MASK > 0).tolist()},
    "mix_weight": {"float32": [[[[0.7]]], [[[0.4]]]]},
}
ERASED = {
    "apply_erasing": ON_OFF,
    "batch_masks": {"bool": (MASK > 0).tolist()},
    "fill_value": {"float32": numbers(RGB, seed=4).tolist()},
}
BLURRED = {"should_apply_blur": ON_OFF, "blur_factor": {"float32": [0.7, 1.3]}}
ONE = {"value_range": [0, 1]}

# kind, settings, shape (channels first), what the numbers from 0 to 1 are multiplied by,
# transformation: values by dtype.
CASES = [
    ("AutoContrast", {}, RGB, 200, None),
    ("AutoContrast", ONE, RGB, 0.5, None),
    ("Equalization", {}, RGB, 255, None),
    ("Equalization", {"bins": 16}, RGB, 255, None),
    ("Equalization", ONE, RGB, 1, None),
    ("ContrastLimitedAdaptiveHistogramEqualization", {"tile_grid_size": [2, 3]}, WIDE, 255, None),
    (
        "ContrastLimitedAdaptiveHistogramEqualization",
        {"tile_grid_size": [3, 2], "clip_limit": 0.0, "value_range": [0, 1]},
        WIDE,
        1,
        None,
    ),
    (
        "Solarization",
        {},
        RGB,
        255,
        {
            "additions": {"float32": [[[[0.0]]], [[[40.0]]]]},
            "thresholds": {"float32": [[[[100.0]]], [[[150.0]]]]},
        },
    ),
    (
        "Solarization",
        ONE,
        RGB,
        1,
        {
            "additions": {"float32": [[[[10.0]]], [[[20.0]]]]},
            "thresholds": {"float32": [[[[0.0]]], [[[90.0]]]]},
        },
    ),
    (
        "RandomColorDegeneration",
        {"factor": 1.0},
        RGB,
        255,
        {"factor": {"float32": [[[[0.4]]], [[[-0.5]]]]}},
    ),
    ("RandomHue", {"factor": 1.0}, RGB, 255, {"factor": {"float32": [0.4, -0.3]}}),
    ("RandomHue", {"factor": 1.0, **ONE}, RGB, 1, {"factor": {"float32": [0.1, -0.45]}}),
    ("RandomSaturation", {"factor": 1.0}, RGB, 255, {"factor": {"float32": [0.5, 1.4]}}),
    ("RandomInvert", {}, RGB, 255, {"apply_inversion": ON_OFF}),
    ("RandomPosterization", {"factor": 8}, RGB, 255, {"shift_factor": {"uint8": [3, 6]}}),
    ("RandomGrayscale", {}, RGB, 255, {"bool": [[[[True]]], [[[False]]]]}),
    ("RandomSharpness", {"factor": 1.0}, RGB, 255, {"factor": {"float32": [0.1, 0.9]}}),
    ("RandomGaussianBlur", {}, RGB, 255, BLURRED),
    ("RandomGaussianBlur", {"kernel_size": 5}, RGB, 255, {**BLURRED, "should_apply_blur": BOTH}),
    *[("RandomShear", {"fill_mode": mode}, RGB, 255, SHEAR) for mode in ("reflect", "wrap")],
    ("RandomShear", {"fill_mode": "constant", "fill_value": 3.0}, RGB, 255, SHEAR),
    ("RandomShear", {"interpolation": "nearest"}, RGB, 255, SHEAR),
    ("RandomPerspective", {}, RGB, 255, {"apply_perspective": BOTH, **CORNERS}),
    (
        "RandomPerspective",
        {"fill_value": 9.0},
        RGB,
        255,
        {"apply_perspective": ON_OFF, **CORNERS},
    ),
    ("RandomErasing", {}, RGB, 255, ERASED),
    ("CutMix", {}, RGB, 255, CUT),
    ("MixUp", {}, RGB, 255, MIXED),
]
LIKE_IMAGES = ("batch_masks", "fill_value")


def transformation_of(described, last):
    """Return a transformation as arrays, with the channels last where images have them last."""
    if described is None or "bool" in described:
        return None if described is None else numpy.array(described["bool"])
    made = {}
    for name, value in described.items():
        ((dtype, values),) = value.items()
        made[name] = numpy.array(values, dtype)
        if last and name in LIKE_IMAGES:
            made[name] = made[name].transpose(0, 2, 3, 1)
    return made


def images_of(shape, scale):
    """Return images from 0 to about `scale`."""
    return ((numbers(shape, seed=1) * 0.5 + 0.5).clip(0, 1) * scale).astype("float32")


if __name__ == "__main__":
    import keras

    cases = []
    for kind, settings, shape, scale, described in CASES:
        x = images_of(shape, scale)
        for data_format in FIRST_LAST:
            last = data_format == "channels_last"
            layer = getattr(keras.layers, kind)(**settings, data_format=data_format)
            drawn = transformation_of(described, last)
            if isinstance(drawn, dict):
                drawn = {n: keras.ops.convert_to_tensor(v) for n, v in drawn.items()}
            elif drawn is not None:
                drawn = keras.ops.convert_to_tensor(drawn)
            given = keras.ops.convert_to_tensor(x.transpose(0, 2, 3, 1) if last else x)
            out = keras.ops.convert_to_numpy(layer.transform_images(given, drawn, training=True))
            out = out.transpose(0, 3, 1, 2) if last else out
            if not last:
                first = out
            # One set of numbers is stored, that of channels_last: AutoContrast of 3.15 takes the
            # axes 1 and 2 for height and width in both formats.
            if not numpy.allclose(out, first, rtol=1e-4, atol=1e-3):
                print("differs from", FIRST_LAST[0], kind, settings, abs(out - first).max())
        case = {"kind": kind, "settings": settings, "shape": shape, "scale": scale}
        case["transformation"] = described
        case["output"] = [float(f"{v:.7g}") for v in out.ravel()]
        if kind in ("CutMix", "MixUp"):
            labels = keras.ops.convert_to_tensor(numpy.eye(2, dtype="float32"))
            mixed = layer.transform_labels(labels, drawn, training=True)
            case["labels"] = keras.ops.convert_to_numpy(mixed).tolist()
        cases.append(case)
    made = {"keras": keras.__version__, "cases": cases}
    to = pathlib.Path(__file__).with_name("keras_image_layers.json")
    to.write_text(json.dumps(made) + "\n")
    print(len(cases), "cases,", to.stat().st_size, "bytes, Keras", keras.__version__)
