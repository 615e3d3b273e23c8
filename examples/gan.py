"""Two networks against each other: one makes handwritten digits, the other tells them from real.

    python examples/gan.py [--small]

Goodfellow et al., 2014, with the loss that does not saturate (their section 3). The step of
training is written by hand: each network has its own optimizer.
"""

import sys

import numpy

import minpy
import minpy.numpy as np
from minpy import datasets
from minpy.layers import Dense, Dropout, Input, LeakyReLU
from minpy.losses import BinaryCrossentropy
from minpy.models import Model, Sequential
from minpy.optimizers import Adam

NOISE = 16


class GAN(Model):
    """Both networks, and how they are trained."""

    def __init__(self, generator, discriminator):
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator
        self.cross_entropy = BinaryCrossentropy(from_logits=True)
        self.built = True  # both have their weights; `fit`'s data aren't what `call` takes

    def compile(self, generator_optimizer, discriminator_optimizer):
        super().compile()
        self.generator.compile(generator_optimizer)
        self.discriminator.compile(discriminator_optimizer)

    def call(self, noise):
        return self.generator(noise)

    def train_step(self, real):
        count = len(real)

        def noise():
            return minpy.random.normal((count, NOISE))

        made = self.generator(noise(), training=True)
        both = np.concatenate([np.array(real), made])
        labels = np.concatenate([np.full((count, 1), 0.9), np.zeros((count, 1))])
        told, gradients = self.discriminator.value_and_gradients(
            lambda: self.cross_entropy(labels, self.discriminator(both, training=True))
        )
        self.discriminator.apply_gradients(gradients)

        drawn = noise()
        fooled, gradients = self.generator.value_and_gradients(
            lambda: self.cross_entropy(
                np.ones((count, 1)),
                self.discriminator(self.generator(drawn, training=True), training=True),
            )
        )
        self.generator.apply_gradients(gradients)
        return {"told": told, "fooled": fooled}


def networks(pixels):
    generator = Sequential(
        [
            Input((NOISE,)),
            Dense(128, activation="relu"),
            Dense(128, activation="relu"),
            Dense(pixels, activation="sigmoid"),
        ],
        name="generator",
    )
    discriminator = Sequential(
        [Input((pixels,)), Dense(128), LeakyReLU(0.2), Dropout(0.3), Dense(64), LeakyReLU(0.2),
         Dense(1)],
        name="discriminator",
    )  # fmt: skip
    return generator, discriminator


def likeness(made, real):
    """Return how like the pixels' means and their deviations are, as correlations."""
    return [numpy.corrcoef(f(made, axis=0), f(real, axis=0))[0, 1] for f in (numpy.mean, numpy.std)]


def main(small=False):
    minpy.random.seed(0)
    (x, _), _ = datasets.digits()
    x = x.reshape(len(x), -1).astype("float32") / 16
    gan = GAN(*networks(x.shape[1]))
    gan.compile(Adam(1e-3, beta_1=0.5), Adam(3e-3, beta_1=0.5))
    noise = numpy.random.default_rng(1).normal(size=(500, NOISE)).astype("float32")
    before = likeness(gan.generator.predict(noise, verbose=0), x)
    gan.fit(x, batch_size=64, epochs=30 if small else 150, verbose=0)
    made = gan.generator.predict(noise, verbose=0)
    after = likeness(made, x)
    for rows in zip(*made[:4].reshape(4, 8, 8), strict=True):
        print("   ".join("".join(" .:*#"[int(p * 4.99)] * 2 for p in row) for row in rows))
    for name, old, new in zip(("means", "deviations"), before, after, strict=True):
        print(f"correlation of the pixels' {name} with real digits': {old:.2f}, now {new:.2f}")
    return before, after


if __name__ == "__main__":
    main("--small" in sys.argv)
