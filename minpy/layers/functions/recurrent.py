"""Recurrences over time, whole sequences at once: LSTM, GRU and the simple recurrence.

The step of each is written three times: for NumPy, which is the reference and takes every dtype; as
machine code (`minpy.layers.functions.recurrent_kernels`), which float32 runs on, alone and inside
of graphs; and in operations of minpy's, which higher derivatives and forward mode go through.

It must not know about layers, cells or dropout.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy

from minpy import runtime
from minpy.array import as_ndarray, ndarray
from minpy.autograd.reverse import record
from minpy.autograd.rules import defvjp_argnums
from minpy.errors import ShapeError
from minpy.host_operator import HostOperator
from minpy.layers.functions.composition import (
    differentiate_forward_as,
    differentiate_reverse_as,
)
from minpy.layers.functions.operands import array_of_floats, refuse_all_but_float32
from minpy.numpy.elementwise import where
from minpy.numpy.shaping import concatenate, stack
from minpy.primitives import Primitive, registry

__all__ = ["gru", "lstm", "simple_rnn"]

_FLOAT32 = numpy.dtype("float32")


def _sigmoid(x: numpy.ndarray) -> numpy.ndarray:
    # By tanh, which doesn't overflow.
    return 0.5 * numpy.tanh(0.5 * x) + 0.5


# --- one step, in NumPy ---------------------------------------------------------------------------
# step(x, y, h, c) → h, c, kept: of the products of the input and of the state, both with bias.
# back(of_h, of_c, h, c, new_h, new_c, kept) → of_x, of_y, of_h, of_c.


def _lstm_step(x: Any, y: Any, h: Any, c: Any) -> tuple:
    i, f, g, o = numpy.split(x + y, 4, -1)
    i, f, g, o = _sigmoid(i), _sigmoid(f), numpy.tanh(g), _sigmoid(o)
    c = f * c + i * g
    return o * numpy.tanh(c), c, numpy.concatenate((i, f, g, o), -1)


def _lstm_back(of_h: Any, of_c: Any, h: Any, c: Any, new_h: Any, new_c: Any, kept: Any) -> tuple:
    i, f, g, o = numpy.split(kept, 4, -1)
    tanh = numpy.tanh(new_c)
    of_c = of_c + of_h * o * (1 - tanh * tanh)
    parts = (
        of_c * g * i * (1 - i),
        of_c * c * f * (1 - f),
        of_c * i * (1 - g * g),
        of_h * tanh * o * (1 - o),
    )
    z = numpy.concatenate(parts, -1)
    return z, z, numpy.zeros_like(of_h), of_c * f


def _gru_step(x: Any, y: Any, h: Any, c: Any) -> tuple:
    (x_update, x_reset, x_new), (update, reset, inner) = (
        numpy.split(x, 3, -1),
        numpy.split(y, 3, -1),
    )
    update, reset = _sigmoid(x_update + update), _sigmoid(x_reset + reset)
    new = numpy.tanh(x_new + reset * inner)
    kept = numpy.concatenate((update, reset, new, inner), -1)
    return new + update * (h - new), c, kept


def _gru_back(of_h: Any, of_c: Any, h: Any, c: Any, new_h: Any, new_c: Any, kept: Any) -> tuple:
    update, reset, new, inner = numpy.split(kept, 4, -1)
    of_update = of_h * (h - new) * update * (1 - update)
    of_new = of_h * (1 - update) * (1 - new * new)
    of_reset = of_new * inner * reset * (1 - reset)
    of_x = numpy.concatenate((of_update, of_reset, of_new), -1)
    of_y = numpy.concatenate((of_update, of_reset, of_new * reset), -1)
    return of_x, of_y, of_h * update, of_c


def _tanh_step(x: Any, y: Any, h: Any, c: Any) -> tuple:
    return numpy.tanh(x + y), c, None


def _tanh_back(of_h: Any, of_c: Any, h: Any, c: Any, new_h: Any, new_c: Any, kept: Any) -> tuple:
    z = of_h * (1 - new_h * new_h)
    return z, z, numpy.zeros_like(of_h), of_c


def _relu_step(x: Any, y: Any, h: Any, c: Any) -> tuple:
    return numpy.maximum(x + y, 0), c, None


def _relu_back(of_h: Any, of_c: Any, h: Any, c: Any, new_h: Any, new_c: Any, kept: Any) -> tuple:
    z = of_h * (new_h > 0)
    return z, z, numpy.zeros_like(of_h), of_c


# --- one step, in operations ----------------------------------------------------------------------


def _parts(x: ndarray, count: int) -> list[ndarray]:
    units = x.shape[-1] // count
    return [x[..., k * units : (k + 1) * units] for k in range(count)]


def _composed_lstm(x: Any, y: Any, h: Any, c: Any) -> tuple:
    sigmoid, tanh = registry["sigmoid"], registry["tanh"]
    i, f, g, o = _parts(x + y, 4)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(c), c


def _composed_gru(x: Any, y: Any, h: Any, c: Any) -> tuple:
    sigmoid, tanh = registry["sigmoid"], registry["tanh"]
    (x_update, x_reset, x_new), (update, reset, inner) = _parts(x, 3), _parts(y, 3)
    update, reset = sigmoid(x_update + update), sigmoid(x_reset + reset)
    new = tanh(x_new + reset * inner)
    return new + update * (h - new), c


def _composed_tanh(x: Any, y: Any, h: Any, c: Any) -> tuple:
    return registry["tanh"](x + y), c


def _composed_relu(x: Any, y: Any, h: Any, c: Any) -> tuple:
    return registry["relu"](x + y), c


# --- which recurrences there are ------------------------------------------------------------------


@dataclass(frozen=True)
class Recurrence:
    """What tells one recurrence from another."""

    name: str
    gates: int
    step: Callable[..., tuple]
    back: Callable[..., tuple]
    composed: Callable[..., tuple]
    cell: bool = False  # whether there is a state beside the output
    inner: bool = False  # whether the product with the state has a bias of its own
    keeps: bool = False  # whether four numbers a unit are kept for the way back
    relu: bool = False

    def arguments(self, masked: bool) -> tuple[int, ...]:
        """Return the numbers of the arguments that there are."""
        there = (True, True, True, True, self.inner, True, self.cell, masked)
        return tuple(i for i, given in enumerate(there) if given)

    def shapes(self, samples: int, steps: int, units: int) -> list[tuple[int, ...]]:
        """Return the shapes of the results: last state and cell, all states, what is kept."""
        state, states = (samples, units), (samples, steps, units)
        return [
            state,
            *([state] if self.cell else []),
            states,
            *([(samples, steps, 4 * units)] if self.keeps else []),
            *([states] if self.cell else []),
        ]

    def named(self, results: Any) -> tuple:
        """Return results as h, c, hs, kept, cs, with None for what isn't there."""
        given = iter(results)
        h = next(given)
        c = next(given) if self.cell else None
        hs = next(given)
        kept = next(given) if self.keeps else None
        return h, c, hs, kept, next(given) if self.cell else None


