"""The array value: one value seen by NumPy and by MXNet; knows no operation by name.

An `ndarray` holds one value. On the host NumPy and MXNet see the same memory, and each of the two
handles is made when it is first needed. On a GPU the MXNet array is the value, NumPy gets a copy.

Operators, methods and in-place writes are attached by ``minpy.numpy``; what is here is the state
that they share, and the rules that keep it right:

* **Tracking.** Under a derivative an array carries a `_box` (what the trace recorded about it) and
  `_inner`, the same value as the next lower trace sees it. The concrete value is always there too,
  so ``float(x)``, ``print(x)`` and ``if x > 0`` work at any depth. Boxes of a trace that has ended
  are peeled off when they are met.
* **Views.** Basic slices, ``reshape``, ``T`` and the like share memory with their base, and know
  how they were made. A write that must not touch the memory (a tape still needs it, or the value is
  tracked) gives the root a new value and a new generation, and its views catch up when next used.

An array object is what a program writes to; a tape must not see those writes. So what a tape keeps
is a `snapshot`, another object with the same memory, and the memory is *captured*: as long as the
tape lives nobody writes to it.
"""

from __future__ import annotations

from typing import Any

import numpy

from minpy import runtime
from minpy.config import settings
from minpy.context import CPU, Context, current_context
from minpy.errors import DifferentiationError
from minpy.policy import state

__all__ = [
    "NotNumericError",
    "View",
    "as_ndarray",
    "capture",
    "holds_arrays",
    "is_captured",
    "is_tracked",
    "makes_array_of_ours",
    "ndarray",
    "numpy_value",
    "read_value",
    "snapshot",
    "wrap",
]

registry = state.operations  # the primitives by name, filled by the modules above this one

_FLOAT64 = numpy.dtype("float64")
_COMPLEX128 = numpy.dtype("complex128")


class NotNumericError(TypeError):
    """Something that NumPy would make an array of Python objects of, which minpy has none of."""


