"""The arguments that all optimizers share: their order, and what they may be."""

from __future__ import annotations

import math
from typing import Any

import numpy

__all__ = ["SHARED_ARGUMENTS", "check_fraction", "check_shared"]

# What constructors take by place behind their own arguments: Keras' order.
SHARED_ARGUMENTS = {
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
    "name": None,
}


def check_shared(
    owner: Any,
    weight_decay: Any,
    clipnorm: Any,
    clipvalue: Any,
    global_clipnorm: Any,
    ema_momentum: Any,
    ema_overwrite_frequency: Any,
    loss_scale_factor: Any,
    gradient_accumulation_steps: Any,
) -> None:
    """Raise `ValueError` unless the arguments of every optimizer are what they may be."""
    who = type(owner).__name__
    clipping = {
        "clipnorm": clipnorm,
        "clipvalue": clipvalue,
        "global_clipnorm": global_clipnorm,
    }
    told = [f"{k}={v}" for k, v in clipping.items() if v is not None]
    if len(told) > 1:
        raise ValueError(
            f"{who}: expected at most one of clipnorm, clipvalue and "
            f"global_clipnorm, got {', '.join(told)}"
        )
    for key, value in {**clipping, "weight_decay": weight_decay}.items():
        if value is not None and not (_is_number(value) and value >= 0):
            raise ValueError(f"{who}: expected {key} to be a number ≥ 0 or None, got {value!r}")
    check_fraction(owner, "ema_momentum", ema_momentum)
    counts = {
        "ema_overwrite_frequency": ema_overwrite_frequency,
        "gradient_accumulation_steps": gradient_accumulation_steps,
    }
    for key, value in counts.items():
        if value is not None and (
            not isinstance(value, int) or isinstance(value, bool) or value < 1
        ):
            raise ValueError(
                f"{who}: expected {key} to be a whole number ≥ 1 or None, got {value!r}"
            )
    if loss_scale_factor is not None and not (
        _is_number(loss_scale_factor) and 0 < loss_scale_factor < math.inf
    ):
        raise ValueError(
            f"{who}: expected loss_scale_factor to be a finite number > 0 or None, got "
            f"{loss_scale_factor!r}"
        )


def check_fraction(owner: Any, name: str, value: Any) -> None:
    """Raise `ValueError` unless an argument is a number from 0 to 1."""
    if not _is_number(value) or not 0 <= value <= 1:
        raise ValueError(f"{type(owner).__name__}: expected {name} from 0 to 1, got {value!r}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | numpy.integer | numpy.floating) and not isinstance(
        value, bool
    )
