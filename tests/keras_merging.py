"""Asks Keras what its merging layers give.

KERAS_BACKEND=jax python tests/keras_merging.py
"""

from keras_layer_values import case, write

SAME = [(2, 3, 4)] * 3
STRETCHED = [(2, 3, 4), (2, 1, 4), (2, 4)]

CASES = [
    *[
        case(kind, {}, shapes, "list")
        for kind in ("Add", "Multiply", "Average", "Maximum", "Minimum")
        for shapes in (SAME[:2], SAME, STRETCHED, [(2, 3)])
    ],
    case("Subtract", {}, SAME[:2], "list"),
    case("Subtract", {}, [(2, 3, 4), (2, 4)], "list"),
    case("Concatenate", {}, SAME, "list"),
    case("Concatenate", {"axis": 1}, [(2, 3, 4), (2, 1, 4), (2, 2, 4)], "list"),
    case("Concatenate", {"axis": 0}, [(2, 3), (2, 3)], "list"),
    case("Concatenate", {"axis": -2}, [(2, 3, 4), (2, 1, 4)], "list"),
    case("Dot", {"axes": 1}, [(2, 3), (2, 3)], "list"),
    case("Dot", {"axes": -1, "normalize": True}, [(2, 3), (2, 3)], "list"),
    case("Dot", {"axes": [2, 1]}, [(2, 3, 4), (2, 4, 5)], "list"),
    case("Dot", {"axes": 1}, [(2, 3, 4), (2, 3, 5)], "list"),
    case("Dot", {"axes": [1, 2]}, [(2, 3), (2, 4, 3)], "list"),
    case("Dot", {"axes": 2, "normalize": True}, [(2, 3, 4), (2, 5, 4)], "list"),
    case("Dot", {"axes": [3, 1]}, [(2, 3, 2, 4), (2, 4, 3)], "list"),
    case("Dot", {"axes": [-1, -1]}, [(2, 3, 4), (2, 2, 5, 4)], "list"),
]

if __name__ == "__main__":
    write(__file__, CASES)