_KINDS = (
    Recurrence("lstm", 4, _lstm_step, _lstm_back, _composed_lstm, cell=True, keeps=True),
    Recurrence("gru", 3, _gru_step, _gru_back, _composed_gru, inner=True, keeps=True),
    Recurrence("tanh_rnn", 1, _tanh_step, _tanh_back, _composed_tanh),
    Recurrence("relu_rnn", 1, _relu_step, _relu_back, _composed_relu, relu=True),
)


# --- over time, in NumPy --------------------------------------------------------------------------


def _run(kind: Recurrence, args: tuple, results: list) -> None:
    x, weights, kernel, bias, inner, h, c, mask = args
    last_h, last_c, hs, kept, cs = kind.named(results)
    projected = x @ weights + bias
    for t in range(x.shape[1]):
        y = h @ kernel
        if inner is not None:
            y += inner
        new_h, new_c, keep = kind.step(projected[:, t], y, h, c)
        if mask is not None:
            counts = (mask[:, t] != 0)[:, None]
            new_h = numpy.where(counts, new_h, h)
            new_c = new_c if c is None else numpy.where(counts, new_c, c)
        h, c = new_h, new_c
        hs[:, t] = h
        if kept is not None:
            kept[:, t] = keep
        if cs is not None:
            cs[:, t] = c
    last_h[...] = h
    if last_c is not None:
        last_c[...] = c


