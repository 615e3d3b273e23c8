"""Primitives: the registry of operations, and the dispatch from a call to a kernel.

A primitive is the unit of everything: a NumPy kernel (always), an MXNet kernel where MXNet can do
it, and derivative rules. Calling one finds out which traces its arguments belong to, hands the call
to the innermost of them, and at the bottom picks a kernel by the policy in force.

This module must not know any operation by name, nor how derivatives are computed: a trace brings
its own `process`.

How to write one::

    cube = Primitive('cube', lambda x: x ** 3)             # the NumPy kernel gets NumPy arrays
    defvjp(cube, lambda ans, x: lambda g: 3 * g * x ** 2)   # the rule gets minpy arrays

An MXNet kernel is written once and runs on NDArrays and on Symbols: ``kernel(F, *args, **kwargs)``,
where ``F('FullyConnected', x, w, num_hidden=10)`` runs an operator of MXNet's. It raises
`minpy.runtime.Unsupported` for arguments that it can't take, and the NumPy kernel runs instead.
"""

from __future__ import annotations

import functools
import inspect
import weakref
from collections.abc import Callable
from typing import Any

import numpy
from numpy.ma import MaskedArray

from minpy import runtime
from minpy.array import (
    View,
    as_ndarray,
    from_numpy,
    is_tracked,
    ndarray,
    numpy_value,
    peel,
    read_value,
    refresh,
    wrap,
    wrap_nd,
)
from minpy.config import settings
from minpy.context import CPU, Context, current_context
from minpy.errors import DifferentiationError, PolicyError
from minpy.policy import state as policy_state

__all__ = ["Primitive", "primitive", "registry"]

_new = ndarray.__new__
_NONE = type(None)
_ndarray = numpy.ndarray
_FLOAT64 = numpy.dtype("float64")
_INT64 = numpy.dtype("int64")
_COMPLEX128 = numpy.dtype("complex128")
_DOUBLES = (_FLOAT64, _COMPLEX128)

registry: dict[str, Primitive] = policy_state.operations

_MANY = 1 << 30
_SEVERAL = (tuple, list)

# Keywords that change nothing about what a call has to look after.
_OPTIONS = frozenset(["axis", "ddof", "keepdims", "subscripts"])

# What may stand in the place of an array as it is.
_PLAIN = frozenset(
    [_NONE, bool, int, float, complex, numpy.ndarray]
    + [t for t in numpy.sctypeDict.values() if issubclass(t, numpy.number | numpy.bool_)]
)

# Types without values whose operations are recorded instead of run: ``type → recorder(operation,
# args, kwargs)``. Who defines such a type enters it here.
symbolic_types: dict[type, Callable[..., Any]] = {}


