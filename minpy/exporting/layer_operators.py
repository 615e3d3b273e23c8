"""The table of layers' operations: which ONNX nodes each primitive of the layer functions becomes.

It fills the same table as `operators`, and must not know any layer class.
"""

from __future__ import annotations

from typing import Any

import numpy

from minpy.exporting.graph import Graph, NotExportable
from minpy.exporting.operators import becomes, dtype_of, shape_of
from minpy.exporting.recording import Value

# --- convolution and pooling ----------------------------------------------------------------------


def _pads(pads: Any) -> list[int]:
    """Return padding as ONNX has it: before each axis, then after each."""
    return [int(a) for a, _ in pads] + [int(b) for _, b in pads]


@becomes("convolution")
def _convolution(g: Graph, out: Value, x: Any, w: Any, b: Any, geometry: Any) -> str:
    given = [g.tensor(a, out.dtype) for a in (x, w, b) if a is not None]
    return g.op(
        "Conv",
        *given,
        kernel_shape=list(geometry.window),
        strides=list(geometry.stride),
        dilations=list(geometry.dilation),
        pads=_pads(geometry.pads),
        group=geometry.groups,
    )


@becomes("convolution_to_input")
def _transposed_convolution(g: Graph, out: Value, y: Any, w: Any, geometry: Any) -> str:
    n = geometry
    # Columns behind the last window that the convolution skips: zeros, or a bias.
    missing = [
        size + sum(pad) - (t * (count - 1) + reach)
        for size, pad, t, count, reach in zip(
            n.size, n.pads, n.stride, n.after, n.reach, strict=True
        )
    ]
    before = [int(a) for a, _ in n.pads]
    after = [int(b) for _, b in n.pads]
    # What is missing is less padding to cut off, or else more of the output.
    more = [max(0, m - b) for m, b in zip(missing, after, strict=True)]
    after = [max(0, b - m) for m, b in zip(missing, after, strict=True)]
    found = g.op(
        "ConvTranspose",
        g.tensor(y, out.dtype),
        g.tensor(w, out.dtype),
        kernel_shape=list(n.window),
        strides=list(n.stride),
        dilations=list(n.dilation),
        pads=before + after,
        group=n.groups,
    )
    if any(more):  # which nothing reaches; an operator's own is shorter than a stride
        widths = [0] * (2 + len(more)) + [0, 0, *more]
        zero = g.constant(0, out.dtype)
        found = g.op("Pad", found, g.constant(widths, "int64"), zero, mode="constant")
    return found


def _column(g: Graph, x: Any, dtype: Any, ndim: int, axis: int = 1) -> str:
    """Return a number for each channel as an array that broadcasts over the other axes."""
    shape = [1] * ndim
    shape[axis] = -1
    return g.op("Reshape", g.tensor(x, dtype), g.constant(shape, "int64"))


@becomes("biased")
def _biased(g: Graph, out: Value, x: Any, b: Any) -> str:
    return g.op("Add", g.tensor(x), _column(g, b, out.dtype, len(out.shape)))


def _pooled(g: Graph, kind: str, out: Value, x: Any, geometry: Any, value: float, **told: Any):
    n, found = geometry, g.tensor(x, out.dtype)
    pads = _pads(n.pads)
    if any(max(pad) >= w for pad, w in zip(n.pads, n.window, strict=True)):
        # Wider than the operators take; averages have then windows without an element.
        if kind == "AveragePool" and not n.count_padding:
            raise NotExportable("an average over padding alone")
        widths = [0, 0, *pads[: len(n.pads)], 0, 0, *pads[len(n.pads) :]]
        fill = g.constant(value, out.dtype)
        found = g.op("Pad", found, g.constant(widths, "int64"), fill, mode="constant")
        pads = [0] * len(pads)
    shape = {"kernel_shape": list(n.window), "strides": list(n.stride), "pads": pads}
    return g.op(kind, found, **shape, **told)


@becomes("max_pool")
def _max_pool(g: Graph, out: Value, x: Any, geometry: Any) -> str:
    return _pooled(g, "MaxPool", out, x, geometry, -numpy.inf)


@becomes("avg_pool")
def _avg_pool(g: Graph, out: Value, x: Any, geometry: Any) -> str:
    counted = int(geometry.count_padding)
    return _pooled(g, "AveragePool", out, x, geometry, 0.0, count_include_pad=counted)


