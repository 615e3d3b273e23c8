"""Asks Keras what its operations give, and their gradients.

KERAS_BACKEND=jax python tests/keras_ops.py
"""

from __future__ import annotations

import json
import os
import pathlib

import numpy
from keras_layer_values import listed, numbers

LAST = {"data_format": "channels_last"}
FIRST = {"data_format": "channels_first"}


class X:
    """An array of numbers among a call's arguments; `kind` says which."""

    def __init__(self, *shape, seed=1, kind="float", scale=1.0):
        self.shape, self.seed, self.kind, self.scale = shape, seed, kind, scale

    def made(self):
        """Return the array."""
        x = numbers(self.shape, self.seed) * numpy.float32(self.scale)
        if self.kind == "positive":
            return numpy.abs(x) + numpy.float32(0.1)
        if self.kind == "classes":
            return numpy.floor(numpy.abs(x) * 2.999).astype("int32")
        if self.kind == "bool":
            return x > -0.3
        return x


ROWS = X(4, 3, scale=3.0)
PARTS = X(4, 3, kind="positive")
CLASSES = X(4, kind="classes")
MATRIX = X(3, 3, seed=5)
SEGMENTS = numpy.array([3, 0, 1, 3, 2, 0, 3])

# Of which nothing but the numbers is given. Keras' sparsemax gives rows of zeros for such numbers.
ELEMENTWISE = """
    celu elu gelu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu
    log_sigmoid log_softmax relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign
    sparse_plus sparse_sigmoid squareplus swish tanh_shrink erf erfc logsumexp
    normalize
"""
# Name, arguments, options.
CALLS = [
    *[(name, [ROWS], {}) for name in ELEMENTWISE.split()],
    ("gelu", [ROWS], {"approximate": False}),
    ("glu", [X(4, 6)], {}),
    ("softmax", [ROWS], {"axis": 0}),
    ("leaky_relu", [ROWS], {"negative_slope": 0.1}),
    ("threshold", [ROWS, 0.5, -1.0], {}),
    ("rsqrt", [PARTS], {}),
    ("erfinv", [X(4, 3, scale=0.9)], {}),
    ("logsumexp", [ROWS], {"axis": 1, "keepdims": True}),
    ("normalize", [ROWS], {"axis": 0, "order": 3}),
    ("divide_no_nan", [ROWS, X(4, 3, seed=2)], {}),
    ("norm", [ROWS], {"ord": 2, "axis": 1}),
    ("norm", [ROWS], {"ord": "fro", "axis": [0, 1], "keepdims": True}),
    ("moments", [ROWS], {"axes": [0]}),
    ("moments", [ROWS], {"axes": [0, 1], "keepdims": True}),
    ("sum", [ROWS, 1, True], {}),
    ("mean", [ROWS, 0, True], {}),
    ("std", [ROWS, 1], {}),
    ("max", [ROWS, 1, True], {}),
    ("argmax", [ROWS, 1, True], {}),
    ("quantile", [ROWS, 0.3, 1], {}),
    ("top_k", [ROWS, 2], {}),
    ("in_top_k", [CLASSES, ROWS, 2], {}),
    ("one_hot", [CLASSES, 4], {}),
    ("one_hot", [CLASSES, 4], {"axis": 0}),
    ("multi_hot", [X(4, 2, kind="classes"), 4], {}),
    ("slice", [ROWS, [1, 0], [2, 2]], {}),
    ("slice_update", [ROWS, [1, 1], X(2, 2, seed=3)], {}),
    ("scatter", [[[1, 0], [0, 2], [1, 0]], X(3, seed=3), [2, 3]], {}),
    ("scatter_update", [ROWS, [[1, 0], [0, 2]], X(2, seed=3)], {}),
    ("scatter_update", [ROWS, [[1], [3]], X(2, 3, seed=3)], {}),
    ("segment_sum", [ROWS, numpy.array([0, 2, 0, 1]), 4], {}),
    ("unstack", [ROWS], {"axis": 1}),
    ("take", [ROWS, numpy.array([2, 0])], {"axis": 1}),
    ("cumsum", [ROWS], {"axis": 1}),
    ("nan_to_num", [ROWS], {}),
    ("logdet", [numpy.array([[2.0, 1.0], [1.0, 3.0]], "float32")], {}),
    ("solve", [MATRIX, X(3, 2)], {}),
    ("inv", [MATRIX], {}),
    ("batch_normalization", [ROWS, X(3, seed=2), X(3, kind="positive"), 1, X(3, seed=4)], {}),
    (
        "batch_normalization",
        [X(2, 3, 4), X(3, seed=2), X(3, kind="positive"), 1, None, X(3, seed=4)],
        {"epsilon": 0.1},
    ),
    ("layer_normalization", [ROWS, X(3, seed=2), X(3, seed=4)], {"epsilon": 1e-3}),
    ("rms_normalization", [ROWS, X(3, seed=2)], {"epsilon": 1e-3}),
    ("conv", [X(2, 6, 3), X(3, 3, 4, seed=2)], {"padding": "same", **LAST}),
    ("conv", [X(2, 5, 6, 4), X(3, 2, 2, 6, seed=2), [2, 1], "same"], LAST),
    ("conv", [X(2, 5, 6, 4), X(3, 3, 4, 2, seed=2)], {"dilation_rate": 2, **LAST}),
    ("depthwise_conv", [X(2, 5, 6, 3), X(3, 2, 3, 2, seed=2), 1, "same"], LAST),
    ("separable_conv", [X(2, 5, 6, 3), X(3, 2, 3, 2, seed=2), X(1, 1, 6, 4, seed=3)], LAST),
    ("max_pool", [X(2, 5, 6, 3), 2, 2, "same"], LAST),
    ("average_pool", [X(2, 5, 6, 3), 2, 1, "same"], LAST),
    ("binary_crossentropy", [X(4, 3, kind="bool"), PARTS], {}),
    ("binary_crossentropy", [X(4, 3, kind="bool"), ROWS, True], {}),
    ("categorical_crossentropy", [PARTS, X(4, 3, seed=2, kind="positive")], {}),
    ("categorical_crossentropy", [PARTS, ROWS, True], {}),
    ("sparse_categorical_crossentropy", [CLASSES, PARTS], {}),
    ("sparse_categorical_crossentropy", [CLASSES, ROWS, True], {}),
    ("dot_product_attention", [X(2, 3, 4, 2), X(2, 5, 4, 2, seed=2), X(2, 5, 4, 2, seed=3)], {}),
    (
        "dot_product_attention",
        [X(2, 3, 4, 2), X(2, 3, 2, 2, seed=2), X(2, 3, 2, 2, seed=3), X(1, 4, 3, 3, seed=4)],
        {"is_causal": True, "scale": 0.5},
    ),
    (
        "dot_product_attention",
        [X(2, 3, 4, 2), X(2, 3, 4, 2, seed=2), X(2, 3, 4, 2, seed=3)],
        {"mask": X(2, 1, 3, 3, seed=4, kind="bool")},
    ),
    *[(f"segment_{name}", [X(7, 2), SEGMENTS, 4], {}) for name in ("max", "min", "prod")],
    ("segment_max", [X(7, kind="classes"), SEGMENTS, 4], {}),
    ("segment_sum", [X(7, 2), SEGMENTS, 2], {}),
    ("unfold", [X(2, 3, 5, 6), [2, 3]], {"dilation": [2, 1], "padding": [0, 1], "stride": [1, 2]}),
    ("unfold", [X(1, 2, 4, 4), 2], {}),
    ("fold", [X(2, 12, 9), [5, 6], 2], {"padding": [0, 1], "stride": [1, 2], "dilation": [2, 3]}),
    ("fold", [X(1, 8, 9), 4, 2], {}),
    ("cdist", [X(2, 4, 3), X(2, 5, 3, seed=2)], {}),
    ("extract_sequences", [X(2, 11), 4, 3], {}),
    ("stft", [X(2, 21), 6, 3, 8], {}),
    ("stft", [X(21), 5, 2, 8, "hamming", False], {}),
    ("stft", [X(21), 4, 2, 8], {"window": X(4, seed=2, kind="positive")}),
    ("stft", [X(21), 4, 2, 8, None], {}),
    ("istft", [[X(2, 7, 5), X(2, 7, 5, seed=2)], 6, 3, 8], {}),
    ("istft", [[X(7, 5), X(7, 5, seed=2)], 6, 2, 8, 15, "hamming"], {}),
    ("istft", [[X(7, 5), X(7, 5, seed=2)], 8, 4, 8, None, "hamming", False], {}),
    ("view", [X(2, 3), "int32"], {}),
    ("view_as_complex", [X(3, 2)], {}),
    ("polar", [PARTS, ROWS], {}),
    ("lu_factor", [X(2, 4, 4, seed=6)], {}),
    ("cholesky_inverse", [numpy.array([[2.0, 0.0], [1.0, 3.0]], "float32")], {}),
    ("cholesky_inverse", [numpy.array([[2.0, 1.0], [0.0, 3.0]], "float32"), True], {}),
    ("psnr", [ROWS, X(4, 3, seed=2), 2.0], {}),
    ("rearrange", [X(2, 4, 6, 3), "b (y h) (x w) c -> (b y x) h (w c)"], {"y": 2, "x": 3}),
    ("adaptive_average_pool", [X(2, 5, 6, 3), [3, 2]], LAST),
    ("adaptive_average_pool", [X(2, 3, 7), 3], FIRST),
    ("adaptive_max_pool", [X(2, 5, 6, 3), [3, 2]], LAST),
    ("adaptive_max_pool", [X(2, 3, 4, 4, 5), 2], FIRST),
]
# Keras gives no derivative of these, or numbers that have none.
WITHOUT_GRADIENT = ("argmax", "polar", "segment_prod", "view", "view_as_complex")