def recorded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that is recorded as a whole where an argument is symbolic.

    For functions written in primitives, which would else be recorded in pieces.
    """

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        for a in args:
            kind = type(a)
            if kind in symbolic_types:
                return symbolic_types[kind](call, args, kwargs)
            if kind is list or kind is tuple:
                for b in a:
                    if type(b) in symbolic_types:
                        return symbolic_types[type(b)](call, args, kwargs)
        return function(*args, **kwargs)

    call.symbolic_name = function.__name__  # type: ignore[attr-defined]
    call.__module__ = "minpy.numpy"
    return call


# All primitives, a user's unregistered ones too: a change of policy has to reach each.
_instances: weakref.WeakSet[Primitive] = weakref.WeakSet()


class Primitive:
    """One operation: kernels, derivative rules, and the call that picks among them.

    Parameters
    ----------
    name
        Its name in the registry and in messages.
    kernel
        ``kernel(*args, **kwargs)`` on NumPy arrays; returns an array, or a tuple of them.
    mxnet
        ``mxnet(F, *args, **kwargs)`` on NDArrays or Symbols; None where MXNet can't do it.
    arrays
        How many leading arguments are arrays; -1 for all positional ones.
    faster_on_mxnet
        Whether policy ``auto`` takes the MXNet kernel on the CPU: a bool, or a function of the
        arguments that says so.
    faster_from
        The size of the largest operand below which that function needn't be asked.
    is_view
        Whether the result shares memory with the first argument, where NumPy makes it so. Such an
        operation moves no data: on the host NumPy does it under every policy.
    differentiable
        False for operations whose derivative is zero or undefined by nature (``argmax``,
        comparisons): their results are constants to every trace.
    """

    # What a call reads has slots: the dictionary is for the rest.
    __slots__ = (
        "__dict__",
        "__weakref__",
        "_direct",
        "_direct_below",
        "_leading",
        "_most",
        "fast",
        "is_view",
        "kernel",
        "ran_numpy",
    )

    def __init__(
        self,
        name: str,
        kernel: Callable[..., Any],
        *,
        mxnet: Callable[..., Any] | None = None,
        arrays: int = -1,
        faster_on_mxnet: bool | Callable[..., bool] = False,
        faster_from: int = 0,
        is_view: bool = False,
        differentiable: bool = True,
        doc: str | None = None,
        register: bool = True,
    ) -> None:
        self.name = name
        self.kernel = kernel
        self.mxnet = mxnet
        self.arrays = arrays
        self.faster_on_mxnet = faster_on_mxnet
        self._faster_from = faster_from
        self._direct_below = 0
        self.is_view = is_view
        self.differentiable = differentiable
        self.vjp_rules: dict[int, Callable[..., Any]] = {}
        self.jvp_rules: dict[int, Callable[..., Any]] = {}
        self.vjp_all: Callable[..., Any] | None = None  # one rule for all arguments together
        self.jvp_all: Callable[..., Any] | None = None
        self.class_numbers: int | None = None  # the argument that holds class numbers, if any
        # A kernel that fills float32 memory: (arguments, results), None where nobody asks for one.
        self.into: Callable[..., None] | None = None
        # A kernel for large operands on the host; gives None where it has nothing faster.
        self.fast: Callable[..., Any] | None = None
        self.ran_numpy = 0
        self.ran_mxnet = 0
        self.__name__ = self.__qualname__ = name
        self.__module__ = getattr(kernel, "__module__", None) or "minpy.numpy"
        self.__doc__ = doc if doc is not None else kernel.__doc__
        self._registered = register
        self._leading = _MANY if arrays < 0 else arrays
        self._most = _MANY  # positional arguments that need no second look
        if register:
            if name in registry:
                raise ValueError(f"a primitive named {name!r} exists already")
            registry[name] = self
        _instances.add(self)
        self._apply_policy(policy_state.name)

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def __reduce__(self) -> Any:
        return (_by_name, (self.name,)) if self._registered else object.__reduce__(self)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self.kernel)

    def _apply_policy(self, policy: str) -> None:
        # On the host, `_direct` operations go to NumPy without a look at their arguments.
        numpys = policy == "only_numpy" and (self.fast is None or not policy_state.takes_fast)
        self._direct = (
            self.is_view
            or numpys
            or (policy == "prefer_mxnet" and self.mxnet is None)
            or (policy == "auto" and (self.mxnet is None or self.faster_on_mxnet is False))
        )
        looks = policy == "auto" or (policy == "only_numpy" and not numpys)
        self._direct_below = self._faster_from if looks else 0

    # --- calling --------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the operation: on arrays of minpy's or NumPy's, numbers and lists of them."""
        # The path for untracked arrays on the host, where a microsecond counts; everything that is
        # out of the ordinary breaks out of the loop.
        if self._direct or self._direct_below:
            ours = mixed = scalar = False
            values = []
            for a in args:
                if type(a) is ndarray:
                    value = a._np
                    if value is None or a._box is not None:
                        break
                    view = a._view
                    if view is not None and view.root._generation != view.generation:
                        break
                    ours = True
                    values.append(value)
                else:
                    if type(a) not in _PLAIN and len(values) < self._leading:
                        a = _integers(a)
                        if a is None:
                            break
                    mixed = True
                    values.append(a)
            else:
                direct = self._direct or _are_small(values, self._direct_below)
                if (
                    ours
                    and len(values) <= self._most
                    and (not kwargs or kwargs.keys() <= _OPTIONS)
                    and (direct or (policy_state.fast_ready and self.fast is not None))
                ):
                    result = None if direct or kwargs else self.fast(*values)
                    if result is None:
                        result = self.kernel(*values, **kwargs) if kwargs else self.kernel(*values)
                    self.ran_numpy += 1
                    if type(result) is not _ndarray:
                        if type(result) in _SEVERAL:
                            return self._wrap_numpy(result, args, kwargs, CPU)
                        if isinstance(result, MaskedArray):
                            return result
                        result = numpy.asarray(result)
                        scalar = True
                    if mixed and result.dtype.hasobject:
                        return result
                    if settings.narrows:
                        dtype = result.dtype
                        if dtype is _FLOAT64 or dtype is _COMPLEX128:
                            result = default_precision(result, values)
                    out = _new(ndarray)
                    out._np = result
                    if scalar:
                        out._scalar = True
                    if self.is_view:
                        _link(out, args[0], self, args[1:], kwargs)
                    return out
        for a in (*args, *kwargs.values()) if kwargs else args:
            if type(a) in symbolic_types:
                return symbolic_types[type(a)](self, args, kwargs)
        if kwargs or len(args) > self._most:
            return self._call_with_options(args, kwargs)
        return self._call(args, kwargs)

    def _call_with_options(self, args: tuple, kwargs: dict) -> Any:
        """Sort out keywords, and arguments beyond the ordinary ones; then call."""
        return self._call(args, self._constants(kwargs))

    def _constants(self, kwargs: dict) -> dict:
        """Return keyword arguments with NumPy arrays for minpy's, which must not be tracked."""
        for name, value in kwargs.items():
            if type(value) is ndarray:
                if self.differentiable and is_tracked(value):
                    raise DifferentiationError(
                        f"{self.name}: no derivative with respect to the keyword argument "
                        f"{name!r}; pass {name}.asnumpy() if it is meant to be a constant"
                    )
                kwargs = {**kwargs, name: read_value(value)}
        return kwargs

    def _call(self, args: tuple, kwargs: dict) -> Any:
        """Hand the call to the innermost trace among the arguments, or run it."""
        trace = None
        for i, a in enumerate(args):
            if type(a) is ndarray:
                if a._view is not None:
                    refresh(a)
                box = a._box
                if box is not None:
                    if not box.trace.alive:
                        box = peel(a)
                        if box is None:
                            continue
                    if trace is None or box.trace.level > trace.level:
                        trace = box.trace
            elif type(a) not in _PLAIN and i < self._leading and type(a) is not str:
                if any(isinstance(x, MaskedArray) for x in args):
                    return self._call_with_masks(args, kwargs)
                if self._is_answered(a, args):
                    return self.kernel(*args, **kwargs)
                return self._call(self._arrays(args), kwargs)
        if trace is not None:
            return trace.process(self, args, kwargs)
        return self._run(args, kwargs)

    def _is_answered(self, value: Any, args: tuple) -> bool:
        """Say whether an argument's class has an answer of its own, for which NumPy asks it."""
        return False

    def _call_with_masks(self, args: tuple, kwargs: dict) -> Any:
        raise TypeError(
            f"{self.name}: got a masked array, whose mask would be lost; fill it: x.filled(0)"
        )

    def _arrays(self, args: tuple) -> tuple:
        """Turn what stands in the place of an array, lists for example, into arrays."""
        for i, a in enumerate(args[: self._leading]):
            kind = type(a)
            if kind is not ndarray and kind not in _PLAIN and kind is not str:
                # Floats in a list are as precise as the arrays that they meet.
                made: Any = _integers(a)
                if made is None:
                    weak = not any(hasattr(b, "dtype") and b.dtype in _DOUBLES for b in args)
                    made = as_ndarray(a, weak=weak)
                args = (*args[:i], made, *args[i + 1 :])
        return args

    def _run(self, args: tuple, kwargs: dict) -> Any:
        """Run the kernel that the policy picks; no argument is tracked."""
        context = self._context(args)
        if self.fast is not None and context.on_host and not kwargs and policy_state.takes_fast:
            found = self.fast(*[numpy_value(a) if type(a) is ndarray else a for a in args])
            if found is not None:
                self.ran_numpy += 1
                policy_state.find_fast()
                return wrap(found)
        if self._wants_mxnet(args, kwargs, context):
            try:
                result = self._run_mxnet(args, kwargs, context)
            except runtime.Unsupported as reason:
                why = reason
            except runtime.library().base.MXNetError as reason:
                why = reason
            else:
                self.ran_mxnet += 1
                return result
        else:
            why = None
        values = [numpy_value(a) if type(a) is ndarray else a for a in args]
        result = self.kernel(*values, **kwargs)  # or NumPy's error for arguments that are wrong
        if why is not None and policy_state.name == "only_mxnet":
            raise PolicyError(f"{self.name}: {why}; policy is only_mxnet") from None
        self.ran_numpy += 1
        return self._wrap_numpy(result, args, kwargs, context)

    def _context(self, args: tuple) -> Context:
        """Return where to run: the device among the arguments' contexts, the host where none is."""
        context: Context | None = None
        for a in args:
            if type(a) is ndarray:
                own = a._context
                if context is None or context.on_host:
                    context = own
                elif not own.on_host and own != context:
                    raise ValueError(
                        f"{self.name}: arrays lie on {context!r} and {own!r}; bring them together "
                        "with x.as_in_context(context)"
                    )
        return current_context() if context is None else context

    def _wants_mxnet(self, args: tuple, kwargs: dict, context: Context) -> bool:
        policy = policy_state.name
        if policy == "only_numpy" or (self.is_view and context.on_host):
            return False
        if self.mxnet is None:
            if policy == "only_mxnet":
                raise PolicyError(f"{self.name} has no MXNet kernel; policy is only_mxnet")
            return False
        if policy != "auto" or not context.on_host:
            return True
        faster = self.faster_on_mxnet
        return (faster if isinstance(faster, bool) else faster(*args, **kwargs)) and (
            runtime.available()
        )

    def _run_mxnet(self, args: tuple, kwargs: dict, context: Context) -> Any:
        given = []
        for i, a in enumerate(args):
            if type(a) is ndarray:
                nd = a._ndarray()
                if a._context != context:
                    nd = runtime.copy_to(nd, context.device_type, context.device_id)
            elif i < self._leading and isinstance(a, numpy.ndarray):
                nd = runtime.borrow(a)
                if not context.on_host:
                    nd = runtime.copy_to(nd, context.device_type, context.device_id)
            else:
                nd = a
            given.append(nd)
        result = self.mxnet(runtime.eager, *given, **kwargs)
        if type(result) is tuple:
            return tuple(wrap_nd(r, context) for r in result)
        out = wrap_nd(result, context)
        if self.is_view:
            _link_on_device(out, self, args, kwargs)
        elif not out.shape:
            out._scalar = True
        return out

    def _wrap_numpy(self, result: Any, args: tuple, kwargs: dict, context: Context) -> Any:
        """Turn what a NumPy kernel returned into minpy arrays on a device."""
        kind = type(result)
        if kind is tuple or kind is list:
            return kind(self._wrap_numpy(r, args, kwargs, context) for r in result)
        scalar = type(result) is not _ndarray
        if scalar:
            result = numpy.asarray(result)
        if result.dtype.hasobject:
            return result  # minpy has no arrays of Python objects: such stay NumPy's
        if kwargs.get("dtype") is None:
            result = default_precision(result, args)
        out = from_numpy(result, context)
        if scalar:
            out._scalar = True
        if self.is_view and type(args[0]) is ndarray:
            if out._np is None:
                _link_on_device(out, self, args, kwargs)
            else:
                _link(out, args[0], self, args[1:], kwargs)
        return out


