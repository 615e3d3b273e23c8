"""Two images in, two answers out: a functional model with a shared part.

    python examples/two_inputs.py [--small]

It sees two handwritten digits and says their sum and which is larger. Both images go through the
same layers; inputs, outputs, losses and metrics are known by name.
"""

import sys

import numpy

import minpy
from minpy import datasets
from minpy.layers import Concatenate, Conv2D, Dense, Flatten, Input, MaxPooling2D, Subtract
from minpy.models import Model, Sequential


def pairs(images, labels, count, seed):
    """Return pairs of images and what is to be said of them, by name."""
    left, right = numpy.random.default_rng(seed).integers(0, len(images), (2, count))
    x = {"left": images[left], "right": images[right]}
    total, larger = labels[left] + labels[right], labels[left] > labels[right]
    return x, {"sum": total, "left_is_larger": larger[:, None].astype("float32")}


def network():
    seen = Sequential(
        [
            Input((1, 8, 8)),
            Conv2D(16, 3, padding="same", activation="relu"),
            MaxPooling2D(2),
            Flatten(),
            Dense(64, activation="relu"),
            Dense(32, activation="relu"),
        ],
        name="seen",
    )
    left, right = Input((1, 8, 8), name="left"), Input((1, 8, 8), name="right")
    a, b = seen(left), seen(right)
    h = Dense(128, activation="relu")(Concatenate()([a, b]))
    total = Dense(19, activation="softmax", name="sum")(h)
    larger = Dense(1, activation="sigmoid", name="left_is_larger")(
        Concatenate()([h, Subtract()([a, b])])
    )
    return Model(
        inputs={"left": left, "right": right},
        outputs={"sum": total, "left_is_larger": larger},
        name="two_inputs",
    )


def main(small=False):
    minpy.random.seed(0)
    (x_train, y_train), (x_test, y_test) = datasets.digits()
    x, y = pairs(x_train[:, None] / 16, y_train, 4000 if small else 20_000, seed=0)
    held_out = pairs(x_test[:, None] / 16, y_test, 1000, seed=1)
    model = network()
    model.compile(
        minpy.optimizers.Adam(3e-3),
        loss={"sum": "sparse_categorical_crossentropy", "left_is_larger": "binary_crossentropy"},
        loss_weights={"left_is_larger": 0.5},
        metrics={"sum": ["accuracy"], "left_is_larger": ["accuracy"]},
    )
    model.fit(x, y, batch_size=64, epochs=8 if small else 20, verbose=0)
    result = model.evaluate(*held_out, verbose=0, return_dict=True)
    print(f"{result['sum_accuracy']:.1%} of the sums of held-out digits are right")
    print(f"{result['left_is_larger_accuracy']:.1%} of the comparisons")
    print(f"training ran: {model.jit_status}")
    return result


if __name__ == "__main__":
    main("--small" in sys.argv)