class ndarray:
    """A NumPy-style array that NumPy and MXNet share, and that derivatives can be taken of.

    Arrays are made by ``minpy.numpy.array``, ``zeros`` and the like rather than by this class.

    Parameters
    ----------
    shape
        Length of each axis.
    dtype
        Element type; the default float dtype if not given.
    buffer, offset, strides, order
        Memory to lie in and how, as for `numpy.ndarray`.

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
    _captured: Any = None  # weak references to the tapes that need the memory as it is
    _laid_out: int = 0  # the generation at which it, or a view of it, was given another layout
    _scalar: bool = False  # whether NumPy has a scalar in its place, which is never written to
    _resized: int = 0  # the generation at which it got memory that its views don't share
    _exported: tuple = ()  # memory that others were given the address of

    # NumPy's binary operators give way to ours.
    __array_priority__ = 1000.0

    def __init__(
        self,
        shape: Any,
        dtype: Any = None,
        buffer: Any = None,
        offset: int = 0,
        strides: Any = None,
        order: str | None = None,
    ) -> None:
        if type(buffer) is ndarray:
            buffer = read_value(buffer)
        dtype = settings.float_dtype if dtype is None else dtype
        value = numpy.ndarray(shape, dtype, buffer, offset, strides, order)
        made = wrap(value) if buffer is not None else from_numpy(value, current_context())
        self._np, self._nd, self._context = made._np, made._nd, made._context

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
        _lay_out(self, "shape", shape)

    @property
    def dtype(self) -> numpy.dtype:
        """Element type."""
        value = self._np
        if value is not None:
            return value.dtype
        return numpy.dtype(_handle(self).dtype)

    @dtype.setter
    def dtype(self, dtype: Any) -> None:
        _lay_out(self, "dtype", dtype)

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

    def get_data(self, kind: int) -> Any:
        """Return the array of NumPy's (0) or MXNet's (1) over the memory, as minpy 0.3.4 did.

        The numbers are those of `minpy.array_variants.ArrayType`.
        """
        if kind not in (0, 1):
            raise ValueError(f"get_data: expected ArrayType.NUMPY (0) or MXNET (1), got {kind!r}")
        return self._ndarray() if kind else read_value(self)

    def wait_to_read(self) -> None:
        """Wait until the value has been computed: a GPU works asynchronously."""
        if self._nd is not None:
            self._nd.wait_to_read()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> numpy.ndarray:
        if dtype is not None and numpy.dtype(dtype).kind in "biu":
            value = read_value(self)  # a constant to derivatives
        else:
            value = _untracked_value(self)
        if dtype is not None and value.dtype != dtype:
            return value.astype(dtype)
        return value.copy() if copy else value.view()

    @property
    def __array_interface__(self) -> dict[str, Any]:
        """NumPy's description of the memory (version 3 of the array interface)."""
        value = read_value(self)
        if is_tracked(self):  # so that NumPy goes on to `__array__`, and says there what is asked
            raise AttributeError("an array that is being differentiated doesn't show its memory")
        if self._np is None:
            raise AttributeError(f"an array on {self._context!r} has no memory on the host")
        # Whoever reads this keeps the array alive, not the memory: the array has to.
        if not any(value is kept for kept in self._exported):
            self._exported = (*self._exported, value)
        return value.__array_interface__

    def __sizeof__(self) -> int:
        held = 0 if self._view is not None or self._np is None else self._np.__sizeof__()
        return object.__sizeof__(self) + held

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

    def __reduce__(self) -> tuple:
        # Not asnumpy(): what lies in Fortran's order comes back so.
        value = read_value(self)
        context = self._context
        return (_rebuild, (value, context.device_type, context.device_id, is_scalar(self)))

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """Return a DLPack capsule over the memory; an array on a device is copied to the host.

        So is what DLPack has no word for, unless `copy` is false: read-only memory, and strides
        below zero, at which PyTorch aborts the process.
        """
        if stream is not None:
            raise TypeError(f"__dlpack__: an array on the host has no stream, got {stream!r}")
        if dl_device not in (None, (1, 0)):
            raise BufferError(f"__dlpack__: expected the host, device (1, 0), got {dl_device}")
        value = _untracked_value(self)
        if not value.flags._writeable_no_warn or any(step < 0 for step in value.strides):
            if copy is False:
                raise BufferError(
                    "__dlpack__: an array that is read-only or has a negative stride can't be "
                    "shared; pass x.copy(), or copy=None"
                )
            copy = True
        return (value.copy() if copy else value).__dlpack__()

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)  # kDLCPU


# By TensorFlow's and PyTorch's name too; inside of the class it would hide the module.
ndarray.numpy = ndarray.asnumpy


class View:
    """How an array that shares memory was made from its base: ``operation(base, *args, **kwargs)``.

    On a device, where the memory is not shared in fact, `layout` is an array of bytes on the host
    that lies in memory as the view would.
    """

    __slots__ = ("args", "base", "generation", "kwargs", "layout", "operation", "root")

    def __init__(
        self, base: ndarray, operation: Any, args: tuple, kwargs: dict, layout: Any = None
    ) -> None:
        above = base._view
        self.base = base
        self.operation = operation
        self.args = args
        self.kwargs = kwargs
        self.root = root = base if above is None else above.root
        self.generation = root._generation
        self.layout = layout


_new = ndarray.__new__


def wrap(value: numpy.ndarray) -> ndarray:
    """Return a minpy array over a NumPy array, on the CPU and without a copy."""
    array = _new(ndarray)
    array._np = value
    return array


def wrap_nd(nd: Any, context: Context = CPU) -> ndarray:
    """Return a minpy array over an MXNet array that nobody else writes to."""
    array = _new(ndarray)
    if context.on_host:
        # The NumPy view keeps the NDArray alive. MXNet gets a new handle on the same memory when
        # it asks: oneDNN may reorder an array of its own in place, and does not a borrowed one.
        array._np = runtime.view(nd)
    else:
        array._nd = nd
        array._context = context
    return array


def from_numpy(value: numpy.ndarray, context: Context) -> ndarray:
    """Return a minpy array with this value on a device; on the host over the same memory.

    What MXNet has no dtype for (complex numbers, strings) stays on the host.
    """
    if context.on_host or not runtime.supports(value.dtype):
        return wrap(value)
    nd = runtime.copy_to(runtime.borrow(value), context.device_type, context.device_id)
    return wrap_nd(nd, context)


