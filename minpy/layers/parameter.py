"""One weight of a layer: its value, and where that lies; knows no layer, model or optimizer."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import numpy

from minpy.array import as_ndarray, ndarray, numpy_value, wrap
from minpy.config import default_dtype
from minpy.errors import ShapeError

__all__ = ["Parameter", "Variable", "collect_updates", "settled"]


class _Pending(threading.local):
    """The updates of a step that isn't finished: they count only if the step does."""

    stack: list[list[tuple[Parameter, Any]]] | None = None


_pending = _Pending()


class _Structure:
    """Counts the changes to what layers and weights there are, and to which of them train."""

    version = 0


structure = _Structure()


class Parameter:
    """A weight: trained (a kernel), or kept up by its layer (a running mean).

    Parameters
    ----------
    name
        Its name inside the layer.
    value
        Initial value; its shape and dtype stay.
    trainable
        Whether an optimizer changes it.
    regularizer, constraint
        Functions of the value: a loss term, and what is done to it after each step.
    transposed
        Whether a matrix lies in memory with its columns one after the other, as MXNet's product
        wants the kernel of a dense layer: that is 1.2 to 1.7 times as fast as turning it round
        at each step.
    """

    __slots__ = (
        "__weakref__",
        "_memory",
        "_trainable",
        "constraint",
        "in_use",
        "name",
        "path",
        "regularizer",
        "transposed",
        "value",
    )

    def __init__(
        self,
        name: str,
        value: numpy.ndarray,
        trainable: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        transposed: bool = False,
    ) -> None:
        self.name = name
        self.path = name
        self.trainable = trainable
        self.regularizer = regularizer
        self.constraint = constraint
        self.transposed = transposed
        self.in_use = True  # until its layer has made another in its place
        _alive.add(self)
        self.move(numpy.array(value.T if transposed else value, order="C"))

    def __repr__(self) -> str:
        kind = "" if self.trainable else ", not trained"
        return f"<Parameter {self.path!r} {self.shape} {self.dtype}{kind}>"

    @property
    def trainable(self) -> bool:
        """Whether an optimizer changes it."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        structure.version += 1

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return self._memory.shape

    @property
    def dtype(self) -> numpy.dtype:
        """Element type."""
        return self._memory.dtype

    @property
    def size(self) -> int:
        """Number of elements."""
        return self._memory.size

    @property
    def memory(self) -> numpy.ndarray:
        """The NumPy array that holds the value: a part of the model's flat buffer."""
        return self._memory

    @property
    def storage(self) -> numpy.ndarray:
        """The value as it lies in memory, contiguous: transposed for some."""
        return self._memory.T if self.transposed else self._memory

    def numpy(self) -> numpy.ndarray:
        """Return a copy of the value."""
        return numpy.array(self._memory, order="C")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> numpy.ndarray:
        return numpy.array(self._memory, dtype)

    def __minpy_array__(self) -> ndarray:
        return self.value  # followed by derivatives, which a NumPy array would not be

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._memory.ndim

    def assign(self, value: Any) -> Parameter:
        """Set the value, cast to the weight's dtype, and return the weight.

        In a forward pass that is a part of a training step the rest of the pass sees the new
        value, and it stays if the step succeeds.

        Raises
        ------
        ShapeError
            If `value` has another shape; the weight is then as it was.
        """
        if _pending.stack and type(value) is ndarray and value.shape == self.shape:
            self.update(value)
            return self
        given = numpy_value(value) if type(value) is ndarray else numpy.asarray(value)
        if given.shape != self.shape:
            raise ShapeError(
                f"weight {self.path!r}: expected shape {self.shape}, got {given.shape}"
            )
        # Numbers become those of the weight's dtype, as in Keras; text and complex ones can't.
        plain = given.dtype.kind in "biuf"
        numpy.copyto(self._memory, given, casting="unsafe" if plain else "same_kind")
        self.rewrap()
        return self

    def assign_add(self, value: Any) -> Parameter:
        """Add to the value; as `assign`."""
        return self.assign(self.value + as_value(value))

    def assign_sub(self, value: Any) -> Parameter:
        """Subtract from the value; as `assign`."""
        return self.assign(self.value - as_value(value))

    def update(self, value: Any) -> None:
        """Set the value from inside a forward pass: counts when the training step succeeds."""
        if _pending.stack:
            _pending.stack[-1].append((self, value))
            if type(value) is ndarray and value.shape == self.shape:
                self.value = value if value.dtype == self.dtype else value.astype(self.dtype)
        else:
            self.assign(value)

    def move(self, storage: numpy.ndarray) -> None:
        """Make `storage`, which holds the value already, the place where it lies from now on."""
        self._memory = self.seen(storage)
        self.value = wrap(self._memory)

    def return_to(self, memory: numpy.ndarray) -> bool:
        """Lie again where it lay, in what `memory` was then, and say whether it had to move."""
        moves = self._memory is not memory
        if moves:
            numpy.copyto(memory, self._memory)
            self._memory = memory
        self.rewrap()
        return moves

    def seen(self, storage: numpy.ndarray) -> numpy.ndarray:
        """Return memory that lies as the value does, with the value's axes."""
        return storage.T if self.transposed else storage

    def rewrap(self) -> None:
        """See the memory through a new array where a write under a tape has parted the two."""
        if self.value._np is not self._memory or self.value._box is not None:
            self.value = wrap(self._memory)


