"""Pictures of models: their graph in Graphviz' language, and that as PNG, SVG or PDF.

It must not run a model. The program ``dot`` of Graphviz draws; nothing here needs it but to draw.
"""

from __future__ import annotations

import html
import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from minpy.autograd.containers import map_leaves
from minpy.layers.calls import is_shape, map_shapes
from minpy.layers.core.input_layer import InputLayer
from minpy.layers.core.operation import Operation
from minpy.layers.symbolic import symbolic_leaves

__all__ = ["model_to_dot", "plot_model", "to_dot"]

_DIRECTIONS = ("TB", "BT", "LR", "RL")


def to_dot(
    model: Any,
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
) -> str:
    """Return a model's graph in Graphviz' language: a box a layer, an arrow a tensor.

    Parameters
    ----------
    model
        A model. One without a graph (a class of one's own) is a single box.
    show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable
        What stands in the boxes beside the layer's class.
    rankdir
        ``'TB'``: the input on top; ``'LR'``: on the left.
    expand_nested
        Whether models inside the model are shown with their layers, in a frame.
    dpi
        Dots an inch of the picture.
    splines
        How arrows run: ``'ortho'``, ``'curved'``, ``'polyline'``, ``'spline'`` or ``'line'``.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If the model has no weights yet, or `rankdir` is none.

    Examples
    --------
    >>> from minpy.models import Sequential
    >>> from minpy.layers import Dense
    >>> text = to_dot(Sequential([Dense(2, input_shape=(3,)), Dense(1)]), show_layer_names=True)
    >>> '<b>dense_1</b>' in text, text.count('->')
    (True, 1)
    """
    if not model.built:
        raise ValueError(
            f"{model.name} isn't built yet: call it on data, give its first layer an Input, or "
            "model.build(input_shape)"
        )
    if rankdir not in _DIRECTIONS:
        raise ValueError(f"rankdir: expected one of {', '.join(_DIRECTIONS)}, got {rankdir!r}")
    shown = {
        "names": show_layer_names,
        "shapes": show_shapes,
        "dtype": show_dtype,
        "activations": show_layer_activations,
        "trainable": show_trainable,
    }
    drawing = _Drawing(shown, expand_nested)
    lines = list(drawing.model(model, "  ")) if _has_graph(model) else [drawing.box(model, "  ")]
    edges = list(dict.fromkeys(drawing.edges))
    return "\n".join(
        [
            "digraph model {",
            f"  rankdir={rankdir}; concentrate=true; dpi={int(dpi)}; splines={splines};",
            "  node [shape=plain, fontname=Helvetica, margin=0];",
            *lines,
            *(f"  {source} -> {target};" for source, target in edges),
            "}",
            "",
        ]
    )


def model_to_dot(
    model: Any,
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    subgraph: bool = False,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
) -> str:
    """Return a model's graph as `to_dot` does, with the layers' names unless told otherwise.

    Parameters
    ----------
    model, show_shapes, show_dtype, show_layer_names, rankdir, expand_nested, dpi, splines
        As of `to_dot`.
    subgraph
        Must be False: a text has no part to put into another graph; `expand_nested` draws those.
    show_layer_activations, show_trainable
        As of `to_dot`.
    """
    if subgraph:
        raise ValueError("model_to_dot: subgraph=True isn't there; use expand_nested=True")
    return to_dot(
        model,
        show_shapes,
        show_dtype,
        show_layer_names,
        rankdir,
        expand_nested,
        dpi,
        show_layer_activations,
        show_trainable,
        splines,
    )