def _run_back(kind: Recurrence, gs: tuple, args: tuple, results: list, found: tuple) -> None:
    x, weights, kernel, _, _, h0, c0, mask = args
    _, _, hs, kept, cs = kind.named(results)
    of_h, of_c, of_hs = gs
    samples, steps, features = x.shape
    units, columns = kernel.shape
    of_x, of_y = (numpy.zeros((samples, steps, columns), x.dtype) for _ in range(2))
    for t in reversed(range(steps)):
        if of_hs is not None:
            of_h = of_h + of_hs[:, t]
        h = hs[:, t - 1] if t else h0
        c = None if cs is None else cs[:, t - 1] if t else c0
        given = (hs[:, t], None if cs is None else cs[:, t], None if kept is None else kept[:, t])
        x_t, y_t, back_h, back_c = kind.back(of_h, of_c, h, c, *given)
        if mask is not None:
            counts = (mask[:, t] != 0)[:, None]
            x_t, y_t = x_t * counts, y_t * counts
            back_h = numpy.where(counts, back_h, of_h)
            back_c = back_c if c is None else numpy.where(counts, back_c, of_c)
        of_x[:, t], of_y[:, t] = x_t, y_t
        of_h, of_c = back_h + y_t @ kernel.T, back_c
    before = numpy.concatenate((h0[:, None], hs[:, :-1]), 1).reshape(-1, units)
    flat_x, flat_y = of_x.reshape(-1, columns), of_y.reshape(-1, columns)
    dx, dweights, dkernel, dbias, dinner, dh0, dc0 = found
    if dx is not None:
        dx[...] = of_x @ weights.T
    dweights[...] = x.reshape(-1, features).T @ flat_x
    dkernel[...] = before.T @ flat_y
    dbias[...] = flat_x.sum(0)
    if dinner is not None:
        dinner[...] = flat_y.sum(0)
    dh0[...] = of_h
    if dc0 is not None:
        dc0[...] = of_c


# --- as machine code ------------------------------------------------------------------------------

# Fewer multiplications than this NumPy does sooner than numba, which takes a second to import.
_WORTH_COMPILING = 1_000_000


@functools.cache
def _kernels() -> Any:
    """Return the module of compiled kernels, None where numba can't be used."""
    try:
        import numba

        if numba.config.DISABLE_JIT:
            return None
        from minpy.layers.functions import recurrent_kernels
    except Exception:  # numba is missing, or doesn't fit this Python, NumPy or processor
        return None
    return recurrent_kernels


def _compiled(args: tuple, least: int = _WORTH_COMPILING) -> Any:
    """Return the compiled kernels if they can take the arguments and are worth it."""
    x, _, kernel = args[:3]
    work = x.shape[0] * x.shape[1] * (x.shape[2] + kernel.shape[0]) * kernel.shape[1]
    if work < max(least, 1) or any(a is not None and a.dtype != _FLOAT32 for a in args):
        return None
    return _kernels()


def _fill(kind: Recurrence, kernels: Any, args: tuple, results: list) -> None:
    x, weights, kernel, bias, inner, h0, c0, mask = args
    h, c, hs, kept, cs = kind.named(results)
    if kind.name == "lstm":
        kernels.lstm_forward(x, weights, kernel, bias, h0, c0, mask, hs, h, c, kept, cs)
    elif kind.name == "gru":
        kernels.gru_forward(x, weights, kernel, bias, inner, h0, mask, hs, h, kept)
    else:
        kernels.rnn_forward(x, weights, kernel, bias, h0, mask, kind.relu, hs, h)