def _attach_operators() -> None:
    """Let ``self.kernels[0] * x`` be a product: in a list a weight doesn't read as an array."""
    binary = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul"]
    for name in [f"__{p}{b}__" for b in binary for p in ("", "r")]:
        setattr(Parameter, name, lambda self, other, _n=name: getattr(self.value, _n)(other))
    for name in ("__neg__", "__abs__"):
        setattr(Parameter, name, lambda self, _n=name: getattr(self.value, _n)())
    Parameter.__getitem__ = lambda self, index: self.value[index]


_attach_operators()


class Variable(Parameter):
    """A weight made by itself: an attribute of a layer or model becomes one of its weights.

    Parameters
    ----------
    initializer
        The value, or a name or function that gives one of a shape.
    shape
        Length of each axis, if `initializer` isn't the value.
    dtype
        Element type; that of the value, and `minpy.default_dtype` for Python's floats, if not
        given.
    trainable
        Whether an optimizer changes it.
    autocast, aggregation, synchronization
        Kept for Keras' sake.
    name
        That of the attribute which holds it, if not given.

    Examples
    --------
    >>> count = Variable(2.0, trainable=False)
    >>> count.assign_add(1.5)
    <Parameter 'variable' () float32, not trained>
    >>> float(count.value)
    3.5
    """

    __slots__ = ("unnamed",)

    def __init__(
        self,
        initializer: Any,
        shape: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str = "none",
        synchronization: str = "auto",
        name: str | None = None,
    ) -> None:
        if callable(initializer) or isinstance(initializer, str):
            from minpy import initializers

            if shape is None:
                raise ValueError("Variable: an initializer needs a shape; give shape=…")
            shape = (shape,) if isinstance(shape, int) else tuple(shape)
            value = initializers.make(initializer, shape, numpy.dtype(dtype or default_dtype()))
        else:
            value = as_value(initializer)
            plain = not hasattr(initializer, "dtype") and value.dtype.kind == "f"
            value = numpy_value(value).astype(dtype or (default_dtype() if plain else value.dtype))
            if shape is not None and value.shape != tuple(shape):
                raise ShapeError(f"Variable: expected shape {tuple(shape)}, got {value.shape}")
        self.unnamed = name is None
        super().__init__(name or "variable", value, trainable)


# Every weight there is: a layer's attribute reads as an array, which is asked for its weight only
# when somebody assigns to it.
_alive: weakref.WeakSet[Parameter] = weakref.WeakSet()


def _weight_of(array: ndarray, what: str) -> Parameter:
    for parameter in _alive:
        if parameter.value is array:
            return parameter
    raise TypeError(
        f"{what}: the array isn't the value of a weight; write into it with x[...] = value"
    )


def _assignment(name: str) -> None:
    def assign(self: ndarray, value: Any) -> Parameter:
        return getattr(_weight_of(self, name), name)(value)

    assign.__name__, assign.__qualname__ = name, f"ndarray.{name}"
    assign.__doc__ = f"`Parameter.{name}` of the weight whose value this is."
    setattr(ndarray, name, assign)


for _name in ("assign", "assign_add", "assign_sub"):
    _assignment(_name)


@contextlib.contextmanager
def collect_updates() -> Iterator[list[tuple[Parameter, Any]]]:
    """Hold back the updates that a forward pass makes; the caller applies them, or doesn't."""
    if _pending.stack is None:
        _pending.stack = []
    held: list[tuple[Parameter, Any]] = []
    _pending.stack.append(held)
    try:
        yield held
    finally:
        _pending.stack.pop()
        for parameter, _ in held:
            parameter.rewrap()


@contextlib.contextmanager
def settled() -> Iterator[None]:
    """Let what is assigned in a ``with`` block stay at once: where weights are made."""
    stack, _pending.stack = _pending.stack, None
    try:
        yield
    finally:
        _pending.stack = stack


@contextlib.contextmanager
def bound(parameters: list[Parameter], values: list[ndarray]) -> Iterator[None]:
    """Let parameters have other values (a tape's) for a ``with`` block."""
    before = [p.value for p in parameters]
    for p, value in zip(parameters, values, strict=True):
        p.value = value
    try:
        yield
    finally:
        for p, value in zip(parameters, before, strict=True):
            p.value = value


def as_value(x: Any) -> ndarray:
    """Return the array of a parameter, or of anything array-like."""
    return x.value if isinstance(x, Parameter) else as_ndarray(x)
