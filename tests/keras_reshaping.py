"""Asks Keras for outputs and gradients of reshaping, cropping, padding and up-sampling layers.

Run it where Keras and JAX are installed, which the tests themselves don't need:

    KERAS_BACKEND=jax python tests/keras_reshaping.py
"""

from __future__ import annotations

from keras_convolutional import FIRST, LAST, write

CASES = [
    ("Permute", {"dims": [2, 1]}, (2, 3, 4)),
    ("Permute", {"dims": [3, 1, 2]}, (2, 3, 4, 2)),
    ("RepeatVector", {"n": 3}, (2, 4)),
    ("Reshape", {"target_shape": [4, 3]}, (2, 3, 4)),
    ("Reshape", {"target_shape": [-1, 2, 2]}, (2, 3, 4)),
    ("Reshape", {"target_shape": [-1]}, (2, 3, 4)),
    ("Reshape", {"target_shape": []}, (2, 1)),
    ("Flatten", {**LAST}, (2, 3, 4)),
    ("Flatten", {**FIRST}, (2, 3, 4, 2)),
    ("Flatten", {**LAST}, (3,)),
    ("Cropping1D", {"cropping": 1}, (2, 5, 3)),
    ("Cropping1D", {"cropping": [0, 2]}, (2, 5, 3)),
    ("Cropping2D", {"cropping": 1, **FIRST}, (2, 2, 4, 5)),
    ("Cropping2D", {"cropping": [1, 2], **LAST}, (2, 4, 5, 2)),
    ("Cropping2D", {"cropping": [[0, 1], [2, 0]], **FIRST}, (2, 2, 4, 5)),
    ("Cropping3D", {"cropping": 1, **FIRST}, (1, 2, 4, 5, 4)),
    ("Cropping3D", {"cropping": [[0, 1], [2, 0], [1, 1]], **LAST}, (1, 4, 5, 4, 2)),
    ("ZeroPadding1D", {"padding": 2, **LAST}, (2, 4, 3)),
    ("ZeroPadding1D", {"padding": [0, 2], **FIRST}, (2, 3, 4)),
    ("ZeroPadding2D", {"padding": 1, **FIRST}, (2, 2, 3, 2)),
    ("ZeroPadding2D", {"padding": [1, 2], **LAST}, (2, 3, 2, 2)),
    ("ZeroPadding2D", {"padding": [[0, 1], [2, 0]], **FIRST}, (2, 2, 3, 2)),
    ("ZeroPadding3D", {"padding": 1, **FIRST}, (1, 1, 2, 2, 3)),
    ("ZeroPadding3D", {"padding": [[0, 1], [2, 0], [1, 1]], **LAST}, (1, 2, 3, 2, 2)),
    ("UpSampling1D", {"size": 3}, (2, 3, 2)),
    ("UpSampling2D", {"size": 2, **FIRST}, (2, 2, 3, 2)),
    ("UpSampling2D", {"size": [1, 3], **LAST}, (2, 3, 2, 2)),
    *[
        ("UpSampling2D", {"size": [2, 3], "interpolation": method, **FIRST}, (1, 2, 4, 3))
        for method in ("bilinear", "bicubic", "lanczos3", "lanczos5")
    ],
    ("UpSampling2D", {"size": [3, 2], "interpolation": "bilinear", **LAST}, (2, 3, 4, 2)),
    ("UpSampling3D", {"size": 2, **FIRST}, (1, 2, 2, 2, 2)),
    ("UpSampling3D", {"size": [1, 2, 3], **LAST}, (1, 2, 2, 2, 2)),
]

if __name__ == "__main__":
    write(__file__, CASES)