def _fill_back(
    kind: Recurrence, kernels: Any, gs: tuple, args: tuple, results: list, found: tuple, dz: Any
) -> None:
    x, weights, kernel, _, _, h0, c0, mask = args
    _, _, hs, kept, cs = kind.named(results)
    g_h, g_c, g_hs = gs
    dx, dweights, dkernel, dbias, dinner, dh0, dc0 = found
    if kind.name == "lstm":
        kernels.lstm_backward(
            g_hs, g_h, g_c, x, weights, kernel, h0, c0, mask, hs, kept, cs,
            numpy.empty_like(kept) if dz is None else dz,
            dx, dweights, dkernel, dbias, dh0, dc0,
        )  # fmt: skip
    elif kind.name == "gru":
        kernels.gru_backward(
            g_hs, g_h, x, weights, kernel, h0, mask, hs, kept,
            dx, dweights, dkernel, dbias, dinner, dh0,
        )  # fmt: skip
    else:
        kernels.rnn_backward(
            g_hs, g_h, x, weights, kernel, h0, mask, kind.relu, hs,
            dx, dweights, dkernel, dbias, dh0,
        )  # fmt: skip


# --- primitives -----------------------------------------------------------------------------------
# The arguments of all: x, weights, kernel, bias, inner bias, h0, c0, mask, and whether the gradient
# of all states is ever asked for. None stands for what a recurrence doesn't have.

_ARRAYS = 8


def _contiguous(arrays: Any) -> tuple:
    return tuple(None if a is None else numpy.ascontiguousarray(a) for a in arrays)


