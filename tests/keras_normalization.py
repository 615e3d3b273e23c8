"""Asks Keras what its normalizing layers give.

KERAS_BACKEND=jax python tests/keras_normalization.py
"""

from keras_layer_values import case, write

IMAGES, SEQUENCES, ROWS = [(3, 4, 2, 6)], [(3, 4, 6)], [(5, 6)]
PLAIN = {"center": False, "scale": False}
TRAINING = {"training": True}

CASES = [
    case("LayerNormalization", {}, ROWS, scale=3.0),
    case("LayerNormalization", {"epsilon": 0.1}, SEQUENCES),
    case("LayerNormalization", {"axis": 1}, SEQUENCES),
    case("LayerNormalization", {"axis": [1, 2]}, SEQUENCES),
    case("LayerNormalization", {"axis": [-1, 1]}, IMAGES),
    case("LayerNormalization", {"axis": [1, 2, 3], "scale": False}, IMAGES),
    case("LayerNormalization", {"center": False}, ROWS),
    case("LayerNormalization", PLAIN, ROWS),
    case("RMSNormalization", {}, ROWS, scale=3.0),
    case("RMSNormalization", {"epsilon": 0.1}, SEQUENCES),
    case("RMSNormalization", {"axis": [1, 2]}, SEQUENCES),
    case("GroupNormalization", {"groups": 2}, ROWS, scale=3.0),
    case("GroupNormalization", {"groups": 3}, SEQUENCES),
    case("GroupNormalization", {"groups": -1, "axis": 1}, IMAGES),
    case("GroupNormalization", {"groups": 1}, IMAGES),
    case("GroupNormalization", {"groups": 2, "axis": 1, "epsilon": 0.1}, IMAGES),
    case("GroupNormalization", {"groups": 3, **PLAIN}, IMAGES),
    case("GroupNormalization", {"groups": 3, "center": False}, IMAGES),
    case("GroupNormalization", {"groups": 2, "axis": 2, "scale": False}, IMAGES),
    case("UnitNormalization", {}, ROWS),
    case("UnitNormalization", {"axis": 1}, SEQUENCES),
    case("UnitNormalization", {"axis": [1, 3]}, IMAGES),
    case("BatchNormalization", {}, ROWS, options=TRAINING),
    case("BatchNormalization", {}, ROWS, options={"training": False}),
    case("BatchNormalization", {"axis": 1, "momentum": 0.7}, IMAGES, options=TRAINING),
    case("BatchNormalization", {"axis": -1, "momentum": 0.7}, IMAGES, options=TRAINING),
    case("BatchNormalization", {"axis": -1, "center": False}, SEQUENCES, options=TRAINING),
    case("BatchNormalization", {"axis": -1, "scale": False}, SEQUENCES, options=TRAINING),
    case("BatchNormalization", {"axis": -1, **PLAIN}, SEQUENCES, options=TRAINING),
    case(
        "BatchNormalization",
        {"axis": -1, "momentum": 0.5},
        SEQUENCES,
        options={**TRAINING, "mask": ["mask", [3, 4], 3]},
    ),
    *[
        case("BatchNormalization", {"axis": -1, "momentum": 0.5, **renorm}, shapes, options=options)
        for renorm, shapes, options in (
            ({"renorm": True}, ROWS, TRAINING),
            ({"renorm": True, "renorm_momentum": 0.6, **PLAIN}, SEQUENCES, TRAINING),
            (
                {"renorm": True, "renorm_clipping": {"rmin": 0.7, "rmax": 1.2, "dmax": 0.1}},
                IMAGES,
                TRAINING,
            ),
            ({"renorm": True}, SEQUENCES, {**TRAINING, "mask": ["mask", [3, 4], 3]}),
            ({"renorm": True}, ROWS, {"training": False}),
        )
    ],
    *[
        case(
            "SpectralNormalization",
            {
                "layer": {"class_name": "Dense", "config": {"units": 3, "activation": "tanh"}},
                "power_iterations": iterations,
            },
            ROWS,
            options=TRAINING,
        )
        for iterations in (1, 3)
    ],
]

if __name__ == "__main__":
    write(__file__, CASES)