def _by_name(name: str) -> Primitive:
    return registry[name]


def _integers(value: Any) -> numpy.ndarray | None:
    """Return the array that a list of Python's integers stands for, None for anything else."""
    if type(value) is not list:
        return None
    for number in value:
        if type(number) is not int:
            return None
    array = numpy.array(value)
    return array if array.dtype is _INT64 else None


def _are_small(values: list, limit: int) -> bool:
    """Say whether the operands that are arrays have fewer elements than `limit`."""
    for value in values:  # noqa: SIM110  (all() takes three times as long)
        if type(value) is _ndarray and value.size >= limit:
            return False
    return True


def default_precision(result: numpy.ndarray, args: Any) -> numpy.ndarray:
    """Give a float64 that no operand asked for (Python floats, integers) the default dtype."""
    if not settings.narrows or result.dtype not in _DOUBLES:
        return result
    target, whole = None, False
    for a in args:
        dtype = getattr(a, "dtype", None)
        if dtype is _FLOAT64 or dtype is _COMPLEX128:
            return result
        if isinstance(dtype, numpy.dtype):
            if dtype.kind in "fc":
                target = dtype if target is None else numpy.promote_types(target, dtype)
            else:
                whole = True
        elif isinstance(a, type | numpy.dtype):  # a dtype was asked for
            return result
    if result.dtype.kind == "c":
        return result.astype(settings.complex_dtype)
    if target is None or target.kind == "c":
        target = settings.float_dtype
    elif whole:  # half precision is not enough for integers
        target = numpy.promote_types(target, settings.float_dtype)
    return result.astype(target)


