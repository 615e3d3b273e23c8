"""Symbolic tensors: values that know their shape, dtype and where they come from, and no numbers.

Calling a layer on one records a node, and makes more of them: that is how the functional API
builds a graph. This module must not know any layer, nor how a graph is run.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy

from minpy import primitives
from minpy.array import ndarray
from minpy.autograd.containers import flatten, map_leaves

__all__ = ["KerasTensor", "Node", "is_symbolic", "symbolic_leaves", "zeros_like"]

# What a None in a shape is while a layer is tried out on zeros: the batch, and other axes. The two
# trials differ in it, so that axes which depend on it are told from those that don't.
_TRIALS = ({"batch": 2, "other": 16}, {"batch": 3, "other": 24})
# The other axes again, where those are beyond a table (of positions, mostly) that has fewer rows.
_SHORT_TRIALS = ({"batch": 2, "other": 2}, {"batch": 3, "other": 3})

KerasHistory = namedtuple("KerasHistory", ["operation", "node_index", "tensor_index"])


class Node:
    """One call of a layer on symbolic tensors.

    Parameters
    ----------
    layer
        What was called.
    args, kwargs
        What with: symbolic tensors, in lists and dicts, and constants.
    outputs
        The symbolic tensors that came out.
    """

    __slots__ = ("args", "kwargs", "layer", "outputs")

    def __init__(self, layer: Any, args: tuple, kwargs: dict, outputs: Any) -> None:
        self.layer = layer
        self.args = args
        self.kwargs = kwargs
        self.outputs = outputs
        for i, tensor in enumerate(flatten(outputs)[0]):
            tensor._node, tensor._index = self, i
        layer._inbound_nodes.append(self)

    def __repr__(self) -> str:
        return f"<Node of {self.layer.name!r}>"

    @property
    def input_tensors(self) -> list[KerasTensor]:
        """The symbolic tensors among the arguments, in order."""
        return list(symbolic_leaves((self.args, self.kwargs)))

    @property
    def output_tensors(self) -> list[KerasTensor]:
        """The symbolic tensors that came out."""
        return flatten(self.outputs)[0]

    @property
    def parents(self) -> list[Node]:
        """The calls that made the arguments, each once."""
        return list({id(t._node): t._node for t in self.input_tensors if t._node}.values())


class KerasTensor:
    """A symbolic tensor: shape and dtype of a value that isn't there yet.

    `minpy.layers.Input` makes one; calling a layer, or a function of ``minpy.numpy``, on one makes
    the next. ``Model(inputs, outputs)`` is then the function from some of them to others.

    Parameters
    ----------
    shape
        Length of each axis, None where it isn't known: the batch axis, first, mostly.
    dtype
        Element type.
    sparse, ragged
        Must be False: arrays are dense.
    record_history
        Kept for Keras' sake.
    name
        For messages; that of the layer it came from if not given.

    Examples
    --------
    >>> from minpy.layers import Dense, Input
    >>> x = Input((784,))
    >>> y = Dense(10)(x)
    >>> y.shape, (y * 2 + 1)[:, :3].shape
    ((None, 10), (None, 3))
    """

    # NumPy's binary operators give way to ours.
    __array_priority__ = 2000.0

    sparse = ragged = False

    def __init__(
        self,
        shape: Any,
        dtype: Any = "float32",
        sparse: bool = False,
        ragged: bool = False,
        record_history: bool = True,
        name: str | None = None,
    ) -> None:
        if sparse or ragged:
            raise ValueError(
                "KerasTensor: expected sparse and ragged to be False; arrays are dense"
            )
        self.shape = tuple(None if n is None else int(n) for n in shape)
        self.dtype = numpy.dtype(dtype)
        self._name = name
        self._node: Node | None = None
        self._index = 0
        self._keras_mask = None
        # Whether the value will come with a mask, for layers that can't do without one.
        self._masked = False

    @property
    def name(self) -> str:
        """That of the input or of the layer it came from."""
        if self._name is not None:
            return self._name
        return "keras_tensor" if self._node is None else self._node.layer.name

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def _keras_history(self) -> KerasHistory | None:
        if self._node is None:
            return None
        return KerasHistory(
            self._node.layer, self._node.layer._inbound_nodes.index(self._node), self._index
        )

    def __repr__(self) -> str:
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"

    # --- operations are recorded ------------------------------------------------------------------

    def __array_function__(self, func: Any, types: Any, args: tuple, kwargs: dict) -> Any:
        return record(func.__name__, args, kwargs)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__":
            raise TypeError(f"numpy.{ufunc.__name__}.{method} can't be used on a symbolic tensor")
        return record(ufunc.__name__, inputs, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name in NOT_SYMBOLIC or not hasattr(ndarray, name):
            raise AttributeError(
                f"a symbolic tensor has no attribute {name!r}"
                + (
                    ": it has no value; call a Model(inputs, outputs) on data to get one"
                    if hasattr(ndarray, name)
                    else ""
                )
            )
        if isinstance(getattr(ndarray, name), property):
            return record(f"ndarray.{name}", (self,), {})
        return lambda *args, **kwargs: record(f"ndarray.{name}", (self, *args), kwargs)

    def __getitem__(self, index: Any) -> KerasTensor:
        return record("getitem", (self, index), {})

    # --- what needs a value -----------------------------------------------------------------------

    def _refuse(self, what: str) -> Any:
        raise TypeError(
            f"{self!r} has no value, so {what}; write it with layers and functions of minpy.numpy, "
            "or inside the call of a layer of your own"
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        self._refuse("it can't become an array")

    def __bool__(self) -> bool:
        return self._refuse("a program can't branch on it")

    def __float__(self) -> float:
        return self._refuse("it can't become a number")

    def __int__(self) -> int:
        return self._refuse("it can't become a number")

    def __iter__(self) -> Iterator[Any]:
        return self._refuse("a loop can't run over it")

    def __len__(self) -> int:
        return self._refuse("it has no length (its shape is x.shape)")

    __hash__ = object.__hash__

    # Without it `==` would be recorded, and `x in list` would ask for its truth.
    def __eq__(self, other: Any) -> Any:
        return self is other


# Attributes of arrays that a value is needed for, or that write.
NOT_SYMBOLIC = frozenset(
    [
        "as_in_context",
        "asnumpy",
        "assign",
        "assign_add",
        "assign_sub",
        "numpy",
        "dump",
        "dumps",
        "attach_grad",
        "byteswap",
        "context",
        "ctx",
        "data",
        "detach",
        "fill",
        "flags",
        "flat",
        "grad",
        "item",
        "itemset",
        "itemsize",
        "nbytes",
        "nonzero",
        "partition",
        "put",
        "resize",
        "setflags",
        "size",
        "sort",
        "strides",
        "tobytes",
        "tofile",
        "tolist",
        "view",
        "wait_to_read",
    ]
)

_OPERATORS = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "true_divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "power",
    "matmul": "matmul",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
}
_COMPARISONS = {
    "ne": "not_equal",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
}
_UNARY = {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}


def _attach_operators() -> None:
    for short, name in _OPERATORS.items():
        setattr(KerasTensor, f"__{short}__", lambda a, b, _n=name: record(_n, (a, b), {}))
        setattr(KerasTensor, f"__r{short}__", lambda a, b, _n=name: record(_n, (b, a), {}))
    for short, name in _COMPARISONS.items():
        setattr(KerasTensor, f"__{short}__", lambda a, b, _n=name: record(_n, (a, b), {}))
    for short, name in _UNARY.items():
        setattr(KerasTensor, f"__{short}__", lambda a, _n=name: record(_n, (a,), {}))


_attach_operators()


def record(function: Any, args: tuple, kwargs: dict) -> Any:
    """Record the call of a function, or of one by its name, as a layer of the graph."""
    from minpy.layers.core.operation import Operation

    return Operation(function)(*args, **kwargs)


def _record_operation(operation: Any, args: tuple, kwargs: dict) -> Any:
    return record(getattr(operation, "symbolic_name", operation), args, kwargs)


primitives.symbolic_types[KerasTensor] = _record_operation


# --- nested containers of them --------------------------------------------------------------------


def symbolic_leaves(value: Any) -> Iterator[KerasTensor]:
    """Yield the symbolic tensors in nested tuples, lists and dicts."""
    kind = type(value)
    if kind is KerasTensor:
        yield value
    elif kind is ndarray:
        return
    elif isinstance(value, tuple | list):
        for part in value:
            yield from symbolic_leaves(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from symbolic_leaves(part)


def is_symbolic(values: Iterable[Any]) -> bool:
    """Say whether there is a symbolic tensor among values, or inside of them."""
    for value in values:
        kind = type(value)
        if kind is ndarray:
            continue
        if kind is KerasTensor:
            return True
        if isinstance(value, tuple | list | dict) and any(True for _ in symbolic_leaves(value)):
            return True
    return False


def map_symbolic(function: Callable[[KerasTensor], Any], value: Any) -> Any:
    """Return nested tuples, lists and dicts with something in the place of symbolic tensors."""
    if type(value) is KerasTensor:
        return function(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(map_symbolic(function, part) for part in value))
    if isinstance(value, tuple | list):
        return type(value)(map_symbolic(function, part) for part in value)
    if isinstance(value, dict):
        return {name: map_symbolic(function, part) for name, part in value.items()}
    return value


# --- shapes by trial ------------------------------------------------------------------------------


def zeros_like(tensor: KerasTensor, trial: int = 0, trials: tuple = _TRIALS) -> ndarray:
    """Return zeros that stand for a symbolic tensor, with small numbers where it has None."""
    from minpy.array import wrap

    lengths = trials[trial]
    shape = [
        (lengths["other"] if axis else lengths["batch"]) if n is None else n
        for axis, n in enumerate(tensor.shape)
    ]
    zeros = wrap(numpy.zeros(shape, tensor.dtype))
    if tensor._masked:
        zeros._keras_mask = wrap(numpy.ones(shape[:2], bool))
    return zeros


def outputs_by_trial(function: Callable[..., Any], args: tuple, kwargs: dict) -> Any:
    """Return what a function of symbolic tensors returns, by running it on zeros.

    Where a shape has None it runs twice, on zeros of different lengths; axes of the result that
    differ are None.
    """
    tensors = list(symbolic_leaves((args, kwargs)))
    unknown = any(None in t.shape for t in tensors)

    def tried(trials: tuple) -> list[Any]:
        results = []
        for trial in range(2 if unknown else 1):

            def zeros(tensor: KerasTensor, trial: int = trial) -> ndarray:
                return zeros_like(tensor, trial, trials)

            results.append(function(*map_symbolic(zeros, args), **map_symbolic(zeros, kwargs)))
        return results

    try:
        results = tried(_TRIALS)
    except IndexError:
        if not any(None in t.shape[1:] for t in tensors):
            raise
        results = tried(_SHORT_TRIALS)

    def symbolic(*found: Any) -> KerasTensor:
        if type(found[0]) is not ndarray:
            raise TypeError(
                f"expected arrays as the result on symbolic tensors, got {type(found[0]).__name__}"
            )
        lengths = zip(*(f.shape for f in found), strict=True)
        shape = [n[0] if len(set(n)) == 1 else None for n in lengths]
        return KerasTensor(shape, found[0].dtype)

    return map_leaves(symbolic, *results)
