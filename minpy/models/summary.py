"""The table that `summary` prints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["print_summary"]


def print_summary(model: Any, line_length: int | None, print_fn: Callable | None) -> None:
    """Print a model's layers with their output shapes and numbers of weights."""
    say = print if print_fn is None else print_fn
    rows = [_row(layer) for layer in model.layers]
    direct = [(f"{p.name} (parameter)", str(p.shape), p.size) for p in model._parameters.values()]
    rows = [*direct, *rows]
    header = ("Layer (type)", "Output Shape", "Param #")
    shown = [header, *((a, b, f"{n:,}") for a, b, n in rows)]
    width = (line_length or 80) - 4
    widths = [max(len(row[i]) for row in shown) for i in range(3)]
    # The name column gives way first: shapes and counts are what the table is for.
    widths[0] = max(12, min(widths[0], width - widths[1] - widths[2]))
    total = sum(widths) + 4

    def line(row: tuple[str, str, str]) -> str:
        name = row[0] if len(row[0]) <= widths[0] else row[0][: widths[0] - 1] + "…"
        return f"{name:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]:>{widths[2]}}"

    say(f'Model: "{model.name}"')
    say("─" * total)
    say(line(header))
    say("═" * total)
    for row in shown[1:]:
        say(line(row))
    say("─" * total)
    everything = model.weights
    if not everything and rows and any(not layer.built for layer in model.layers):
        say("The weights are made at the first use; give the first layer an input_shape for more.")
        return
    trained = sum(p.size for p in model.trainable_weights)
    count = sum(p.size for p in everything)
    size = sum(p.size * p.dtype.itemsize for p in everything)
    say(f"Total params: {count:,} ({_bytes(size)})")
    say(f"Trainable params: {trained:,}")
    say(f"Non-trainable params: {count - trained:,}")


def _row(layer: Any) -> tuple[str, str, int]:
    shape = "?" if layer.output_shape is None else str(layer.output_shape)
    return f"{layer.name} ({type(layer).__name__})", shape, layer.count_params()


def _bytes(count: float) -> str:
    for unit in ("B", "KB", "MB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.2f} {unit}"
        count /= 1024
    return f"{count:.2f} GB"