def filled(value):
    """Return an argument with its arrays made."""
    if isinstance(value, X):
        return value.made()
    if isinstance(value, list) and any(isinstance(part, list) for part in value):
        return numpy.array(value)
    return tuple(filled(part) for part in value) if isinstance(value, list) else value


def flat(result):
    """Return a result's arrays as float64; of complex ones both parts."""
    parts = result if isinstance(result, tuple | list) else [result]
    parts = [numpy.asarray(part) for part in parts]
    pairs = [[x.real, x.imag] if x.dtype.kind == "c" else [x] for x in parts]
    return [numpy.asarray(x, "float64") for pair in pairs for x in pair]


def main():
    import jax
    import keras

    assert os.environ.get("KERAS_BACKEND") == "jax", "set KERAS_BACKEND=jax"
    cases = []
    for name, args, options in CALLS:
        function = getattr(keras.ops, name)
        given = [filled(a) for a in args]
        options = {key: filled(value) for key, value in options.items()}
        found = flat(function(*given, **options))
        case = {"outputs": [listed(part) for part in found]}
        if isinstance(args[0], X) and args[0].kind in ("float", "positive"):

            def total(x, function=function, given=given, options=options):
                made = function(x, *given[1:], **options)
                made = made[0] if isinstance(made, tuple | list) else made
                return (made * numbers(made.shape, seed=9)).sum()

            if name not in WITHOUT_GRADIENT:
                case["gradient"] = listed(jax.grad(total)(given[0]))
        cases.append(case)
    text = json.dumps({"keras": keras.__version__, "cases": cases})
    pathlib.Path(__file__).with_suffix(".json").write_text(text + "\n")


if __name__ == "__main__":
    main()
