"""A variational autoencoder of handwritten digits: two numbers a digit, and new digits from them.

    python examples/variational_autoencoder.py [--small]

Kingma and Welling, 2013. The loss is the reconstruction's cross-entropy plus the divergence of
the code from a standard normal (their equation 10), which the sampling layer adds by `add_loss`.
"""

import sys

import numpy

import minpy
import minpy.numpy as np
from minpy import datasets
from minpy.layers import Dense, Input, Layer
from minpy.losses import binary_crossentropy
from minpy.models import Model, Sequential

CODE = 2


class Sampling(Layer):
    """Draws a code from its mean and logarithm of variance, and adds the divergence to the loss."""

    def call(self, inputs, training=False):
        mean, log_variance = inputs
        divergence = -0.5 * np.sum(1 + log_variance - mean**2 - np.exp(log_variance), axis=-1)
        self.add_loss(np.mean(divergence))
        if not training:
            return mean
        noise = minpy.random.normal(mean.shape)
        return mean + np.exp(0.5 * log_variance) * noise


def autoencoder(pixels, hidden):
    """Return the whole model, and its second half, which makes digits of codes."""
    inputs = Input((pixels,))
    h = Dense(hidden, activation="relu")(inputs)
    h = Dense(hidden, activation="relu")(h)
    code = Sampling()([Dense(CODE, name="mean")(h), Dense(CODE, name="log_variance")(h)])
    decoder = Sequential(
        [
            Input((CODE,)),
            Dense(hidden, activation="relu"),
            Dense(hidden, activation="relu"),
            Dense(pixels, activation="sigmoid"),
        ],
        name="decoder",
    )
    return Model(inputs, decoder(code), name="autoencoder"), decoder


def reconstruction(y_true, y_pred):
    return binary_crossentropy(y_true, y_pred) * y_true.shape[-1]


def linear_error(x_train, x_test):
    """Return the squared error of the best linear code of the same length."""
    mean = x_train.mean(0)
    axes = numpy.linalg.svd(x_train - mean, full_matrices=False)[2][:CODE]
    return (((x_test - mean) - (x_test - mean) @ axes.T @ axes) ** 2).mean()


def main(small=False):
    minpy.random.seed(0)
    (x_train, _), (x_test, _) = datasets.digits()
    x_train, x_test = (x.reshape(len(x), -1).astype("float32") / 16 for x in (x_train, x_test))
    model, decoder = autoencoder(x_train.shape[1], 128)
    model.compile(minpy.optimizers.Adam(3e-3), loss=reconstruction)
    model.fit(x_train, x_train, batch_size=64, epochs=30 if small else 300, verbose=0)
    error = ((model.predict(x_test, verbose=0) - x_test) ** 2).mean()
    linear = linear_error(x_train, x_test)
    print(f"squared error of {CODE} numbers a digit: {error:.4f}; of a linear code {linear:.4f}")
    drawn = decoder.predict(numpy.random.default_rng(0).normal(size=(3, CODE)), verbose=0)
    for rows in zip(*drawn.reshape(3, 8, 8), strict=True):
        print("   ".join("".join(" .:*#"[int(p * 4.99)] * 2 for p in row) for row in rows))
    print(f"training ran: {model.jit_status}")
    return error, linear


if __name__ == "__main__":
    main("--small" in sys.argv)
