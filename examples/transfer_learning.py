"""Learn new classes from few examples, with layers that were trained on others.

    python examples/transfer_learning.py [--small]

A network learns the digits 0 to 4. Its layers, frozen, then serve one that knows 5 to 9 from ten
examples each, beside the same network trained on those alone. Digits are so simple that the latter
catches up; what is frozen trains in a fraction of the time. Last, all layers are thawed and tuned
with a small learning rate.
"""

import sys

import numpy

import minpy
from minpy import datasets
from minpy.layers import BatchNormalization, Conv2D, Dense, Flatten, Input, MaxPooling2D
from minpy.models import Model, Sequential
from minpy.optimizers import Adam


def base():
    return Sequential(
        [
            Input((1, 8, 8)),
            Conv2D(32, 3, padding="same", activation="relu"),
            BatchNormalization(momentum=0.9),
            Conv2D(32, 3, padding="same", activation="relu"),
            MaxPooling2D(2),
            Conv2D(32, 3, padding="same", activation="relu"),
            Flatten(),
        ],
        name="base",
    )


def with_head(part, training=None):
    """Return a classifier of five kinds behind a part."""
    inputs = Input((1, 8, 8))
    model = Model(inputs, Dense(5, activation="softmax")(part(inputs, training=training)))
    compile_with(model, 3e-3)
    return model


def compile_with(model, rate):
    model.compile(Adam(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])


def few(x, y, each):
    """Return some examples of each class."""
    chosen = numpy.concatenate([numpy.flatnonzero(y == label)[:each] for label in range(5)])
    return x[chosen], y[chosen]


def main(small=False):
    minpy.random.seed(0)
    (x_train, y_train), (x_test, y_test) = datasets.digits()
    x_train, x_test = x_train[:, None] / 16, x_test[:, None] / 16
    old, new, tested = y_train < 5, y_train >= 5, y_test >= 5

    first = base()
    with_head(first).fit(x_train[old], y_train[old], epochs=5 if small else 20, verbose=0)

    x, y = few(x_train[new], y_train[new] - 5, 5)
    held_out = x_test[tested], y_test[tested] - 5
    epochs = 20 if small else 60
    alone = with_head(base())
    alone.fit(x, y, epochs=epochs, verbose=0)
    first.trainable = False
    before = first.get_weights()
    transferred = with_head(first, training=False)
    transferred.fit(x, y, epochs=epochs, verbose=0)
    after = first.get_weights()
    frozen = all(numpy.array_equal(a, b) for a, b in zip(before, after, strict=True))

    accuracy = {
        "alone": alone.evaluate(*held_out, verbose=0)[1],
        "transferred": transferred.evaluate(*held_out, verbose=0)[1],
    }
    first.trainable = True
    compile_with(transferred, 1e-4)
    transferred.fit(x, y, epochs=epochs, verbose=0)
    accuracy["tuned"] = transferred.evaluate(*held_out, verbose=0)[1]
    for name, share in accuracy.items():
        print(f"{name}: {share:.1%} of {len(held_out[0])} held-out digits are right")
    print(f"{len(x)} examples; the frozen layers {'did not change' if frozen else 'CHANGED'}")
    return accuracy, frozen


if __name__ == "__main__":
    main("--small" in sys.argv)
