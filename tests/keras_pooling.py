"""Asks Keras for outputs and gradients of pooling layers.

Run it where Keras and JAX are installed, which the tests themselves don't need:

    KERAS_BACKEND=jax python tests/keras_pooling.py
"""

from __future__ import annotations

from keras_convolutional import FIRST, LAST, write

SHAPES = {1: (2, 2, 7), 2: (2, 2, 6, 7), 3: (1, 2, 4, 5, 6)}


def shape_for(rank, data_format):
    batch, channels, *sizes = SHAPES[rank]
    first = data_format is FIRST
    return (batch, channels, *sizes) if first else (batch, *sizes, channels)


CASES = [
    *[
        (f"{kind}Pooling{rank}D", {**settings, **data_format}, shape_for(rank, data_format))
        for kind in ("Max", "Average")
        for rank in (1, 2, 3)
        for settings, data_format in [
            ({"pool_size": 2}, LAST),
            ({"pool_size": 3, "strides": 2, "padding": "same"}, FIRST),
            ({"pool_size": 2, "strides": 1, "padding": "same"}, FIRST),
            ({"pool_size": 3, "strides": 1, "padding": "valid"}, LAST),
        ]
    ],
    *[
        (
            f"Global{kind}Pooling{rank}D",
            {"keepdims": keepdims, **data_format},
            shape_for(rank, data_format),
        )
        for kind in ("Max", "Average")
        for rank in (1, 2, 3)
        for keepdims, data_format in [(False, FIRST), (True, LAST)]
    ],
    *[
        (
            f"Adaptive{kind}Pooling{rank}D",
            {"output_size": size if rank > 1 else size[0], **data_format},
            shape_for(rank, data_format),
        )
        for kind in ("Max", "Average")
        for rank in (1, 2, 3)
        for size, data_format in [
            ([1] * rank, FIRST),
            ([2, 3, 4][:rank], LAST),
            ([3, 2, 3][:rank], FIRST),
        ]
    ],
]

if __name__ == "__main__":
    write(__file__, CASES)