# --- normalization --------------------------------------------------------------------------------


@becomes("normalize")
def _normalize(
    g: Graph, out: Value, x: Any, gamma: Any, beta: Any, mean: Any, var: Any, eps: float, axis: int
) -> str:
    dtype, ndim = out.dtype, len(out.shape)
    if axis % ndim == 1:
        given = [g.tensor(a, dtype) for a in (x, gamma, beta, mean, var)]
        return g.op("BatchNormalization", *given, epsilon=float(eps))
    scale = _scale(g, g.tensor(gamma, dtype), g.tensor(var, dtype), eps, dtype)
    shift = g.op("Sub", g.tensor(beta, dtype), g.op("Mul", g.tensor(mean, dtype), scale))
    shape = [1] * ndim
    shape[axis] = -1
    across = g.constant(shape, "int64")
    scale, shift = (g.op("Reshape", a, across) for a in (scale, shift))
    return g.op("Add", g.op("Mul", g.tensor(x, dtype), scale), shift)


def _scale(g: Graph, gamma: str, var: str, eps: float, dtype: Any) -> str:
    return g.op("Div", gamma, g.op("Sqrt", g.op("Add", var, g.constant(eps, dtype))))


def _by_deviation(g: Graph, x: str, eps: float, dtype: Any, centred: bool = True) -> str:
    """Return rows divided by their deviation, or by the root of their mean square."""
    last = g.constant([-1], "int64")
    if centred:
        x = g.op("Sub", x, g.op("ReduceMean", x, last, keepdims=1))
    var = g.op("ReduceMean", g.op("Mul", x, x), last, keepdims=1)
    return g.op("Div", x, g.op("Sqrt", g.op("Add", var, g.constant(eps, dtype))))


@becomes("row_norm")
def _row_norm(
    g: Graph, out: Value, x: Any, gamma: Any, beta: Any, eps: float, centred: bool
) -> str:
    dtype = out.dtype
    given = [g.tensor(a, dtype) for a in (x, gamma, beta)]
    if centred and dtype == numpy.float32:
        return g.op("LayerNormalization", *given, axis=-1, epsilon=float(eps))
    rows = _by_deviation(g, given[0], eps, dtype, centred)
    return g.op("Add", g.op("Mul", rows, given[1]), given[2])


@becomes("group_norm")
def _group_norm(
    g: Graph, out: Value, x: Any, gamma: Any, beta: Any, groups: int, eps: float
) -> str:
    dtype, (samples, channels, places) = out.dtype, out.shape
    length = channels // groups * places
    rows = g.reshaped(g.tensor(x, dtype), (samples, groups, length))
    normal = g.reshaped(_by_deviation(g, rows, eps, dtype), out.shape)
    scaled = g.op("Mul", normal, _column(g, gamma, dtype, 3))
    return g.op("Add", scaled, _column(g, beta, dtype, 3))


# --- probabilities, categories --------------------------------------------------------------------


@becomes("softmax")
def _softmax(g: Graph, out: Value, x: Any, axis: int) -> str:
    return g.op("Softmax", g.tensor(x, out.dtype), axis=int(axis))


@becomes("log_softmax")
def _log_softmax(g: Graph, out: Value, x: Any, axis: int) -> str:
    return g.op("LogSoftmax", g.tensor(x, out.dtype), axis=int(axis))


@becomes("sparsemax")
def _sparsemax(g: Graph, out: Value, x: Any) -> str:
    # Martins and Astudillo, "From Softmax to Sparsemax", 2016, algorithm 1.
    dtype, classes = out.dtype, out.shape[-1]
    found, last = g.tensor(x, dtype), g.constant([-1], "int64")
    ordered, _ = g.op("TopK", found, g.constant([classes], "int64"), outputs=2, axis=-1)
    sums = g.op("CumSum", ordered, g.constant(-1, "int64"))
    rank = g.constant(numpy.arange(1, classes + 1), dtype)
    one = g.constant(1, dtype)
    inside = g.op("Greater", g.op("Add", g.op("Mul", ordered, rank), one), sums)
    counted = g.cast(inside, numpy.dtype(bool), dtype)
    count = g.op("ReduceSum", counted, last, keepdims=1)
    total = g.op("ReduceSum", g.op("Mul", ordered, counted), last, keepdims=1)
    level = g.op("Div", g.op("Sub", total, one), count)
    return g.op("Relu", g.op("Sub", found, level))


