"""Writes tests/keras_image_folders.json: images of a folder as Keras' data sets resize them.

Run by hand where Keras and TensorFlow are installed: ``python tests/keras_image_folders.py``.
"""

from __future__ import annotations

import json
import os
import pathlib
import tempfile

import numpy

VALUES = pathlib.Path(__file__).with_name("keras_image_folders.json")
SIZES = [(5, 7), (9, 4)]
METHODS = (
    "bilinear",
    "nearest",
    "bicubic",
    "area",
    "lanczos3",
    "lanczos5",
    "gaussian",
    "mitchellcubic",
)
CASES = [
    {"interpolation": method, **fit, "image_size": size}
    for method in METHODS
    for fit in ({}, {"crop_to_aspect_ratio": True}, {"pad_to_aspect_ratio": True})
    for size in ([4, 6], [8, 8])
    if size == [4, 6] or method == "bilinear"
    # Keras doesn't crop with these.
    if "crop_to_aspect_ratio" not in fit or method not in ("gaussian", "mitchellcubic")
]


def pixels(height: int, width: int) -> numpy.ndarray:
    """Return the pixels of an image, which neither file format nor generator changes."""
    values = 127.5 + 127.5 * numpy.sin(0.7 * numpy.arange(height * width * 3))
    return values.astype("uint8").reshape(height, width, 3)


def main() -> None:
    """Write the pixels that Keras' data sets yield."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    import keras
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        for number, size in enumerate(SIZES):
            tf.io.write_file(os.path.join(folder, f"{number}.png"), tf.io.encode_png(pixels(*size)))
        made = []
        for settings in CASES:
            data = keras.utils.image_dataset_from_directory(
                folder, labels=None, shuffle=False, verbose=False, **settings
            )
            (images,) = [batch.numpy() for batch in data]
            values = numpy.round(images.astype("float64"), 3).ravel().tolist()
            made.append({"settings": settings, "shape": images.shape, "values": values})
    VALUES.write_text(json.dumps({"keras": keras.__version__, "cases": made}))


if __name__ == "__main__":
    main()