def _rebuild(
    value: numpy.ndarray, device_type: str, device_id: int, scalar: bool = False
) -> ndarray:
    context = Context(device_type, device_id)
    context.check()
    made = from_numpy(value, context)
    if scalar:
        made._scalar = True
    return made


def refresh(array: ndarray) -> None:
    """Let a view catch up with its base, where the base was given a new value."""
    view = array._view
    if view.root._generation == view.generation or not follows(array):
        return
    adopt(array, view.operation(view.base, *view.args, **view.kwargs))
    view.generation = view.root._generation


def follows(view: ndarray) -> bool:
    """Say whether a view can be made anew from its base; if not, it stays what it is.

    Raises
    ------
    ValueError
        If the base was given a new value after it had been laid out otherwise than the view knows.
    """
    link = view._view
    root = link.root
    if link.generation >= root._laid_out:
        return True
    if link.generation < root._resized or not view._np.size:
        return False
    if numpy.may_share_memory(view._np, root._np):
        return False
    raise ValueError(_LAID_OUT)


_LAID_OUT = (
    "an array whose shape or dtype was set in place, and views made before, can't follow a write "
    "that a derivative is taken through; use x = x.reshape(shape) or x = x.view(dtype) instead"
)


def _lay_out(array: ndarray, attribute: str, value: Any) -> None:
    """Set the shape or dtype of an array in place: others who share its memory keep theirs."""
    if is_tracked(array) or array._np is None:
        raise AttributeError(
            f"the {attribute} of an array on a device and of one that is being differentiated "
            f"can't be set; use x = x.{'reshape' if attribute == 'shape' else 'view'}({attribute})"
        )
    laid_out = array._np.view()
    setattr(laid_out, attribute, value)
    array._np, array._nd = laid_out, None
    root = root_of(array)
    root._generation += 1
    root._laid_out = root._generation


def adopt(array: ndarray, made: ndarray) -> None:
    """Give an array object the value, memory and history of another."""
    array._np, array._nd, array._context = made._np, made._nd, made._context
    array._box, array._inner = made._box, made._inner


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


def is_scalar(array: ndarray) -> bool:
    """Say whether NumPy has a scalar in the place of an array: a value, which can't be changed."""
    if array._view is not None:
        return False
    inside: ndarray | None = array
    while inside is not None and not inside._scalar:
        inside = inside._inner
    return inside is not None


def root_of(array: ndarray) -> ndarray:
    """Return the array whose memory this one shares: itself unless it is a view."""
    view = array._view
    return array if view is None else view.root


def capture(array: ndarray, token: Any) -> None:
    """Keep the memory of an array as it is while the tape behind a weak reference lives."""
    root = root_of(array)
    before = root._captured
    if before is None:
        root._captured = token
    elif before is not token:
        held = before if type(before) is tuple else (before,)
        if token not in held:
            alive = tuple(t for t in held if t() is not None)
            root._captured = (*alive, token) if alive else token


def is_captured(array: ndarray) -> bool:
    """Say whether a live tape needs the memory of an array as it is."""
    root = root_of(array)
    held = root._captured
    if held is None:
        return False
    if type(held) is tuple:
        if any(token() is not None for token in held):
            return True
    elif held() is not None:
        return True
    root._captured = None
    return False


def snapshot(array: ndarray) -> ndarray:
    """Return the same value, memory and history as another object, which writes don't rebind."""
    if array._view is not None:
        refresh(array)
    alias = _new(ndarray)
    alias._np = array._np
    if alias._np is None:
        alias._nd, alias._context = array._nd, array._context
    if array._box is not None:
        alias._box, alias._inner = array._box, array._inner
    if array._scalar:
        alias._scalar = True
    return alias


def _handle(array: ndarray) -> Any:
    """Return the up-to-date NumPy array on the CPU, the NDArray on a GPU."""
    if array._view is not None:
        refresh(array)
    value = array._np
    return array._nd if value is None else value


