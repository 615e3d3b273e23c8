"""Networks of every family of layers, each written once, for Keras and minpy alike.

`python -m benchmarks.worker benchmarks.families` is one library's process. Images, signals and
volumes have their channels at the end, which is Keras' default.
"""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy

__all__ = ["FAMILIES", "Bench", "Case"]


class Case(NamedTuple):
    """A network and what it is trained on."""

    model: Any
    x: Any
    y: numpy.ndarray
    loss: str
    batch: int


rng = numpy.random.default_rng(0)


def _some(*shape: int) -> numpy.ndarray:
    return rng.standard_normal(shape).astype("float32")


def _words(samples: int, length: int, words: int) -> numpy.ndarray:
    return rng.integers(1, words, (samples, length)).astype("int32")


def _yes_or_no(samples: int) -> numpy.ndarray:
    return rng.integers(0, 2, (samples, 1)).astype("float32")


def _text_cnn(k: Any) -> Case:
    layers = k.layers
    model = k.Sequential(
        [
            layers.Input((100,), dtype="int32"),
            layers.Embedding(5000, 64),
            layers.Conv1D(128, 5, activation="relu"),
            layers.GlobalMaxPooling1D(),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    return Case(model, _words(256, 100, 5000), _yes_or_no(256), "binary_crossentropy", 64)


def _dense_batch_norm(k: Any) -> Case:
    layers = k.layers
    parts = [layers.Input((64,))]
    for _ in range(4):
        parts += [
            layers.Dense(256, use_bias=False),
            layers.BatchNormalization(),
            layers.Activation("elu"),
            layers.Dropout(0.2),
        ]
    model = k.Sequential([*parts, layers.Dense(5)])
    return Case(model, _some(1024, 64), _some(1024, 5), "mse", 128)


def _tabular(k: Any) -> Case:
    layers = k.layers
    numbers, classes = layers.Input((100,)), layers.Input((8,), dtype="int32")
    known = layers.Flatten()(layers.Embedding(1000, 16)(classes))
    x = layers.Concatenate()([numbers, known])
    for _ in range(3):
        x = layers.Dense(128, activation="relu")(x)
    model = k.Model([numbers, classes], layers.Dense(1)(x))
    return Case(model, [_some(2048, 100), _words(2048, 8, 1000)], _some(2048, 1), "mse", 64)


def _separable(k: Any) -> Case:
    layers = k.layers
    parts = [
        layers.Input((32, 32, 3)),
        layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
    ]
    for filters, stride in ((64, 1), (128, 2), (128, 1), (256, 2)):
        parts += [
            layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2D(filters, 1, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
        ]
    model = k.Sequential([*parts, layers.GlobalAveragePooling2D(), layers.Dense(10)])
    return Case(model, _some(128, 32, 32, 3), _some(128, 10), "mse", 32)


def _unet(k: Any) -> Case:
    layers = k.layers

    def conv(filters: int) -> Any:
        return layers.Conv2D(filters, 3, padding="same", activation="relu")

    image = layers.Input((64, 64, 3))
    fine = conv(16)(image)
    middle = conv(32)(layers.MaxPooling2D(2)(fine))
    coarse = conv(64)(layers.MaxPooling2D(2)(middle))
    up = conv(32)(layers.Concatenate()([layers.UpSampling2D(2)(coarse), middle]))
    up = layers.Concatenate()([layers.Conv2DTranspose(16, 2, strides=2)(up), fine])
    model = k.Model(image, layers.Conv2D(1, 1)(conv(16)(up)))
    return Case(model, _some(32, 64, 64, 3), _some(32, 64, 64, 1), "mse", 8)


def _group_norm(k: Any) -> Case:
    layers = k.layers
    model = k.Sequential(
        [
            layers.Input((32, 32, 3)),
            layers.Conv2D(32, 3, padding="same"),
            layers.GroupNormalization(8),
            layers.Activation("silu"),
            layers.Conv2D(32, 3, padding="same", strides=2),
            layers.GroupNormalization(8),
            layers.Activation("silu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10),
        ]
    )
    return Case(model, _some(64, 32, 32, 3), _some(64, 10), "mse", 32)


def _generator(k: Any) -> Case:
    layers = k.layers
    model = k.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(7 * 7 * 64),
            layers.Reshape((7, 7, 64)),
            layers.Conv2DTranspose(32, 4, strides=2, padding="same"),
            layers.BatchNormalization(),
            layers.LeakyReLU(0.2),
            layers.Conv2DTranspose(1, 4, strides=2, padding="same", activation="tanh"),
        ]
    )
    return Case(model, _some(128, 64), _some(128, 28, 28, 1), "mse", 32)


def _volumes(k: Any) -> Case:
    layers = k.layers
    model = k.Sequential(
        [
            layers.Input((16, 16, 16, 1)),
            layers.Conv3D(16, 3, activation="relu"),
            layers.MaxPooling3D(2),
            layers.Conv3D(32, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )
    return Case(model, _some(32, 16, 16, 16, 1), _some(32, 3), "mse", 16)


def _causal(k: Any) -> Case:
    layers = k.layers
    parts = [layers.Input((128, 16))]
    for rate in (1, 2, 4, 8):
        parts += [
            layers.Conv1D(32, 3, dilation_rate=rate, padding="causal", activation="relu"),
            layers.LayerNormalization(),
        ]
    model = k.Sequential([*parts, layers.Dense(1)])
    return Case(model, _some(64, 128, 16), _some(64, 128, 1), "mse", 32)


def _bidirectional(k: Any) -> Case:
    layers = k.layers
    model = k.Sequential(
        [
            layers.Input((50,), dtype="int32"),
            layers.Embedding(3000, 64, mask_zero=True),
            layers.Bidirectional(layers.LSTM(64, return_sequences=True)),
            layers.Bidirectional(layers.LSTM(32)),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    return Case(model, _words(128, 50, 3000), _yes_or_no(128), "binary_crossentropy", 32)


def _recurrent_dropout(k: Any) -> Case:
    layers = k.layers
    model = k.Sequential(
        [
            layers.Input((28, 28)),
            layers.GRU(64, recurrent_dropout=0.2, return_sequences=True),
            layers.GRU(64),
            layers.Dense(10),
        ]
    )
    return Case(model, _some(128, 28, 28), _some(128, 10), "mse", 32)


def _conv_lstm(k: Any) -> Case:
    layers = k.layers
    model = k.Sequential(
        [
            layers.Input((6, 16, 16, 1)),
            layers.ConvLSTM2D(16, 3, padding="same"),
            layers.Conv2D(1, 3, padding="same"),
        ]
    )
    return Case(model, _some(32, 6, 16, 16, 1), _some(32, 16, 16, 1), "mse", 16)


def _attention(k: Any) -> Case:
    layers = k.layers
    x = tokens = layers.Input((64, 64))
    for _ in range(2):
        seen = layers.MultiHeadAttention(4, 16)(x, x)
        x = layers.LayerNormalization()(layers.Add()([x, seen]))
        deeper = layers.Dense(64)(layers.Dense(128, activation="gelu")(x))
        x = layers.LayerNormalization()(layers.Add()([x, deeper]))
    model = k.Model(tokens, layers.Dense(5)(layers.GlobalAveragePooling1D()(x)))
    return Case(model, _some(128, 64, 64), _some(128, 5), "mse", 32)


def _einsum(k: Any) -> Case:
    layers = k.layers
    model = k.Sequential(
        [
            layers.Input((32, 64)),
            layers.EinsumDense("btd,dhk->bthk", (32, 4, 32), bias_axes="hk", activation="gelu"),
            layers.EinsumDense("bthk,hkd->btd", (32, 64), bias_axes="d"),
            layers.RMSNormalization(),
            layers.Flatten(),
            layers.Dense(5),
        ]
    )
    return Case(model, _some(256, 32, 64), _some(256, 5), "mse", 32)


# Name → what it is, and the function that makes it of a library.
FAMILIES: dict[str, tuple[str, Callable[[Any], Case]]] = {
    "tabular": ("3 × Dense 128 beside embedded columns, batch 64", _tabular),
    "dense, batch norm": ("4 × Dense 256, batch norm, ELU, dropout, batch 128", _dense_batch_norm),
    "text, convolution": ("Embedding, Conv1D 128, maximum, 100 words, batch 64", _text_cnn),
    "separable": ("5 depthwise separable blocks, batch norm, 32×32×3, batch 32", _separable),
    "U-net": ("3 levels, 64×64×3, batch 8", _unet),
    "group norm": ("2 × Conv2D 32, group norm, SiLU, 32×32×3, batch 32", _group_norm),
    "generator": ("2 × Conv2DTranspose, batch norm, 28×28, batch 32", _generator),
    "volumes": ("2 × Conv3D, 16×16×16, batch 16", _volumes),
    "causal": ("4 × dilated causal Conv1D, layer norm, 128 steps, batch 32", _causal),
    "two directions": ("2 × bidirectional LSTM with masks, 50 words, batch 32", _bidirectional),
    "recurrent dropout": ("GRU 64 with recurrent dropout, GRU 64, batch 32", _recurrent_dropout),
    "convolutional LSTM": ("ConvLSTM2D 16, 6 × 16×16, batch 16", _conv_lstm),
    "attention": ("2 blocks of 4 heads, GELU, layer norm, 64 steps, batch 32", _attention),
    "einsum": ("2 × EinsumDense, RMS norm, 32 steps, batch 32", _einsum),
}


def versions() -> dict[str, str]:
    """Return nothing: the library is imported by `Bench`, once it is known."""
    return {}


class Bench:
    """Trains the network of a family, a turn at a time.

    Parameters
    ----------
    module
        This one.
    library
        What to import: ``'keras'``, or ``'minpy'``.
    family
        A key of `FAMILIES`.
    """

    def __init__(self, module: Any, library: str, family: str) -> None:
        keras = importlib.import_module(library)
        keras.config.set_image_data_format("channels_last")
        case = FAMILIES[family][1](keras)
        case.model.compile("adam", case.loss)
        self._case = case
        self._steps = math.ceil(len(case.y) / case.batch)
        self._fit(1)
        start = time.perf_counter()
        self._fit(1)
        self._seconds = time.perf_counter() - start

    def _fit(self, epochs: int) -> float:
        case = self._case
        history = case.model.fit(
            case.x, case.y, batch_size=case.batch, epochs=epochs, verbose=0, shuffle=False
        )
        return float(history.history["loss"][-1])

    def train(self, seconds: float) -> dict[str, Any]:
        """Train for about so long, whole epochs; return ms a step and the last loss."""
        epochs = max(1, round(seconds / max(self._seconds, 1e-6)))
        start = time.perf_counter()
        loss = self._fit(epochs)
        spent = time.perf_counter() - start
        self._seconds = spent / epochs
        if not math.isfinite(loss):
            raise FloatingPointError(f"the loss became {loss}")
        return {"ms": spent / (epochs * self._steps) * 1e3, "loss": loss}