@becomes("one_hot_rows")
def _one_hot_rows(g: Graph, out: Value, x: Any, depth: int, dtype: Any) -> str:
    column = g.op("Unsqueeze", g.tensor(x), g.constant([-1], "int64"))
    numbers = g.constant(numpy.arange(depth), dtype_of(x))
    return g.cast(g.op("Equal", column, numbers), numpy.dtype(bool), out.dtype)


@becomes("digitized")
def _digitized(g: Graph, out: Value, x: Any, boundaries: Any, dtype: Any) -> str:
    common = numpy.result_type(dtype_of(x), dtype_of(boundaries))
    column = g.op("Unsqueeze", g.tensor(x, common), g.constant([-1], "int64"))
    reached = g.op("GreaterOrEqual", column, g.tensor(boundaries, common))
    counted = g.cast(reached, numpy.dtype(bool), "int32")
    found = g.op("ReduceSum", counted, g.constant([-1], "int64"), keepdims=0)
    return g.cast(found, "int32", out.dtype)


# --- attention ------------------------------------------------------------------------------------


@becomes("heads_attention")
def _heads_attention(
    g: Graph, out: tuple[Value, ...], q: Any, k: Any, v: Any, mask: Any, factor: float
) -> tuple[str, str]:
    dtype = out[0].dtype
    heads = g.op("Transpose", g.tensor(q, dtype), perm=[0, 2, 1, 3])
    keys = g.op("Transpose", g.tensor(k, dtype), perm=[0, 2, 3, 1])
    values = g.op("Transpose", g.tensor(v, dtype), perm=[0, 2, 1, 3])
    scores = g.op("MatMul", g.op("Mul", heads, g.constant(factor, dtype)), keys)
    seen = None
    if mask is not None:
        seen = g.tensor(mask, bool)
        scores = g.op("Where", seen, scores, g.constant(-1e9, dtype))
    weights = g.op("Softmax", scores, axis=-1)
    if seen is not None:
        weights = g.op("Where", seen, weights, g.constant(0, dtype))
    return g.op("Transpose", g.op("MatMul", weights, values), perm=[0, 2, 1, 3]), weights


# --- recurrences ----------------------------------------------------------------------------------

# Operation → ONNX's operator, its gates in ONNX's order as places in ours, and its functions.
_RECURRENT = {
    "lstm": ("LSTM", (0, 3, 1, 2), None),
    "gru": ("GRU", (0, 1, 2), None),
    "tanh_rnn": ("RNN", (0,), ["Tanh"]),
    "relu_rnn": ("RNN", (0,), ["Relu"]),
}


def _gates(g: Graph, matrix: str, axis: int, units: int, order: tuple[int, ...]) -> str:
    """Return the gates' parts of a weight in ONNX's order."""
    if order == tuple(range(len(order))):
        return matrix
    parts = g.split(matrix, axis, [units] * len(order))
    return g.op("Concat", *[parts[i] for i in order], axis=axis)


def _results(name: str, h: str, c: str | None, hs: str) -> tuple:
    return {
        "lstm": (h, c, hs, None, None),
        "gru": (h, hs, None),
        "tanh_rnn": (h, hs),
        "relu_rnn": (h, hs),
    }[name]


def _recurrent(name: str) -> Any:
    kind, order, functions = _RECURRENT[name]

    def emit(
        g: Graph, out: tuple[Value, ...], x: Any, weights: Any, kernel: Any, bias: Any, inner: Any,
        h: Any, c: Any, mask: Any, sequences: Any = True,
    ) -> tuple:  # fmt: skip
        dtype, units = out[0].dtype, shape_of(kernel)[0]
        if mask is not None:
            return _scanned(g, name, dtype, units, x, weights, kernel, bias, inner, h, c, mask)
        first = g.constant([0], "int64")

        def matrix(w: Any) -> str:
            turned = g.op("Transpose", _gates(g, g.tensor(w, dtype), 1, units, order), perm=[1, 0])
            return g.op("Unsqueeze", turned, first)

        of_input = _gates(g, g.tensor(bias, dtype), 0, units, order)
        if inner is None:
            of_state = g.constant(numpy.zeros(len(order) * units), dtype)
        else:
            of_state = _gates(g, g.tensor(inner, dtype), 0, units, order)
        biases = g.op("Unsqueeze", g.op("Concat", of_input, of_state, axis=0), first)
        states = [g.op("Unsqueeze", g.tensor(s, dtype), first) for s in (h, c) if s is not None]
        steps = g.op("Transpose", g.tensor(x, dtype), perm=[1, 0, 2])
        made = g.op(
            kind,
            *(steps, matrix(weights), matrix(kernel), biases, "", *states),
            outputs=3 if kind == "LSTM" else 2,
            hidden_size=units,
            activations=functions,
            linear_before_reset=1 if kind == "GRU" else None,
        )
        # Of shape (steps, directions, batch, units).
        hs = g.op("Transpose", g.op("Squeeze", made[0], g.constant([1], "int64")), perm=[1, 0, 2])
        last = [g.op("Squeeze", s, first) for s in made[1:]]
        return _results(name, last[0], last[1] if kind == "LSTM" else None, hs)

    return emit