def numpy_value(array: ndarray) -> numpy.ndarray:
    """Return the value as a NumPy array: the memory itself on the host, a copy from a device."""
    value = _handle(array)
    if isinstance(value, numpy.ndarray):
        return value
    return value.asnumpy()


def read_value(array: ndarray) -> numpy.ndarray:
    """Return the value for somebody who decides by it: Python's numbers, branches, indices, print.

    A trace that must not lose sight of its arrays refuses.
    """
    if array._view is not None:
        refresh(array)
    inside: ndarray | None = array
    while inside is not None and inside._box is not None:
        refuse = getattr(inside._box, "refuse", None)
        if refuse is not None and inside._box.trace.alive:
            refuse()
        inside = inside._inner
    return numpy_value(array)


def _untracked_value(array: ndarray) -> numpy.ndarray:
    """Return the value for a program outside minpy, which would lose the gradient."""
    value = read_value(array)
    if is_tracked(array):
        raise DifferentiationError(
            "a function outside minpy was given an array that is being differentiated, and would "
            "lose the gradient; use the function of minpy.numpy, register a derivative with "
            "minpy.primitive and minpy.defvjp, or take x.asnumpy() where no gradient is wanted"
        )
    return value


def as_ndarray(
    value: Any, dtype: Any = None, context: Context | None = None, weak: bool = True
) -> ndarray:
    """Turn anything array-like into a minpy array; NumPy arrays keep their memory and dtype.

    Python floats and lists of them get the default float dtype, unless they are not to be `weak`.
    A list may hold minpy arrays, tracked ones too.
    """
    if type(value) is ndarray:
        if dtype is not None and value.dtype != dtype:
            return value.astype(dtype)
        return value
    if isinstance(value, numpy.ndarray | numpy.generic):
        data = numpy.asarray(value, dtype)
    elif runtime.is_ndarray(value):
        device = value.context
        kind = "gpu" if device.device_type == "gpu" else "cpu"  # or cpu_pinned, cpu_shared
        array = wrap_nd(value, Context(kind, device.device_id))
        return array if dtype is None or array.dtype == dtype else array.astype(dtype)
    elif hasattr(value, "__minpy_array__"):
        return as_ndarray(value.__minpy_array__(), dtype)
    elif isinstance(value, list | tuple) and holds_arrays(value):
        stacked = registry["stack"](*[as_ndarray(v) for v in value])
        return stacked if dtype is None else stacked.astype(dtype)
    else:
        try:
            data = numpy.asarray(value, dtype)
        except ValueError:
            if not makes_array_of_ours(value):
                raise
            return as_ndarray(value.__array__(), dtype)
        if dtype is None and weak and settings.narrows and not hasattr(value, "dtype"):
            if data.dtype == _FLOAT64:
                data = data.astype(settings.float_dtype)
            elif data.dtype == _COMPLEX128:
                data = data.astype(settings.complex_dtype)
    if data.dtype == object:
        raise NotNumericError(
            f"can't make an array of {type(value).__name__}: NumPy would make one of Python "
            "objects; expected numbers, or lists of them with equal lengths"
        )
    return from_numpy(data, context or current_context())


def makes_array_of_ours(value: Any) -> bool:
    """Say whether a class of the user's makes minpy arrays of itself, which NumPy won't take."""
    kind = type(value)
    if kind in _BUILT_IN or not hasattr(kind, "__array__") or isinstance(value, type):
        return False
    return type(value.__array__()) is ndarray


_BUILT_IN = frozenset([bool, int, float, complex, list, tuple, range, str])


def holds_arrays(values: Any) -> bool:
    """Say whether there is a minpy array in a nested list."""
    for value in values:
        kind = type(value)
        if kind is ndarray or ((kind is list or kind is tuple) and holds_arrays(value)):
            return True
    return False


def __getattr__(name: str) -> Any:
    if name in ("Array", "Number", "Value"):  # the classes of minpy 0.3.4
        from minpy.dispatch import values

        return getattr(values, name)
    raise AttributeError(f"module 'minpy.array' has no attribute {name!r}")