class _Recurrent:
    """A recurrence as a primitive, its gradients as another one, and its node in a graph."""

    def __init__(self, kind: Recurrence) -> None:
        self.kind = kind
        self.call = Primitive(kind.name, self._forward, arrays=_ARRAYS, mxnet=self._mx_forward)
        self.gradients = Primitive(f"{kind.name}_gradients", self._backward, arrays=3 + _ARRAYS + 3)
        defvjp_argnums(self.call, self._vjp)
        differentiate_forward_as(self.call, self._composed)
        differentiate_reverse_as(self.gradients, self._composed_gradients)
        differentiate_forward_as(self.gradients, self._composed_gradients)
        self.call.into = self._forward_into
        self.gradients.into = self._backward_into
        self._nodes: dict[bool, HostOperator] = {}

    # NumPy

    def _forward(self, *given: Any) -> tuple:
        args, kind = _contiguous(given[:_ARRAYS]), self.kind
        samples, steps, _ = args[0].shape
        dtype = numpy.result_type(*[a for a in args[:7] if a is not None])
        shapes = kind.shapes(samples, steps, args[2].shape[0])
        results = [numpy.empty(shape, dtype) for shape in shapes]
        kernels = _compiled(args)
        if kernels is None:
            _run(kind, args, results)
        else:
            _fill(kind, kernels, args, results)
        return tuple(results)

    def _backward(self, *given: Any) -> tuple:
        gs, args, kept = given[:3], given[3 : 3 + _ARRAYS], given[3 + _ARRAYS : 6 + _ARRAYS]
        args, kept = _contiguous(args), _contiguous(kept)
        kind = self.kind
        gs = tuple(None if g is None else numpy.ascontiguousarray(g, args[0].dtype) for g in gs)
        results = [None, *([None] if kind.cell else []), *[k for k in kept if k is not None]]
        found = tuple(None if a is None else numpy.empty_like(a) for a in args[:7])
        kernels = _compiled(args)
        if kernels is None:
            _run_back(kind, gs, args, results, found)
        else:
            _fill_back(kind, kernels, gs, args, results, found, None)
        return tuple(f for f in found if f is not None)

    def _forward_into(self, given: list, results: list) -> None:
        args = _contiguous(given[:_ARRAYS])
        shapes = self.kind.shapes(*args[0].shape[:2], args[2].shape[0])
        full = [
            numpy.empty(shape, "float32") if r is None else r
            for shape, r in zip(shapes, results, strict=True)
        ]
        _fill(self.kind, _kernels(), args, full)

    def _backward_into(self, given: list, results: list) -> None:
        kind = self.kind
        gs, args, kept = given[:3], given[3 : 3 + _ARRAYS], given[3 + _ARRAYS : 6 + _ARRAYS]
        wanted = iter(results)
        found = [None if a is None else next(wanted) for a in args[:7]]
        # Only the input's gradient costs enough to be left out where nobody asks for it.
        for i, a in enumerate(args[1:7], start=1):
            if a is not None and found[i] is None:
                found[i] = numpy.empty_like(a)
        made = [None, *([None] if kind.cell else []), *[k for k in kept if k is not None]]
        # The gates are read for the last time here: their memory takes the gradients.
        dz = kept[1] if kind.cell else None
        _fill_back(kind, _kernels(), tuple(gs), _contiguous(args), made, tuple(found), dz)

    def _vjp(self, argnums: tuple, ans: Any, args: tuple, kwargs: dict) -> Any:
        _, _, hs, kept, cs = self.kind.named(ans)

        def vjp(gs: tuple) -> tuple:
            g_h, g_c, g_hs, _, _ = self.kind.named(gs)
            if not args[_ARRAYS]:
                g_hs = None
            found = self.gradients(g_h, g_c, g_hs, *args[:_ARRAYS], hs, kept, cs)
            places = [i for i, a in enumerate(args[:7]) if a is not None]
            return tuple(found[places.index(i)] for i in argnums)

        return vjp

    # Operations

    def _composed(self, *args: Any) -> tuple:
        x, weights, kernel, bias, inner, h, c, mask, *_ = args
        projected = x @ weights + bias
        hs, cs = [], []
        for t in range(x.shape[1]):
            y = h @ kernel
            if inner is not None:
                y = y + inner
            new_h, new_c = self.kind.composed(projected[:, t], y, h, c)
            if mask is not None:
                counts = (mask[:, t] != 0)[:, None]
                new_h = where(counts, new_h, h)
                new_c = new_c if c is None else where(counts, new_c, c)
            h, c = new_h, new_c
            hs.append(h)
            cs.append(c)
        out = [h, *([c] if self.kind.cell else []), stack(hs, 1)]
        if self.kind.keeps:  # nobody's results: they only feed the gradients
            out.append(registry["zeros_like"](concatenate([out[-1]] * 4, 2)))
        if self.kind.cell:
            out.append(stack(cs, 1))
        return tuple(out)

    def _composed_gradients(self, *given: Any) -> tuple:
        gs, args = given[:3], given[3 : 3 + _ARRAYS]
        places = [i for i, a in enumerate(args[:7]) if a is not None]

        def run(values: list[Any]) -> list[Any]:
            full = list(args)
            for i, value in zip(places, values, strict=True):
                full[i] = value
            h, c, hs, _, _ = self.kind.named(self._composed(*full, True))
            return [r for r, g in zip((h, c, hs), gs, strict=True) if g is not None]

        _, tape = record(run, [args[i] for i in places])
        found = tape.back([g for g in gs if g is not None])
        return tuple(
            registry["zeros_like"](args[i]) if f is None else f
            for i, f in zip(places, found, strict=True)
        )

    # In a graph

    def _mx_forward(self, F: Any, *given: Any) -> tuple:
        args, sequences = given[:_ARRAYS], given[_ARRAYS]
        for a in args:
            if a is not None:
                refuse_all_but_float32(a)
        if not F.symbolic or _kernels() is None:
            raise runtime.Unsupported("its kernel needs numba, and a graph on the host")
        masked = args[7] is not None
        node = self._node(bool(sequences))
        made = node(F, *[args[i] for i in self.kind.arguments(masked)], masked=masked)
        return made

    def _node(self, sequences: bool) -> HostOperator:
        if sequences not in self._nodes:
            kind = self.kind
            states = 2 if kind.cell else 1
            results = len(kind.shapes(1, 1, 1))
            self._nodes[sequences] = HostOperator(
                f"{kind.name}_{'sequences' if sequences else 'last'}",
                self._node_forward,
                functools.partial(self._node_backward, sequences),
                lambda shapes, masked: kind.shapes(*shapes[0][:2], shapes[2][0]),
                results=results,
                uses_results=True,
                kept=results - states - sequences,
            )
        return self._nodes[sequences]

    def _all(self, inputs: list, masked: bool) -> tuple:
        args: list[Any] = [None] * _ARRAYS
        for i, value in zip(self.kind.arguments(masked), inputs, strict=True):
            args[i] = value
        return tuple(args)

    def _node_forward(self, inputs: list, results: list, masked: bool) -> None:
        shapes = self.kind.shapes(*inputs[0].shape[:2], inputs[2].shape[0])
        full = [
            numpy.empty(shape, "float32") if r is None else r
            for shape, r in zip(shapes, results, strict=True)
        ]
        _fill(self.kind, _kernels(), self._all(inputs, masked), full)

    def _node_backward(
        self, sequences: bool, gs: list, inputs: list, results: list, found: list, masked: bool
    ) -> None:
        kind = self.kind
        args = self._all(inputs, masked)
        g_c = gs[1] if kind.cell else None
        g_hs = gs[-1] if sequences else None
        wanted = self._all(found, masked)
        # Only the input's gradient costs enough to be left out where nobody asks for it.
        into = tuple(
            numpy.empty_like(a) if w is None and i and a is not None else w
            for i, (w, a) in enumerate(zip(wanted[:7], args[:7], strict=True))
        )
        # The gates are read for the last time here, and each run of a graph computes them anew:
        # their memory takes the gradients.
        dz = kind.named(results)[3] if kind.cell else None
        _fill_back(kind, _kernels(), (gs[0], g_c, g_hs), args, results, into, dz)


