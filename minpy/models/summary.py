"""The table that `summary` prints: as Keras lays it out, with its widths and its line breaks.

It must not know how a model computes.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from typing import Any

from minpy.layers.calls import is_shape, map_shapes
from minpy.layers.core.operation import Operation

__all__ = ["print_summary"]

# Title, alignment; Keras' shares of the line, of a chain and of a graph.
_COLUMNS = (("Layer (type)", "<"), ("Output Shape", "<"), ("Param #", ">"), ("Connected to", "<"))
_CHAIN = (88, (0.45, 0.80, 1.0))
_GRAPH = (108, (0.3, 0.56, 0.74, 1.0))
_TRAINABLE = ("Trainable", "^")


def print_summary(
    model: Any,
    line_length: int | None = None,
    positions: Any = None,
    print_fn: Callable[[str], Any] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Any = None,
) -> None:
    """Print a model's layers with their output shapes and numbers of weights; see `Model`."""
    say = print if print_fn is None else print_fn
    chain = is_chain(model)
    usual, shares = _CHAIN if chain else _GRAPH
    columns = list(_COLUMNS[:3] if chain else _COLUMNS)
    shares = list(shares if positions is None else positions)
    if show_trainable:
        usual += 12
        columns.append(_TRAINABLE)
        if positions is None:
            shares = [*(share * 0.9 for share in shares), 1.0]
    if len(shares) != len(columns):
        raise ValueError(
            f"summary: expected {len(columns)} positions, one a column, got {len(shares)}"
        )
    length = line_length or min(usual, shutil.get_terminal_size().columns - 4)
    widths = _widths(shares, length)
    say(f'Model: "{model.name}"')
    rows = [
        _row(model, layer, prefix, chain)
        for layer, prefix in _shown(model, expand_nested, layer_range)
    ]
    if not show_trainable:
        rows = [row[:-1] for row in rows]
    for line in _table(columns, rows, widths):
        say(line)
    for what, count, size in _totals(model):
        say(f" {what} params: {count:,} ({_bytes(size)})")


def is_chain(model: Any) -> bool:
    """Say whether a model is one layer after the other, each used once."""
    graph = getattr(model, "_graph", None)
    if graph is None or hasattr(model, "_stack"):
        return True
    at_depth = [graph.depths[id(node)] for node in graph.nodes]
    layers = [id(node.layer) for node in graph.nodes]
    return (
        len(set(at_depth)) == len(at_depth)
        and len(set(layers)) == len(layers)
        and all(len(node.input_tensors) <= 1 for node in graph.nodes)
    )


# --- what is shown --------------------------------------------------------------------------------


def _shown(model: Any, expand_nested: bool, layer_range: Any) -> Iterator[tuple[Any, str]]:
    layers = list(model._parameters.values()) + list(_listed(model))
    for layer in _between(layers, layer_range):
        yield from _with_inner(layer, 0, expand_nested)


def _listed(model: Any) -> list[Any]:
    return model.layers if hasattr(model, "_stack") else model.operations


def _between(layers: list[Any], layer_range: Any) -> list[Any]:
    if layer_range is None:
        return layers
    if len(layer_range) != 2 or not all(isinstance(name, str) for name in layer_range):
        raise ValueError(f"layer_range: expected two names or patterns, got {layer_range!r}")
    first, last = (
        [i for i, layer in enumerate(layers) if re.match(name, layer.name)] for name in layer_range
    )
    if not first or not last:
        missing = layer_range[0] if not first else layer_range[1]
        raise ValueError(
            f"layer_range: no layer matches {missing!r}; there are "
            + ", ".join(repr(layer.name) for layer in layers)
        )
    start, stop = min(first), max(last)
    if start > stop:
        start, stop = min(last), max(first)
    return layers[start : stop + 1]


def _with_inner(layer: Any, level: int, expand: bool) -> Iterator[tuple[Any, str]]:
    yield layer, "   " * level + "└ " if level else ""
    if expand:
        for inner in getattr(layer, "layers", None) or ():
            yield from _with_inner(inner, level + 1, expand)


