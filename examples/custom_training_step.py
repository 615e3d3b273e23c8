"""A training step of one's own: sharpness-aware minimization.

    python examples/custom_training_step.py [--small]

Foret et al., 2020, algorithm 1: each step takes the gradient not where the weights are but at the
worst place near them, so that training ends in flat valleys. That needs two gradients and weights
moved in between, which no optimizer by itself can do.
"""

import sys

import numpy

import minpy
from minpy import datasets
from minpy.layers import Dense, Input
from minpy.models import Sequential

RADIUS = 0.2


class SharpnessAware(Sequential):
    """A stack of layers that is trained where the loss nearby is worst."""

    def train_step(self, data):
        x, y = data

        def loss():
            return self.compute_loss(x, y, self(x, training=True))

        value, gradients = self.value_and_gradients(loss)
        length = float(sum((g**2).sum() for g in gradients)) ** 0.5 + 1e-12
        before = [weight.numpy() for weight in self.trainable_weights]
        for weight, gradient in zip(self.trainable_weights, gradients, strict=True):
            weight.assign(weight.value + gradient * (RADIUS / length))
        _, gradients = self.value_and_gradients(loss)
        for weight, old in zip(self.trainable_weights, before, strict=True):
            weight.assign(old)
        self.apply_gradients(gradients)
        return self.compute_metrics(x, y, self(x, training=False), loss=value)


def sharpness(model, x, y, seed=0):
    """Return how much the loss grows, on average, when the weights are moved at random."""
    generator = numpy.random.default_rng(seed)
    before = model.get_weights()
    loss = model.evaluate(x, y, verbose=0)[0]
    grown = []
    for _ in range(10):
        model.set_weights([w + generator.normal(scale=0.1, size=w.shape) for w in before])
        grown.append(model.evaluate(x, y, verbose=0)[0] - loss)
    model.set_weights(before)
    return float(numpy.mean(grown))


def main(small=False):
    (x_train, y_train), (x_test, y_test) = datasets.digits()
    x_train, x_test = (x.reshape(len(x), -1) / 16 for x in (x_train, x_test))
    found = {}
    for name, kind in (("plain", Sequential), ("sharpness-aware", SharpnessAware)):
        minpy.random.seed(0)
        model = kind([Input((64,)), Dense(64, activation="relu"), Dense(10, activation="softmax")])
        model.compile(
            minpy.optimizers.SGD(0.2, momentum=0.9),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
        )
        model.fit(x_train, y_train, batch_size=64, epochs=10 if small else 60, verbose=0)
        accuracy = model.evaluate(x_test, y_test, verbose=0)[1]
        found[name] = accuracy, sharpness(model, x_train, y_train)
        print(f"{name}: {accuracy:.1%} of the held-out digits, sharpness {found[name][1]:.4f}")
    return found


if __name__ == "__main__":
    main("--small" in sys.argv)