_RECURRENT = {kind.name: _Recurrent(kind) for kind in _KINDS}


# --- public functions -----------------------------------------------------------------------------


def _checked(
    by: str, kind: Recurrence, x: Any, weights: Any, kernel: Any, bias: Any, inner: Any, h0: Any,
    c0: Any, mask: Any,
) -> tuple:  # fmt: skip
    x = array_of_floats(x, by)
    if x.ndim != 3:
        raise ShapeError(f"{by}: expected x of shape (batch, time, features), got {x.shape}")
    if 0 in x.shape:
        raise ShapeError(f"{by}: expected at least one sample, step and feature, got {x.shape}")
    kernel = array_of_floats(kernel, by, "recurrent_kernel")
    units = kernel.shape[0]
    columns, samples = kind.gates * units, x.shape[0]
    expected = {
        "kernel": (weights, (x.shape[2], columns)),
        "recurrent_kernel": (kernel, (units, columns)),
        "bias": (bias, (columns,)),
        "recurrent_bias": (inner, (columns,)),
        "h0": (h0, (samples, units)),
        "c0": (c0, (samples, units)),
    }
    there = {"recurrent_bias": kind.inner, "c0": kind.cell}
    found = []
    for name, (value, shape) in expected.items():
        if not there.get(name, True):
            value = None
        elif value is None:
            value = as_ndarray(numpy.zeros(shape, x.dtype))
        else:
            value = array_of_floats(value, by, name)
            if value.shape != shape:
                raise ShapeError(f"{by}: expected {name} of shape {shape}, got {value.shape}")
            if value.dtype != x.dtype:
                value = registry["astype"](value, x.dtype)
        found.append(value)
    if mask is not None:
        mask = as_ndarray(mask)
        if mask.shape != x.shape[:2]:
            raise ShapeError(f"{by}: expected a mask of shape {x.shape[:2]}, got {mask.shape}")
        if mask.dtype != x.dtype:
            mask = registry["astype"](mask, x.dtype)
    return (x, *found, mask)