def _row(model: Any, layer: Any, prefix: str, chain: bool) -> list[str]:
    """Return name, shape, number of weights, connections in a graph, and whether it trains."""
    if not hasattr(layer, "count_params"):  # a parameter of the model's own
        trains = "Y" if layer.trainable and model.trainable else "N"
        row = [f"{prefix}{layer.name} (Parameter)", _shape(layer.shape), f"{layer.size:,}"]
        return [*row, *([] if chain else ["-"]), trains]
    kind = layer.label if isinstance(layer, Operation) else type(layer).__name__
    params = f"{layer.count_params():,}" if layer.built else "0 (unbuilt)"
    row = [f"{prefix}{layer.name} ({kind})", _shape(layer.output_shape), params]
    if not chain:
        row.append(_connections(model, layer))
    trains = "-" if not layer.weights else "Y" if layer.trainable else "N"
    return [*row, trains]


def _shape(shape: Any) -> str:
    if shape is None:
        return "?"
    if is_shape(shape):
        return "(" + ", ".join(map(str, shape)) + ")"
    return str(map_shapes(_shape, shape)).replace("'", "")


def _connections(model: Any, layer: Any) -> str:
    graph = model._graph
    found = []
    for node in graph.nodes:
        if node.layer is layer and id(layer) in graph.names:
            for tensor in node.input_tensors:
                history = tensor._keras_history
                found.append(
                    f"{history.operation.name}[{history.node_index}][{history.tensor_index}]"
                )
    return ", ".join(found) or "-"


def _totals(model: Any) -> Iterator[tuple[str, int, int]]:
    def weigh(arrays: Any) -> tuple[int, int]:
        sizes = [(a.size, a.size * a.dtype.itemsize) for a in arrays]
        return sum(n for n, _ in sizes), sum(n for _, n in sizes)

    trained, others = weigh(model.trainable_weights), weigh(model.non_trainable_weights)
    optimizer = getattr(model, "_optimizer", None)
    state = (0, 0)
    if optimizer is not None and optimizer.built:
        # Slots hold a number for each that is trained. Keras counts the number of steps (8 bytes)
        # and the learning rate (4) too.
        slots = len(optimizer.slots)
        state = (slots * trained[0] + 2, slots * trained[1] + 12)
    parts = (trained, others, state)
    yield "Total", sum(n for n, _ in parts), sum(n for _, n in parts)
    yield ("Trainable", *trained)
    yield ("Non-trainable", *others)
    if state[0]:
        yield ("Optimizer", *state)


def _bytes(count: float) -> str:
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if count < 1024:
            return f"{count:.2f} {unit}"
        count /= 1024
    return f"{count:.2f} PB"


# --- how it is laid out ---------------------------------------------------------------------------


def _widths(shares: list[float], length: int) -> list[int]:
    """Return the columns' widths with a space on each side.

    The columns are as wide as their shares of the line say; what borders and spaces take is taken
    from all of them alike.
    """
    ends = [int(share * length) if share <= 1 else int(share) for share in shares]
    widths = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    if min(widths) < 4:
        raise ValueError(f"summary: a line of {length} characters is too narrow for the table")
    widths = [width + 2 for width in widths]
    excess = sum(widths) - (length - len(widths) - 1)
    for i in range(len(widths)):
        part = round(excess / (len(widths) - i))
        widths[i] -= part
        excess -= part
    return widths


def _table(
    columns: list[tuple[str, str]], rows: list[list[str]], widths: list[int]
) -> Iterator[str]:
    def ruled(left: str, line: str, between: str, right: str) -> str:
        return left + between.join(line * width for width in widths) + right

    def lines(cells: list[str], edge: str) -> Iterator[str]:
        wrapped = [_wrap(cell, width - 2) for cell, width in zip(cells, widths, strict=True)]
        for i in range(max(map(len, wrapped))):
            shown = [part[i] if i < len(part) else "" for part in wrapped]
            yield (
                edge
                + edge.join(
                    f" {text:{align}{width - 2}} "
                    for text, width, (_, align) in zip(shown, widths, columns, strict=True)
                )
                + edge
            )

    yield ruled("┏", "━", "┳", "┓")
    yield from lines([title for title, _ in columns], "┃")
    yield ruled("┡", "━", "╇", "┩")
    for i, row in enumerate(rows):
        if i:
            yield ruled("├", "─", "┼", "┤")
        yield from lines(row, "│")
    yield ruled("└", "─", "┴", "┘")


def _wrap(text: str, width: int) -> list[str]:
    """Break a text at spaces into lines of a width; longer words are cut."""
    lines = [""]
    for word in re.findall(r"\s*\S+\s*", text):
        if lines[-1] and len(lines[-1]) + len(word.rstrip()) > width:
            lines.append("")
        lines[-1] += word
    lines = [line.rstrip() for line in lines]
    return [line if len(line) <= width else f"{line[: width - 1]}…" for line in lines]
