"""Recurrences over time, whole sequences at once: LSTM, GRU and the simple recurrence.

The step of each is written three times: for NumPy, which is the reference and takes every dtype; as
machine code (`minpy.layers.functions.recurrent_kernels`), which float32 runs on, alone and inside
of graphs; and in operations of minpy's, which higher derivatives and forward mode go through.

It must not know about layers, cells or dropout.
"""

from __future__ import annotations

import functools
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
from minpy.layers.functions.recurrences import KINDS, Recurrence
from minpy.layers.functions.recurrent_runs import (
    by_kernels,
    by_kernels_back,
    by_numpy,
    by_numpy_back,
    compiled_kernels,
    kernels_of_numba,
)
from minpy.numpy.elementwise import where
from minpy.numpy.shaping import concatenate, stack
from minpy.primitives import Primitive, registry

__all__ = ["gru", "lstm", "simple_rnn"]


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
        kernels = compiled_kernels(args)
        if kernels is None:
            by_numpy(kind, args, results)
        else:
            by_kernels(kind, kernels, args, results)
        return tuple(results)

    def _backward(self, *given: Any) -> tuple:
        gs, args, kept = given[:3], given[3 : 3 + _ARRAYS], given[3 + _ARRAYS : 6 + _ARRAYS]
        args, kept = _contiguous(args), _contiguous(kept)
        kind = self.kind
        gs = tuple(None if g is None else numpy.ascontiguousarray(g, args[0].dtype) for g in gs)
        results = [None, *([None] if kind.cell else []), *[k for k in kept if k is not None]]
        found = tuple(None if a is None else numpy.empty_like(a) for a in args[:7])
        kernels = compiled_kernels(args)
        if kernels is None:
            by_numpy_back(kind, gs, args, results, found)
        else:
            by_kernels_back(kind, kernels, gs, args, results, found, None)
        return tuple(f for f in found if f is not None)

    def _forward_into(self, given: list, results: list) -> None:
        args = _contiguous(given[:_ARRAYS])
        shapes = self.kind.shapes(*args[0].shape[:2], args[2].shape[0])
        full = [
            numpy.empty(shape, "float32") if r is None else r
            for shape, r in zip(shapes, results, strict=True)
        ]
        by_kernels(self.kind, kernels_of_numba(), args, full)

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
        # The gates are read for the last time here, and each run of a graph computes them anew:
        # their memory takes the gradients.
        dz = kept[1] if kind.cell else None
        by_kernels_back(
            kind, kernels_of_numba(), tuple(gs), _contiguous(args), made, tuple(found), dz
        )

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
        if not F.symbolic or kernels_of_numba() is None:
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
        self._forward_into(self._all(inputs, masked), results)

    def _node_backward(
        self, sequences: bool, gs: list, inputs: list, results: list, found: list, masked: bool
    ) -> None:
        args, wanted = self._all(inputs, masked), self._all(found, masked)
        g_c = gs[1] if self.kind.cell else None
        g_hs = gs[-1] if sequences else None
        _, _, *kept = self.kind.named(results)
        self._backward_into(
            [gs[0], g_c, g_hs, *args, *kept],
            [w for w, a in zip(wanted[:7], args[:7], strict=True) if a is not None],
        )


_RECURRENT = {kind.name: _Recurrent(kind) for kind in KINDS}


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
