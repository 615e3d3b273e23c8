"""The array value: one value seen by NumPy and by MXNet; knows no operation by name.

An `ndarray` holds one value. On the CPU NumPy and MXNet see the same memory, and each of the two
handles is made when it is first needed. On a GPU the MXNet array is the value and NumPy gets a copy.

Operators, methods and in-place writes are attached by ``minpy.numpy``; what is here is the state
that they share, and the two rules that keep it right:

* **Tracking.** Under a derivative an array carries a `_box` (what the trace recorded about it) and
  `_inner`, the same value as the next lower trace sees it. The concrete value is always there too,
  so ``float(x)``, ``print(x)`` and ``if x > 0`` work at any depth. Boxes of a trace that has ended
  are peeled off when they are met.
* **Views.** Basic slices, ``reshape``, ``T`` and the like share memory with their base, and remember
  how they were made. A write that must not touch the memory (a tape still needs it, or the value is
  tracked) gives the root a new value and a new generation, and its views catch up when next used.
"""

from __future__ import annotations

from typing import Any

import numpy

from minpy import runtime
from minpy.config import settings
from minpy.context import CPU, Context, current_context
from minpy.errors import DifferentiationError

__all__ = ["View", "as_ndarray", "is_tracked", "ndarray", "numpy_value", "wrap"]

_FLOAT64 = numpy.dtype("float64")
_COMPLEX128 = numpy.dtype("complex128")


