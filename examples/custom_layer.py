"""A layer of one's own: radial basis functions, saved and loaded with the model.

    python examples/custom_layer.py [--small]

Broomhead and Lowe, 1988: each unit has a place among the inputs and answers by how near an input
is. `build` makes the weights when the first input's shape is known, `get_config` says what a copy
needs, and `register_keras_serializable` lets a file name the class.
"""

import pathlib
import sys
import tempfile

import numpy

import minpy
import minpy.numpy as np
from minpy import datasets
from minpy.layers import Dense, Input, Layer
from minpy.models import Sequential, load_model
from minpy.saving import register_keras_serializable


@register_keras_serializable("examples")
class RadialBasis(Layer):
    """Answers ``exp(-width · ‖x - center‖²)`` for each of its centers."""

    def __init__(self, units, width=0.1, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.width = width

    def build(self, input_shape):
        self.centers = self.add_weight(
            name="centers", shape=(self.units, input_shape[-1]), initializer="random_uniform"
        )
        self.scale = self.add_weight(name="scale", shape=(self.units,), initializer="ones")

    def call(self, x):
        squares = np.sum(x**2, axis=-1, keepdims=True) + np.sum(self.centers**2, axis=-1)
        distances = squares - 2 * np.matmul(x, self.centers.T)
        return np.exp(-self.width * self.scale * distances)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def get_config(self):
        return {**super().get_config(), "units": self.units, "width": self.width}


def main(small=False):
    minpy.random.seed(0)
    (x_train, y_train), (x_test, y_test) = datasets.digits()
    x_train, x_test = (x.reshape(len(x), -1) / 16 for x in (x_train, x_test))
    model = Sequential([Input((64,)), RadialBasis(100), Dense(10, activation="softmax")])
    # The centers begin at digits, as Broomhead and Lowe choose them.
    model.layers[0].centers = x_train[:100]
    model.compile(
        minpy.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    model.fit(x_train, y_train, batch_size=64, epochs=20 if small else 100, verbose=0)
    accuracy = model.evaluate(x_test, y_test, verbose=0)[1]
    print(f"{accuracy:.1%} of the held-out digits are right")
    with tempfile.TemporaryDirectory() as folder:
        model.save(pathlib.Path(folder) / "model.h5")
        loaded = load_model(pathlib.Path(folder) / "model.h5")
    same = numpy.array_equal(loaded.predict(x_test, verbose=0), model.predict(x_test, verbose=0))
    print(f"loaded: {loaded.layers[0]}, predictions {'equal' if same else 'DIFFERENT'}")
    print(f"training ran: {model.jit_status}")
    return accuracy, same


if __name__ == "__main__":
    main("--small" in sys.argv)
