"""Asks Keras what its data sets make of small files in the formats of the official ones.

KERAS_BACKEND=jax python tests/keras_datasets.py
"""

from __future__ import annotations

import json
import os
import pathlib
import tempfile

import numpy

# Name, what else it is called with.
CALLS = [
    ("imdb", {}),
    ("imdb", {"num_words": 12, "skip_top": 5, "seed": 4}),
    ("imdb", {"maxlen": 6, "oov_char": None, "num_words": 15}),
    ("imdb", {"start_char": None, "index_from": 0}),
    ("imdb", {"start_char": None, "index_from": 2}),
    ("reuters", {}),
    ("reuters", {"num_words": 12, "test_split": 0.5, "oov_char": None}),
    ("reuters", {"maxlen": 5, "start_char": None, "seed": 7}),
    ("boston_housing", {}),
    ("boston_housing", {"test_split": 0.5, "seed": 3}),
    ("california_housing", {"version": "small"}),
    ("california_housing", {"test_split": 0.0}),
]


def texts(count, seed):
    """Return lists of numbers of words, of several lengths, as an array of objects."""
    found = numpy.empty(count, dtype=object)
    for i in range(count):
        length = 2 + (i * 7 + seed) % 6
        found[i] = [1 + (i * 31 + j * 17 + seed) % 19 for j in range(length)]
    return found


def arrays(name):
    """Return what the file of a data set has, small."""
    labels = (numpy.arange(20) * 7 % 3).astype("int64")
    if name == "imdb":
        return {"x_train": texts(9, 1), "y_train": labels[:9] % 2,
                "x_test": texts(8, 2), "y_test": labels[:8] % 2}  # fmt: skip
    if name == "reuters":
        return {"x": texts(11, 3), "y": labels[:11]}
    count, columns = (14, 13) if name == "boston_housing" else (11, 8)
    x = numpy.arange(count * columns, dtype="float64").reshape(count, columns)
    return {"x": x, "y": numpy.sqrt(x[:, 0])}


def plain(array):
    """Return an array as JSON has it."""
    return [part if isinstance(part, list) else numpy.asarray(part).tolist() for part in array]


def main():
    import keras

    assert os.environ.get("KERAS_BACKEND") == "jax", "set KERAS_BACKEND=jax"
    cases = []
    with tempfile.TemporaryDirectory() as folder:
        for name, options in CALLS:
            path = pathlib.Path(folder) / f"{name}.npz"
            numpy.savez(path, **arrays(name))
            module = getattr(keras.datasets, name)
            module.load_data.__globals__["get_file"] = lambda *args, path=path, **kwargs: path
            cases.append([[plain(a) for a in split] for split in module.load_data(**options)])
    text = json.dumps({"keras": keras.__version__, "cases": cases})
    pathlib.Path(__file__).with_suffix(".json").write_text(text + "\n")


if __name__ == "__main__":
    main()