def lstm(
    x: Any,
    kernel: Any,
    recurrent_kernel: Any,
    bias: Any = None,
    h0: Any = None,
    c0: Any = None,
    mask: Any = None,
    sequences: bool = True,
) -> tuple[ndarray, ndarray, ndarray]:
    """Run a long short-term memory over a batch of sequences.

    Parameters
    ----------
    x
        Floats of shape (batch, time, features).
    kernel, recurrent_kernel, bias
        Of shapes (features, 4 units), (units, 4 units) and (4 units,): those of the input, the
        forget, the cell and the output gate side by side, as Keras has them. No bias for None.
    h0, c0
        Output and cell before the first step, of shape (batch, units); None for zeros.
    mask
        Of shape (batch, time): where it is 0 or False, a step changes nothing.
    sequences
        False where only the last state is going to be differentiated: that takes less time.

    Returns
    -------
    hs, h, c
        The outputs of all steps, of shape (batch, time, units), the last output and the last cell.

    Raises
    ------
    ShapeError
        If the shapes don't fit.

    Notes
    -----
    Hochreiter and Schmidhuber, 1997, with the forget gate of Gers et al., 2000. Derivatives of the
    first order have kernels of their own.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import lstm
    >>> hs, h, c = lstm(np.ones((1, 2, 3)), np.ones((3, 4)), np.ones((1, 4)))
    >>> hs.shape, bool((hs[:, -1] == h).all())
    ((1, 2, 1), True)
    """
    run = _RECURRENT["lstm"]
    args = _checked("lstm", run.kind, x, kernel, recurrent_kernel, bias, None, h0, c0, mask)
    h, c, hs, _, _ = run.call(*args, bool(sequences))
    return hs, h, c


def gru(
    x: Any,
    kernel: Any,
    recurrent_kernel: Any,
    bias: Any = None,
    recurrent_bias: Any = None,
    h0: Any = None,
    mask: Any = None,
    sequences: bool = True,
) -> tuple[ndarray, ndarray]:
    """Run gated recurrent units over a batch of sequences.

    Parameters
    ----------
    x
        Floats of shape (batch, time, features).
    kernel, recurrent_kernel, bias, recurrent_bias
        Of shapes (features, 3 units), (units, 3 units), (3 units,) and (3 units,): those of the
        update gate, the reset gate and the candidate side by side, as Keras has them.
    h0, mask, sequences
        As of `lstm`.

    Returns
    -------
    hs, h
        The outputs of all steps, of shape (batch, time, units), and the last one.

    Notes
    -----
    Cho et al., 2014, with the reset gate applied to the product with the recurrent kernel, as
    cuDNN and Keras (``reset_after=True``) do it.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import gru
    >>> hs, h = gru(np.ones((1, 2, 3)), np.ones((3, 3)), np.ones((1, 3)))
    >>> hs.shape, h.shape
    ((1, 2, 1), (1, 1))
    """
    run = _RECURRENT["gru"]
    args = _checked(
        "gru", run.kind, x, kernel, recurrent_kernel, bias, recurrent_bias, h0, None, mask
    )
    h, _, hs, _, _ = run.kind.named(run.call(*args, bool(sequences)))
    return hs, h


def simple_rnn(
    x: Any,
    kernel: Any,
    recurrent_kernel: Any,
    bias: Any = None,
    h0: Any = None,
    mask: Any = None,
    activation: str = "tanh",
    sequences: bool = True,
) -> tuple[ndarray, ndarray]:
    """Run ``h = activation(x @ kernel + h @ recurrent_kernel + bias)`` over a batch of sequences.

    Parameters
    ----------
    x
        Floats of shape (batch, time, features).
    kernel, recurrent_kernel, bias
        Of shapes (features, units), (units, units) and (units,).
    h0, mask, sequences
        As of `lstm`.
    activation
        ``'tanh'`` or ``'relu'``.

    Returns
    -------
    hs, h
        The outputs of all steps, of shape (batch, time, units), and the last one.

    Notes
    -----
    Elman, 1990.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import simple_rnn
    >>> x = np.array([[[1.], [2.]]])
    >>> simple_rnn(x, np.ones((1, 1)), np.ones((1, 1)), activation='relu')[0].tolist()
    [[[1.0], [3.0]]]
    """
    run = _RECURRENT.get(f"{activation}_rnn") if isinstance(activation, str) else None
    if run is None:
        raise ValueError(f"simple_rnn: expected activation 'tanh' or 'relu', got {activation!r}")
    args = _checked("simple_rnn", run.kind, x, kernel, recurrent_kernel, bias, None, h0, None, mask)
    h, _, hs, _, _ = run.kind.named(run.call(*args, bool(sequences)))
    return hs, h
