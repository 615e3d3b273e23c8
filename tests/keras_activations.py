"""Asks Keras what its activation layers, and its activation functions as layers, give.

Sparsemax is left out: for several rows at once Keras 3.15 returns zeros.

    KERAS_BACKEND=jax python tests/keras_activations.py
"""

from keras_layer_values import case, write

ROWS, IMAGES = [(4, 6)], [(2, 3, 4, 5)]
NAMES = [
    "relu", "relu6", "leaky_relu", "sigmoid", "tanh", "softmax", "log_softmax", "softplus",
    "softsign", "elu", "selu", "celu", "gelu", "silu", "swish", "mish", "glu", "exponential",
    "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "hard_shrink", "soft_shrink",
    "tanh_shrink", "log_sigmoid", "sparse_plus", "sparse_sigmoid", "squareplus", "linear",
]  # fmt: skip

CASES = [
    *[case("Activation", {"activation": name}, ROWS, scale=4.0) for name in NAMES],
    case("ReLU", {}, ROWS, scale=4.0),
    case("ReLU", {"max_value": 2.0}, ROWS, scale=4.0),
    case("ReLU", {"negative_slope": 0.2}, ROWS, scale=4.0),
    case("ReLU", {"threshold": 1.0}, ROWS, scale=4.0),
    case("ReLU", {"negative_slope": 0.2, "threshold": 1.0, "max_value": 2.0}, ROWS, scale=4.0),
    case("LeakyReLU", {}, ROWS),
    case("LeakyReLU", {"negative_slope": 0.1}, IMAGES),
    case("ELU", {}, ROWS, scale=4.0),
    case("ELU", {"alpha": 0.3}, ROWS, scale=4.0),
    case("PReLU", {}, ROWS),
    case("PReLU", {}, IMAGES),
    case("PReLU", {"shared_axes": [1, 2]}, IMAGES),
    case("PReLU", {"shared_axes": [2, 3]}, IMAGES),
    case("Softmax", {}, ROWS, scale=4.0),
    case("Softmax", {"axis": 1}, IMAGES, scale=4.0),
    case("Softmax", {"axis": [1, 2]}, IMAGES, scale=4.0),
    case("Softmax", {"axis": [-1, 1]}, IMAGES, scale=4.0),
    case("Softmax", {}, ROWS, options={"mask": ["mask", [4, 6], 3]}),
    case("Softmax", {}, ROWS, options={"mask": ["mask", [6], 4]}),
    case("Softmax", {"axis": [2, 3]}, IMAGES, options={"mask": ["mask", [2, 1, 4, 5], 4]}),
    case("Softmax", {"axis": 1}, IMAGES, options={"mask": ["mask", [2, 3, 1, 1], 4]}),
]

if __name__ == "__main__":
    write(__file__, CASES)
