"""Asks Keras what its feature spaces make of a small table.

KERAS_BACKEND=tensorflow python tests/keras_feature_space.py
"""

from __future__ import annotations

import json
import pathlib

import numpy

TABLE = {
    "age": numpy.array([20.0, 40.0, 31.0, 65.0, 18.0, 44.0], "float32"),
    "income": numpy.array([1.5, 0.25, 3.0, 2.0, 1.0, 0.5], "float32"),
    "rooms": numpy.array([1, 3, 3, 2, 5, 3], "int32"),
    "city": numpy.array(["Bern", "Graz", "Bern", "Lyon", "Graz", "Bern"]),
}
# Columns, further arguments. What is a list is a method's name and what it is called with.
SPACES = [
    ({"age": "float", "income": "float_normalized"}, {}),
    ({"age": ["float_rescaled", {"scale": 0.1, "offset": -1.0}], "city": "string_categorical"}, {}),
    ({"income": ["float_discretized", {"num_bins": 3}]}, {}),
    ({"rooms": "integer_categorical", "city": "string_hashed"}, {"hashing_dim": 5}),
    ({"rooms": ["integer_categorical", {"max_tokens": 3, "num_oov_indices": 1}]}, {}),
    ({"rooms": ["integer_hashed", {"num_bins": 4}], "age": "float"}, {}),
    (
        {"rooms": "integer_categorical", "city": "string_categorical", "age": "float_normalized"},
        {"crosses": [["rooms", "city"]], "crossing_dim": 6},
    ),
    (
        {
            "rooms": ["integer_categorical", {"output_mode": "int"}],
            "city": ["string_categorical", {"output_mode": "int"}],
            "age": "float",
        },
        {"output_mode": "dict", "crosses": [["city", "rooms"]], "crossing_dim": 8},
    ),
]


def space_of(kind, described):
    """Make a feature space of either library."""
    columns, options = described
    made = {
        name: getattr(kind, given[0])(**given[1]) if isinstance(given, list) else given
        for name, given in columns.items()
    }
    return kind(made, **options)


def table_of(described):
    """Return the columns that a space needs."""
    return {name: TABLE[name] for name in described[0]}


def arrays_of(found):
    """Return a space's output by names, as float64."""
    parts = found if isinstance(found, dict) else {"all": found}
    return {name: numpy.asarray(part, "float64") for name, part in sorted(parts.items())}


def main():
    import keras

    cases = []
    for described in SPACES:
        space = space_of(keras.utils.FeatureSpace, described)
        table = {name: list(column) for name, column in table_of(described).items()}
        space.adapt(table)
        found = arrays_of(space(table))
        cases.append({name: numpy.round(part, 6).tolist() for name, part in found.items()})
    text = json.dumps({"keras": keras.__version__, "cases": cases})
    pathlib.Path(__file__).with_suffix(".json").write_text(text + "\n")


if __name__ == "__main__":
    main()
