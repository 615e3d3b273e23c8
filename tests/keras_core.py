"""Asks Keras what its core layers give.

KERAS_BACKEND=jax python tests/keras_core.py
"""

from keras_layer_values import case, write

ROWS, STEPS = [(4, 5)], [(2, 3, 4)]
IDS = {"scale": 4.0, "low": 0.0, "whole": True}

CASES = [
    *[case("Dense", {"units": 3, "activation": name}, ROWS) for name in ("relu", "tanh", "gelu")],
    case("Dense", {"units": 3}, ROWS),
    case("Dense", {"units": 1, "use_bias": False}, ROWS),
    case("Dense", {"units": 3, "activation": "softmax"}, STEPS),
    case("Embedding", {"input_dim": 5, "output_dim": 3}, STEPS, **IDS),
    case("Embedding", {"input_dim": 5, "output_dim": 2, "mask_zero": True}, ROWS, **IDS),
    case("ReversibleEmbedding", {"input_dim": 5, "output_dim": 3}, STEPS, **IDS),
    case("Identity", {}, STEPS),
    case("Masking", {}, [(4, 5, 1)], scale=1.6, whole=True),
    case("Masking", {"mask_value": -1.0}, [(4, 5, 1)], scale=1.6, whole=True),
    case("ActivityRegularization", {"l1": 0.1, "l2": 0.2}, STEPS),
]

if __name__ == "__main__":
    write(__file__, CASES)
