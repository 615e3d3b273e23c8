"""A network in plain NumPy with the least that callbacks may ask of a model, to test them alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import SimpleNamespace

import numpy as np

from minpy.callbacks import CallbackList


class CountedLogs(Mapping):
    """Metrics that are computed when they are read, and count how often that happens."""

    reads = 0

    def __init__(self, compute):
        self._compute = compute

    def __getitem__(self, name):
        if name != "loss":
            raise KeyError(name)
        CountedLogs.reads += 1
        return self._compute()

    def __iter__(self) -> Iterator[str]:
        return iter(("loss",))

    def __len__(self) -> int:
        return 1


class Weight:
    def __init__(self, name, value):
        self.name, self.value, self.trainable = name, np.asarray(value, np.float32), True

    @property
    def shape(self):
        return self.value.shape

    @property
    def dtype(self):
        return self.value.dtype

    def numpy(self):
        return self.value


class Dense:
    def __init__(self, name, weights, input_shape, output_shape, **edges):
        self.name, self.weights = name, weights
        self.input_shape, self.output_shape = input_shape, output_shape
        vars(self).update(edges)


class TwoLayers:
    """relu(x @ w1 + b1) @ w2 + b2 with a squared loss, trained by gradient descent."""

    name = "two_layers"

    def __init__(self, features=4, hidden=3, seed=0):
        draw = np.random.default_rng(seed)
        self.weights = [
            Weight("first/kernel", draw.normal(size=(features, hidden))),
            Weight("first/bias", np.zeros(hidden)),
            Weight("second/kernel", draw.normal(size=(hidden, 1))),
            Weight("second/bias", np.zeros(1)),
        ]
        self.layers = [
            Dense("first", self.weights[:2], (None, features), (None, hidden)),
            Dense("second", self.weights[2:], (None, hidden), (None, 1)),
        ]
        self.optimizer = SimpleNamespace(learning_rate=0.02, iterations=0)
        self.stop_training = False
        self.saved = []
        self._gradients = {}

    def get_weights(self):
        return [weight.value for weight in self.weights]  # the buffers themselves, no copies

    def set_weights(self, values):
        for weight, value in zip(self.weights, values, strict=True):
            weight.value[...] = value

    def gradients(self):
        return self._gradients

    def save(self, path):
        self.saved.append(str(path))
        with open(path, "wb") as file:
            np.savez(file, *self.get_weights())

    save_weights = save

    def summary(self, print_fn=print):
        for layer in self.layers:
            print_fn(f"{layer.name:10} {layer.output_shape}")

    def _forward(self, x):
        w1, b1, w2, b2 = self.get_weights()
        hidden = np.maximum(x @ w1 + b1, 0)
        return hidden, hidden @ w2 + b2

    def loss(self, x, y):
        return float(np.mean((self._forward(x)[1] - y) ** 2))

    def step(self, x, y):
        hidden, output = self._forward(x)
        _, _, w2, _ = self.get_weights()
        d_output = (2 * (output - y) / len(x)).astype(np.float32)
        d_hidden = (d_output @ w2.T) * (hidden > 0)
        gradients = [x.T @ d_hidden, d_hidden.sum(0), hidden.T @ d_output, d_output.sum(0)]
        self._gradients = {w.name: g for w, g in zip(self.weights, gradients, strict=True)}
        for weight, gradient in zip(self.weights, gradients, strict=True):
            weight.value -= np.float32(self.optimizer.learning_rate) * gradient
        self.optimizer.iterations += 1

    def fit(
        self,
        callbacks=None,
        epochs=1,
        initial_epoch=0,
        steps=5,
        verbose=0,
        batch_size=8,
        after_epoch=lambda run: None,
    ):
        """Train on batches that are a function of the iteration alone."""
        self.stop_training = False
        params = {"epochs": epochs, "steps": steps, "verbose": verbose}
        with CallbackList(callbacks, True, True, model=self, **params) as run:
            run.on_train_begin()
            logs = {}
            for epoch in range(initial_epoch, epochs):
                if self.stop_training:
                    break
                run.on_epoch_begin(epoch)
                for batch in range(steps):
                    x, y = self.batch(self.optimizer.iterations, batch_size)
                    run.on_train_batch_begin(batch)
                    self.step(x, y)
                    run.on_train_batch_end(batch, CountedLogs(lambda x=x, y=y: self.loss(x, y)))
                    if self.stop_training:
                        break
                logs = {"loss": self.loss(x, y)}
                validation = self.evaluate(run)
                logs.update({f"val_{name}": value for name, value in validation.items()})
                run.on_epoch_end(epoch, logs)
                after_epoch(run)
            run.on_train_end(logs)
        return run.history

    def evaluate(self, run=None, callbacks=None, verbose=0, steps=2):
        if run is None:
            with CallbackList(
                callbacks, add_progbar=True, model=self, steps=steps, verbose=verbose
            ) as run:
                return self.evaluate(run, steps=steps)
        run.on_test_begin()
        losses = []
        for batch in range(steps):
            run.on_test_batch_begin(batch)
            losses.append(self.loss(*self.batch(1000 + batch)))
            run.on_test_batch_end(batch, {"loss": losses[-1]})
        logs = {"loss": float(np.mean(losses))}
        run.on_test_end(logs)
        return logs

    def batch(self, seed, size=8):
        x = np.random.default_rng(seed).normal(size=(size, len(self.weights[0].value)))
        x = x.astype(np.float32)
        return x, (x[:, :1] - 2 * x[:, 1:2]).astype(np.float32)
