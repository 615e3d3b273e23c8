"""The libraries that are measured, as data: the file that speaks each, and how it is started.

A file has `versions()` and `build(workload, batch, x, y, weights, **options)`, which returns an
object with ``train(epochs, shuffle)``, ``first_step()`` and ``predict()``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

OURS = "minpy"  # the environment that minpy is installed in
THEIRS = "peers"  # the environment that `make bench` makes


class NotYet(Exception):
    """The library doesn't have a layer that the workload needs."""


@dataclass(frozen=True)
class Peer:
    """One library in one way of using it."""

    name: str
    module: str
    imports: str
    environment: str = THEIRS
    options: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    is_minpy: bool = False


def _keras(backend: str) -> Peer:
    variables = {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return Peer(f"keras-{backend}", "keras_peer", "import keras", variables=variables)


_TRAINING = "import minpy.models, minpy.layers, minpy.optimizers"
_ALL = (
    Peer("minpy", "minpy_peer", _TRAINING, OURS, {"jit": "auto"}, is_minpy=True),
    Peer("minpy-eager", "minpy_peer", _TRAINING, OURS, {"jit": False}, is_minpy=True),
    _keras("tensorflow"),
    _keras("jax"),
    _keras("torch"),
    Peer("torch", "torch_peer", "import torch"),
    Peer("torch-compile", "torch_peer", "import torch", options={"compiled": True}),
    Peer("jax", "jax_peer", "import jax, optax"),
    Peer("gluon", "gluon_peer", "import numpy; numpy.bool = bool; import mxnet.gluon", OURS),
)

PEERS = {peer.name: peer for peer in _ALL}
