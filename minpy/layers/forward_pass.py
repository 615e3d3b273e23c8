"""What holds for a whole forward pass: its mode, and what layers add to its loss and logs."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

__all__ = ["added_metrics", "call_context", "forward_pass"]


class _CallContext(threading.local):
    """What holds for a whole forward pass: training or not, and the loss terms that layers add."""

    training: bool | None = None  # None where nobody has said
    losses: list[Any] | None = None
    metrics: dict[str, list[Any]] | None = None
    depth: int = 0
    running: Any = None  # the layer that is being called, the innermost
    masks_seen_to: bool = False  # by the layer around: the ones inside needn't warn


call_context = _CallContext()


@contextlib.contextmanager
def forward_pass(training: bool) -> Iterator[list[Any]]:
    """Run a forward pass in a mode; yields the list of loss terms that layers add."""
    before = call_context.training, call_context.losses
    metrics = call_context.metrics
    call_context.training, call_context.losses, call_context.metrics = training, [], {}
    try:
        yield call_context.losses
    finally:
        call_context.training, call_context.losses = before
        if before[1] is not None:  # of a pass around this one, whose metrics go on
            call_context.metrics = metrics


def added_metrics() -> dict[str, Any]:
    """Return what `Layer.add_metric` was told in the last forward pass, and forget it."""
    told, call_context.metrics = call_context.metrics or {}, None
    return {name: sum(values[1:], values[0]) / len(values) for name, values in told.items()}