def link_view(
    memory: numpy.ndarray, base: ndarray, operation: Primitive, args: tuple, kwargs: dict
) -> ndarray:
    """Return an array over a part of the memory of `base`, by an operation that can be repeated."""
    out = wrap(memory if memory is not base._np else memory.view())
    out._view = View(base, operation, args, kwargs)
    return out


def _link(out: ndarray, base: ndarray, operation: Primitive, args: tuple, kwargs: dict) -> None:
    """Remember how a view was made, if NumPy did return a view."""
    if base._scalar and base._view is None:
        # Of a scalar NumPy has no views: s.real, s.T and s.reshape(1) are values of their own.
        out._np = out._np.copy()
        out._scalar = not out._np.ndim and args != (Ellipsis,)
        return
    source, memory = base._np, out._np.base
    if source is None:  # on a device, and the result is of a dtype that devices don't have
        return
    if memory is not None and (memory is source or memory is source.base):
        out._view = View(base, operation, args, kwargs)
    elif out._np is source:
        out._np = source.view()
        out._view = View(base, operation, args, kwargs)


def _link_on_device(out: ndarray, operation: Primitive, args: tuple, kwargs: dict) -> None:
    """Remember how a view was made where memory can't tell: as NumPy would have decided it.

    The result has memory of its own. All writes to an array on a device rebind its root, so the
    link is enough for both to see them. NumPy is asked on an array of bytes of the same layout.
    """
    base = args[0]
    if type(base) is not ndarray:
        return
    above = base._view
    stand_in = numpy.empty(base.shape, "int8") if above is None else above.layout
    layout = operation.kernel(stand_in, *args[1:], **kwargs)
    if isinstance(layout, numpy.ndarray) and numpy.may_share_memory(layout, stand_in):
        out._view = View(base, operation, args[1:], kwargs, layout)