def plot_model(
    model: Any, to_file: Any = "model.png", show_shapes: bool = False, **options: Any
) -> Path:
    """Draw a model's graph into a file.

    Parameters
    ----------
    model
        A model.
    to_file
        Where to. The ending says what: ``.png``, ``.svg``, ``.pdf``, or ``.dot`` for the text that
        Graphviz reads, which needs no other program.
    show_shapes, options
        As of `to_dot`.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    FileNotFoundError
        If Graphviz isn't installed; the file is then not written.
    ValueError
        If the ending is of no picture.

    Examples
    --------
    >>> import tempfile, os
    >>> from minpy.models import Sequential
    >>> from minpy.layers import Dense
    >>> folder = tempfile.mkdtemp()
    >>> plot_model(Sequential([Dense(2, input_shape=(3,))]), os.path.join(folder, 'm.dot')).name
    'm.dot'
    """
    path = Path(os.fspath(to_file))
    kind = path.suffix.lstrip(".").lower()
    if not kind:
        path, kind = path.with_suffix(".png"), "png"
    if kind not in ("png", "svg", "pdf", "dot", "jpg", "gif"):
        raise ValueError(f"plot_model: expected a .png, .svg, .pdf or .dot file, got {path.name!r}")
    text = to_dot(model, show_shapes, **options)
    if kind == "dot":
        path.write_text(text)
        return path
    program = shutil.which("dot")
    if program is None:
        raise FileNotFoundError(
            "plot_model draws with Graphviz, and its program dot isn't on the PATH; install it "
            "(apt-get install graphviz, or brew install graphviz), or write the graph itself: "
            f"plot_model(model, {str(path.with_suffix('.dot'))!r})"
        )
    # Written beside the old file, which stays as it was if Graphviz fails.
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        done = subprocess.run(
            [program, f"-T{kind}", "-o", str(beside)],
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise OSError(f"dot couldn't draw {model.name}: {done.stderr.strip()}")
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    return path


# --- boxes and arrows -----------------------------------------------------------------------------


def _has_graph(model: Any) -> bool:
    return hasattr(model, "_stack") or getattr(model, "_graph", None) is not None


class _Drawing:
    """The boxes drawn so far, by layer, and the arrows between them."""

    def __init__(self, shown: dict[str, bool], expand: bool) -> None:
        self.shown = shown
        self.expand = expand
        self.edges: list[tuple[str, str]] = []
        self._ids: dict[int, str] = {}
        self._frames = 0

    def model(self, model: Any, indent: str) -> Iterator[str]:
        """Yield the boxes of a model's layers; enters their arrows."""
        layers = model.layers if hasattr(model, "_stack") else model.operations
        for layer in layers:
            if self._expands(layer):
                self._frames += 1
                yield f"{indent}subgraph cluster_{self._frames} {{"
                yield f'{indent}  style=dashed; labeljust=l; label="{_quoted(layer.name)}";'
                yield from self.model(layer, indent + "  ")
                yield f"{indent}}}"
            else:
                yield self.box(layer, indent)
        if hasattr(model, "_stack"):
            for before, after in itertools.pairwise(layers):
                self._connect(self._ends(before), self._starts(after))
            return
        for node in model._graph.nodes:
            for i, tensor in enumerate(node.input_tensors):
                if isinstance(node.layer, InputLayer) or tensor._node is None:
                    continue
                ends = self._ends(model._graph.source(tensor).layer)
                starts = self._starts(node.layer)
                self._connect(
                    ends[tensor._index : tensor._index + 1] or ends[:1],
                    starts[i : i + 1] or starts[:1],
                )

    def box(self, layer: Any, indent: str) -> str:
        """Return the box of a layer."""
        name = self._ids.setdefault(id(layer), f"layer{len(self._ids)}")
        return f"{indent}{name} [label=<{_label(layer, self.shown)}>];"

    def _expands(self, layer: Any) -> bool:
        return self.expand and _has_graph(layer)

    def _connect(self, sources: list[str], targets: list[str]) -> None:
        self.edges.extend((source, target) for source in sources for target in targets)

    def _starts(self, layer: Any) -> list[str]:
        """Return the boxes that a layer's inputs lead to."""
        if not self._expands(layer):
            return [self._ids[id(layer)]]
        if hasattr(layer, "_stack"):
            return self._starts(layer.layers[0])
        return [self._ids[id(t._node.layer)] for t in layer._graph.inputs]

    def _ends(self, layer: Any) -> list[str]:
        """Return the boxes that a layer's outputs come from."""
        if not self._expands(layer):
            return [self._ids[id(layer)]]
        if hasattr(layer, "_stack"):
            return self._ends(layer.layers[-1])
        found = []
        for tensor in layer._graph.outputs:
            ends = self._ends(layer._graph.source(tensor).layer)
            found.append((ends[tensor._index : tensor._index + 1] or ends)[0])
        return found


def _label(layer: Any, shown: dict[str, bool]) -> str:
    kind = layer.label if isinstance(layer, Operation) else type(layer).__name__
    cells = []
    if shown["shapes"]:
        if not isinstance(layer, InputLayer):
            cells.append(("white", "black", f"Input shape: <b>{_shape(layer.input_shape)}</b>"))
        cells.append(("white", "black", f"Output shape: <b>{_shape(layer.output_shape)}</b>"))
    if shown["dtype"]:
        cells.append(("white", "black", f"Output dtype: <b>{_dtype(layer)}</b>"))
    if shown["trainable"] and layer.weights:
        color = "forestgreen" if layer.trainable else "firebrick"
        trains = "Trainable" if layer.trainable else "Non-trainable"
        cells.append((color, "white", f"<b>{trains}</b>"))
    span = max(1, len(cells))
    rows = []
    title = f"<b>{html.escape(kind)}</b>"
    if shown["names"]:
        title = f"<b>{html.escape(layer.name)}</b> ({html.escape(kind)})"
    rows.append(
        f'<tr><td colspan="{span}" bgcolor="black"><font point-size="16" color="white">'
        f"{title}</font></td></tr>"
    )
    activation = getattr(layer, "activation", None)
    if shown["activations"] and activation is not None:
        name = getattr(activation, "__name__", None) or getattr(activation, "name", "")
        rows.append(
            f'<tr><td colspan="{span}" bgcolor="white"><font point-size="14">'
            f"Activation: <b>{html.escape(name or type(activation).__name__)}</b></font></td></tr>"
        )
    if cells:
        rows.append(
            "<tr>"
            + "".join(
                f'<td bgcolor="{back}"><font point-size="14" color="{front}">{text}</font></td>'
                for back, front, text in cells
            )
            + "</tr>"
        )
    return (
        '<table border="0" cellborder="1" bgcolor="black" cellpadding="10">'
        + "".join(rows)
        + "</table>"
    )


def _shape(shape: Any) -> str:
    if shape is None:
        return "?"
    if is_shape(shape):
        return str(tuple(shape))
    return html.escape(str(map_shapes(str, shape)).replace("'", ""), quote=False)


def _dtype(layer: Any) -> str:
    nodes = layer._inbound_nodes
    if not nodes:
        return layer.__dict__["dtype"].name
    outputs = nodes[-1].outputs
    if len(list(symbolic_leaves([outputs]))) == 1:
        return nodes[-1].output_tensors[0].dtype.name
    return html.escape(str(map_leaves(lambda t: t.dtype.name, outputs)).replace("'", ""))


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