class ndarray:
    """A NumPy-style array that NumPy and MXNet share, and that derivatives can be taken of.

    Arrays are made by ``minpy.numpy.array``, ``zeros`` and the like rather than by this class.

    Parameters
    ----------
    shape
        Length of each axis.
    dtype
        Element type; the default float dtype if not given.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> x = np.array([[1., 2.], [3., 4.]])
    >>> x.T @ x
    array([[10., 14.],
           [14., 20.]])
    """

    # Class attributes stand for what most arrays don't have: making one then sets one attribute.
    _np: numpy.ndarray | None = None
    _nd: Any = None
    _context: Context = CPU
    _box: Any = None
    _inner: ndarray | None = None
    _view: View | None = None
    _generation: int = 0
    _captured: Any = None  # weak reference to the tape that needs the memory as it is

    # NumPy's binary operators give way to ours.
    __array_priority__ = 1000.0

    def __init__(self, shape: Any, dtype: Any = None) -> None:
        value = numpy.empty(shape, settings.float_dtype if dtype is None else dtype)
        context = current_context()
        if context is CPU:
            self._np = value
        else:
            self._nd = runtime.copy_to(
                runtime.borrow(value), context.device_type, context.device_id
            )
            self._context = context

    # --- what it is -----------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        value = self._np
        if value is None or self._view is not None:
            value = _handle(self)
        return value.shape

    @shape.setter
    def shape(self, shape: Any) -> None:
        if is_tracked(self) or self._view is not None or self._captured is not None:
            raise AttributeError("shape of a tracked array or a view can't be set; use reshape")
        value = numpy_value(self)
        value.shape = shape
        self._generation += 1
        if self._context is CPU:
            self._np, self._nd = value, None
        else:
            self._nd = self._nd.reshape(value.shape)

    @property
    def dtype(self) -> numpy.dtype:
        """Element type."""
        value = self._np
        if value is not None:
            return value.dtype
        return numpy.dtype(_handle(self).dtype)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        value = self._np
        if value is not None and self._view is None:
            return value.size
        count = 1
        for length in self.shape:
            count *= length
        return count

    @property
    def itemsize(self) -> int:
        """Bytes an element."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.size * self.dtype.itemsize

    @property
    def context(self) -> Context:
        """Device that the array lies on."""
        return self._context

    ctx = context

    # --- out of minpy ---------------------------------------------------------------------------

    def asnumpy(self) -> numpy.ndarray:
        """Return the value as a NumPy array of its own memory, without its derivative history.

        Examples
        --------
        >>> import minpy.numpy as np
        >>> type(np.ones(3).asnumpy())
        <class 'numpy.ndarray'>
        """
        return read_value(self).copy()

    def wait_to_read(self) -> None:
        """Wait until the value has been computed: a GPU works asynchronously."""
        if self._nd is not None:
            self._nd.wait_to_read()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> numpy.ndarray:
        if is_tracked(self):
            raise DifferentiationError(
                "a plain NumPy function was given an array that is being differentiated, and would "
                "lose the gradient; use the function of minpy.numpy, register a derivative with "
                "minpy.primitive and minpy.defvjp, or take x.asnumpy() where no gradient is wanted"
            )
        value = numpy_value(self)
        if dtype is not None and value.dtype != dtype:
            return value.astype(dtype)
        return value.copy() if copy else value

    def _ndarray(self) -> Any:
        """Return the value as an `mxnet.nd.NDArray`, on the CPU over the same memory."""
        nd = self._nd
        if nd is None or self._view is not None:
            value = _handle(self)
            if not isinstance(value, numpy.ndarray):
                return value
            nd = runtime.borrow(value)
            # A copy (of a strided array) must not be kept: writes to the array would miss it.
            if value.flags.c_contiguous and self._view is None:
                self._nd = nd
        return nd

    def as_in_context(self, context: Context) -> ndarray:
        """Return the array on a device: itself if it is there already, a copy otherwise.

        Parameters
        ----------
        context
            ``cpu()`` or ``gpu(i)``.
        """
        from minpy.primitives import registry

        if context == self._context:
            return self
        context.check()
        return registry["as_in_context"](self, context)

    def __reduce__(self) -> tuple:
        return (_rebuild, (self.asnumpy(), self._context.device_type, self._context.device_id))

    def __deepcopy__(self, memo: dict) -> ndarray:
        return from_numpy(self.asnumpy(), self._context)

    def __dlpack__(self, stream: Any = None) -> Any:
        return read_value(self).__dlpack__()

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)


class View:
    """How an array that shares memory was made from its base: ``operation(base, *args, **kwargs)``."""

    __slots__ = ("args", "base", "generation", "kwargs", "operation", "root")

    def __init__(self, base: ndarray, operation: Any, args: tuple, kwargs: dict) -> None:
        above = base._view
        self.base = base
        self.operation = operation
        self.args = args
        self.kwargs = kwargs
        self.root = root = base if above is None else above.root
        self.generation = root._generation


_new = ndarray.__new__


def wrap(value: numpy.ndarray) -> ndarray:
    """Return a minpy array over a NumPy array, on the CPU and without a copy."""
    array = _new(ndarray)
    array._np = value
    return array


def wrap_nd(nd: Any, context: Context = CPU) -> ndarray:
    """Return a minpy array over an MXNet array that nobody else writes to."""
    array = _new(ndarray)
    if context.is_cpu:
        # The NumPy view keeps the NDArray alive. MXNet gets a new handle on the same memory when
        # it asks: oneDNN may reorder an array of its own in place, and does not a borrowed one.
        array._np = runtime.view(nd)
    else:
        array._nd = nd
        array._context = context
    return array


def from_numpy(value: numpy.ndarray, context: Context) -> ndarray:
    """Return a minpy array with this value on a device; on the CPU over the same memory."""
    if context.is_cpu:
        array = wrap(value)
        if context is not CPU:
            array._context = context
        return array
    nd = runtime.borrow(value)
    return wrap_nd(runtime.copy_to(nd, context.device_type, context.device_id), context)


def _rebuild(value: numpy.ndarray, device_type: str, device_id: int) -> ndarray:
    context = Context(device_type, device_id)
    context.check()
    return from_numpy(value, context)


def refresh(array: ndarray) -> None:
    """Let a view catch up with its base, where the base was given a new value."""
    view = array._view
    if view.root._generation == view.generation:
        return
    made = view.operation(view.base, *view.args, **view.kwargs)
    array._np, array._nd = made._np, made._nd
    array._box, array._inner = made._box, made._inner
    view.generation = view.root._generation


def peel(array: ndarray) -> Any:
    """Drop boxes of traces that have ended; return the innermost live box, or None."""
    box = array._box
    while box is not None and not box.trace.alive:
        inner = array._inner
        array._box, array._inner = box, inner = inner._box, inner._inner
    return box


def is_tracked(array: ndarray) -> bool:
    """Say whether a derivative is being taken through this array."""
    if array._view is not None:
        refresh(array)
    return array._box is not None and peel(array) is not None


def root_of(array: ndarray) -> ndarray:
    """Return the array whose memory this one shares: itself unless it is a view."""
    view = array._view
    return array if view is None else view.root


def _handle(array: ndarray) -> Any:
    """Return the up-to-date NumPy array on the CPU, the NDArray on a GPU."""
    if array._view is not None:
        refresh(array)
    value = array._np
    return array._nd if value is None else value


def numpy_value(array: ndarray) -> numpy.ndarray:
    """Return the value as a NumPy array: the memory itself on the CPU, a copy from a GPU."""
    value = _handle(array)
    if isinstance(value, numpy.ndarray):
        return value
    return value.asnumpy()


def read_value(array: ndarray) -> numpy.ndarray:
    """Return the value for somebody outside minpy: Python's numbers and branches, print, NumPy.

    A trace that must not lose sight of its arrays refuses.
    """
    inside = array
    if inside._view is not None:
        refresh(inside)
    while inside is not None and inside._box is not None:
        refuse = getattr(inside._box, "refuse", None)
        if refuse is not None and inside._box.trace.alive:
            refuse()
        inside = inside._inner
    return numpy_value(array)


def as_ndarray(value: Any, dtype: Any = None, context: Context | None = None) -> ndarray:
    """Turn anything array-like into a minpy array; NumPy arrays keep their memory and dtype.

    Python floats and lists of them get the default float dtype. A list may hold minpy arrays,
    tracked ones too.
    """
    if type(value) is ndarray:
        if dtype is not None and value.dtype != dtype:
            return value.astype(dtype)
        return value
    if isinstance(value, numpy.ndarray | numpy.generic):
        data = numpy.asarray(value, dtype)
    elif runtime.is_ndarray(value):
        device = value.context
        if device.device_type == "gpu":
            return wrap_nd(value, Context("gpu", device.device_id))
        data = runtime.view(value)
        if dtype is not None and data.dtype != dtype:
            data = data.astype(dtype)
        array = wrap(data)
        return array
    elif isinstance(value, list | tuple) and _holds_arrays(value):
        from minpy.primitives import registry

        stacked = registry["stack"](*[as_ndarray(v) for v in value])
        return stacked if dtype is None else stacked.astype(dtype)
    else:
        data = numpy.asarray(value, dtype)
        if dtype is None and settings.narrows and not hasattr(value, "dtype"):
            if data.dtype == _FLOAT64:
                data = data.astype(settings.float_dtype)
            elif data.dtype == _COMPLEX128:
                data = data.astype(settings.complex_dtype)
    if data.dtype == object:
        raise TypeError(
            f"can't make an array of {type(value).__name__}: NumPy would make one of Python objects; "
            "expected numbers, or lists of them with equal lengths"
        )
    return from_numpy(data, context or current_context())


def _holds_arrays(values: Any) -> bool:
    """Say whether there is a minpy array in a nested list."""
    for value in values:
        kind = type(value)
        if kind is ndarray or ((kind is list or kind is tuple) and _holds_arrays(value)):
            return True
    return False