for _name in _RECURRENT:
    becomes(_name)(_recurrent(_name))


def _lstm_step(g: Graph, x: str, y: str, units: int, h: str, c: Any, dtype: Any) -> tuple:
    i, f, new, o = g.split(g.op("Add", x, y), -1, [units] * 4)
    kept = g.op("Mul", g.op("Sigmoid", f), c)
    c = g.op("Add", kept, g.op("Mul", g.op("Sigmoid", i), g.op("Tanh", new)))
    return g.op("Mul", g.op("Sigmoid", o), g.op("Tanh", c)), c


def _gru_step(g: Graph, x: str, y: str, units: int, h: str, c: Any, dtype: Any) -> tuple:
    (xu, xr, xn), (yu, yr, yn) = (g.split(a, -1, [units] * 3) for a in (x, y))
    update, reset = (g.op("Sigmoid", g.op("Add", a, b)) for a, b in ((xu, yu), (xr, yr)))
    new = g.op("Tanh", g.op("Add", xn, g.op("Mul", reset, yn)))
    return g.op("Add", new, g.op("Mul", update, g.op("Sub", h, new))), None


def _simple_step(kind: str) -> Any:
    def step(g: Graph, x: str, y: str, units: int, h: str, c: Any, dtype: Any) -> tuple:
        return g.op(kind, g.op("Add", x, y)), None

    return step


_STEPS = {
    "lstm": _lstm_step,
    "gru": _gru_step,
    "tanh_rnn": _simple_step("Tanh"),
    "relu_rnn": _simple_step("Relu"),
}


def _scanned(
    g: Graph, name: str, dtype: Any, units: int, x: Any, weights: Any, kernel: Any, bias: Any,
    inner: Any, h: Any, c: Any, mask: Any,
) -> tuple:  # fmt: skip
    """Return a recurrence that keeps its state at masked steps, which ONNX's own can't, as a loop.

    They know the lengths of sequences only, and a mask may be false anywhere.
    """
    projected = g.op("Add", g.op("MatMul", g.tensor(x, dtype), g.tensor(weights, dtype)),
                     g.tensor(bias, dtype))  # fmt: skip
    rows = g.op("Transpose", projected, perm=[1, 0, 2])
    counts = g.op("Transpose", g.tensor(mask, bool), perm=[1, 0])
    columns = g.op("Unsqueeze", counts, g.constant([-1], "int64"))
    states = [g.tensor(s, dtype) for s in (h, c) if s is not None]
    matrix = g.tensor(kernel, dtype)
    added = None if inner is None else g.tensor(inner, dtype)
    formals = [(f"state{i}", dtype) for i in range(len(states))]
    body, names = g.body([*formals, ("x", dtype), ("counts", numpy.dtype(bool))])
    *before, row, counted = names
    y = body.op("MatMul", before[0], matrix)
    if added is not None:
        y = body.op("Add", y, added)
    cell = before[1] if len(before) > 1 else None
    after = _STEPS[name](body, row, y, units, before[0], cell, dtype)
    kept = [body.op("Where", counted, new, old) for new, old in zip(after, before, strict=False)]
    made = [*kept, body.op("Identity", kept[0])]
    found = g.scan(body, states, [rows, columns], made)
    hs = g.op("Transpose", found[-1], perm=[1, 0, 2])
    return _results(name, found[0], found[1] if len(states) > 1 else None, hs)