def _on_policy(policy: str) -> None:
    for operation in list(_instances):
        operation._apply_policy(policy)


policy_state.listeners.append(_on_policy)


def primitive(
    function: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    mxnet: Callable[..., Any] | None = None,
    only_mxnet: bool = False,
    **options: Any,
) -> Any:
    """Make a primitive of a function on NumPy arrays, for which derivative rules can be given.

    Parameters
    ----------
    function
        The NumPy kernel: gets NumPy arrays where it is called with minpy arrays.
    name
        Its name in messages; the function's own by default.
    mxnet
        An MXNet kernel ``mxnet(F, *args, **kwargs)``: ``F('relu', x)`` runs MXNet's operator of
        that name on arrays, and puts it into the graph when a function is compiled.
    only_mxnet
        Whether `function` is an MXNet kernel, and there is none for NumPy. The primitive then
        raises an error where MXNet can't be used.
    options
        Of `minpy.primitives.Primitive`.

    Returns
    -------
    Primitive
        To be called like the function, on minpy arrays.

    Examples
    --------
    >>> import minpy, minpy.numpy as np, numpy
    >>> @minpy.primitive
    ... def cube(x):
    ...     return x ** 3
    >>> minpy.defvjp(cube, lambda ans, x: lambda g: 3 * g * x ** 2)
    >>> float(minpy.grad(cube)(2.0))
    12.0
    """
    if function is None:
        return functools.partial(
            primitive, name=name, mxnet=mxnet, only_mxnet=only_mxnet, **options
        )
    name = name or getattr(function, "__name__", "primitive")
    if only_mxnet:
        if mxnet is not None:
            raise TypeError(f"primitive {name}: two MXNet kernels; leave mxnet= or only_mxnet= out")
        function, mxnet = _no_kernel(name), function
        options.setdefault("faster_on_mxnet", True)
    own = Primitive(
        name,
        function,
        mxnet=mxnet,
        register=False,
        **options,
    )
    return own


def _no_kernel(name: str) -> Callable[..., Any]:
    """Return what stands in the place of a NumPy kernel where there is none."""

    def kernel(*args: Any, **kwargs: Any) -> Any:
        if not runtime.available():
            why = "mxnet isn't installed, or can't be imported"
        elif policy_state.name == "only_numpy":
            why = "policy is only_numpy"
        else:
            why = "MXNet can't take these arguments"
        raise PolicyError(f"{name} has an MXNet kernel alone, and {why}")

    return kernel
