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

from minpy import runtime
from minpy.array import (
    View,
    as_ndarray,
    is_tracked,
    ndarray,
    numpy_value,
    peel,
    refresh,
    wrap,
    wrap_nd,
)
from minpy.config import settings
from minpy.context import CPU, Context, current_context
from minpy.errors import DifferentiationError, PolicyError
from minpy.policy import state as policy_state

__all__ = ["Primitive", "primitive", "registry"]

registry: dict[str, Primitive] = policy_state.operations

# All primitives, a user's unregistered ones too: a change of policy has to reach each.
_instances: weakref.WeakSet[Primitive] = weakref.WeakSet()

_new = ndarray.__new__
_ndarray = numpy.ndarray
_FLOAT64 = numpy.dtype("float64")
_COMPLEX128 = numpy.dtype("complex128")


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
    is_view
        Whether NumPy returns a view of the first argument (where it can).
    differentiable
        False for operations whose derivative is zero or undefined by nature (``argmax``,
        comparisons): their results are constants to every trace.
    """

    def __init__(
        self,
        name: str,
        kernel: Callable[..., Any],
        *,
        mxnet: Callable[..., Any] | None = None,
        arrays: int = -1,
        faster_on_mxnet: bool | Callable[..., bool] = False,
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
        self.is_view = is_view
        self.differentiable = differentiable
        self.vjp_rules: dict[int, Callable[..., Any]] = {}
        self.jvp_rules: dict[int, Callable[..., Any]] = {}
        self.vjp_all: Callable[..., Any] | None = None  # one rule for all arguments together
        self.jvp_all: Callable[..., Any] | None = None
        self.ran_numpy = 0
        self.ran_mxnet = 0
        self.__name__ = self.__qualname__ = name
        self.__module__ = getattr(kernel, "__module__", None) or "minpy.numpy"
        self.__doc__ = doc if doc is not None else kernel.__doc__
        self.__wrapped__ = kernel
        self._registered = register
        if register:
            if name in registry:
                raise ValueError(f"a primitive named {name!r} exists already")
            registry[name] = self
        _instances.add(self)
        self._apply_policy(policy_state.name)

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def __reduce__(self) -> Any:
        return (registry.__getitem__, (self.name,)) if self._registered else object.__reduce__(self)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self.kernel)

    def _apply_policy(self, policy: str) -> None:
        # On the CPU, `_direct` operations go to NumPy without a look at their arguments.
        self._direct = policy == "only_numpy" or (
            policy == "auto" and (self.mxnet is None or self.faster_on_mxnet is False)
        )

    # --- calling --------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        # The path for untracked arrays on the CPU, where a microsecond counts; everything that is
        # out of the ordinary breaks out of the loop.
        if self._direct:
            ours = False
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
                    kind = type(a)
                    if kind is list or kind is tuple:
                        break
                    values.append(a)
            else:
                if ours and not kwargs:
                    result = self.kernel(*values)
                    self.ran_numpy += 1
                    if type(result) is not _ndarray:
                        if type(result) is tuple:
                            return self._wrap_numpy(result, args, kwargs, CPU)
                        result = numpy.asarray(result)
                    if settings.narrows and result.dtype is _FLOAT64:
                        result = _narrow(result, values)
                    out = _new(ndarray)
                    out._np = result
                    if self.is_view:
                        _link(out, args[0], self, args[1:], kwargs)
                    return out
        return self._call(args, kwargs)

    def _call(self, args: tuple, kwargs: dict) -> Any:
        """Hand the call to the innermost trace among the arguments, or run it."""
        args = self._arrays(args)
        trace = None
        for a in args:
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
        if kwargs:
            if "out" in kwargs or "where" in kwargs:
                rewritten = _with_out(self, args, kwargs)
                if rewritten is not None:
                    return rewritten
            for name, value in kwargs.items():
                if type(value) is ndarray:
                    if self.differentiable and is_tracked(value):
                        raise DifferentiationError(
                            f"{self.name}: no derivative with respect to the keyword argument "
                            f"{name!r}; pass {name}.asnumpy() if it is meant to be a constant"
                        )
                    kwargs = {**kwargs, name: numpy_value(value)}
        if trace is not None:
            return trace.process(self, args, kwargs)
        return self._run(args, kwargs)

    def _arrays(self, args: tuple) -> tuple:
        """Turn lists among the array arguments into arrays."""
        limit = len(args) if self.arrays < 0 else self.arrays
        for i, a in enumerate(args[:limit]):
            if type(a) is list or type(a) is tuple or runtime.is_ndarray(a):
                args = (*args[:i], as_ndarray(a), *args[i + 1 :])
        return args

    def _run(self, args: tuple, kwargs: dict) -> Any:
        """Run the kernel that the policy picks; no argument is tracked."""
        context: Context | None = None
        for a in args:
            if type(a) is ndarray:
                if context is None:
                    context = a._context
                elif not a._context.is_cpu and a._context != context:
                    if not context.is_cpu:
                        raise ValueError(
                            f"{self.name}: arrays lie on {context!r} and {a._context!r}; "
                            "bring them together with x.as_in_context(context)"
                        )
                    context = a._context
        if context is None:
            context = current_context()
        if self.mxnet is not None and self._wants_mxnet(args, kwargs, context):
            try:
                result = self._run_mxnet(args, kwargs, context)
            except runtime.Unsupported as reason:
                if policy_state.name == "only_mxnet":
                    raise PolicyError(f"{self.name}: {reason}; policy is only_mxnet") from None
            else:
                self.ran_mxnet += 1
                return result
        elif policy_state.name == "only_mxnet":
            raise PolicyError(f"{self.name} has no MXNet kernel; policy is only_mxnet")
        values = [numpy_value(a) if type(a) is ndarray else a for a in args]
        result = self.kernel(*values, **kwargs)
        self.ran_numpy += 1
        return self._wrap_numpy(result, args, kwargs, context)

    def _wants_mxnet(self, args: tuple, kwargs: dict, context: Context) -> bool:
        policy = policy_state.name
        if policy == "only_numpy":
            return False
        if policy != "auto" or not context.is_cpu:
            return True
        faster = self.faster_on_mxnet
        return (faster if isinstance(faster, bool) else faster(*args, **kwargs)) and (
            runtime.available()
        )

    def _run_mxnet(self, args: tuple, kwargs: dict, context: Context) -> Any:
        given = []
        limit = len(args) if self.arrays < 0 else self.arrays
        for i, a in enumerate(args):
            if type(a) is ndarray:
                nd = a._ndarray()
                if a._context != context:
                    nd = runtime.copy_to(nd, context.device_type, context.device_id)
            elif i < limit and isinstance(a, numpy.ndarray):
                nd = runtime.borrow(a)
                if not context.is_cpu:
                    nd = runtime.copy_to(nd, context.device_type, context.device_id)
            else:
                nd = a
            given.append(nd)
        result = self.mxnet(runtime.eager, *given, **kwargs)
        if type(result) is tuple:
            return tuple(wrap_nd(r, context) for r in result)
        return wrap_nd(result, context)

    def _wrap_numpy(self, result: Any, args: tuple, kwargs: dict, context: Context) -> Any:
        """Turn what a NumPy kernel returned into minpy arrays on a device."""
        if type(result) is tuple or type(result) is list:
            return tuple(self._wrap_numpy(r, args, kwargs, context) for r in result)
        if type(result) is not _ndarray:
            result = numpy.asarray(result)
        if settings.narrows and result.dtype in (_FLOAT64, _COMPLEX128) and "dtype" not in kwargs:
            result = _narrow(result, args)
        if not context.is_cpu and runtime.supports(result.dtype):
            nd = runtime.copy_to(runtime.borrow(result), context.device_type, context.device_id)
            return wrap_nd(nd, context)
        out = wrap(result)
        if self.is_view and type(args[0]) is ndarray:
            _link(out, args[0], self, args[1:], kwargs)
        return out


def _with_out(operation: Primitive, args: tuple, kwargs: dict) -> Any:
    """Do NumPy's ``out=``, and a ufunc's ``where=``, as an operation followed by a write.

    Returns None where the call has neither.
    """
    kwargs = dict(kwargs)
    out = kwargs.pop("out", None)
    if type(out) is tuple and len(out) == 1:
        out = out[0]
    where: Any = True
    if isinstance(operation.kernel, numpy.ufunc):
        where = kwargs.pop("where", True)
    if out is None and where is True:
        return operation(*args, **kwargs) if "out" not in kwargs and "where" not in kwargs else None
    from minpy.inplace import overwrite

    result = operation(*args, **kwargs)
    if where is not True:
        rest = registry["zeros_like"](result) if out is None else out
        result = registry["where"](where, result, rest)
    if out is None:
        return result
    if type(out) is not ndarray:
        raise TypeError(
            f"{operation.name}: out must be a minpy array, got {type(out).__name__}"
        )
    return overwrite(out, result)


def _narrow(result: numpy.ndarray, args: Any) -> numpy.ndarray:
    """Give a float64 that no operand asked for (Python floats, integers) the default dtype."""
    target = None
    for a in args:
        dtype = getattr(a, "dtype", None)
        if dtype is not None:
            if dtype == _FLOAT64 or dtype == _COMPLEX128:
                return result
            if dtype.kind in "fc":
                target = dtype if target is None else numpy.promote_types(target, dtype)
        elif a is float:  # a dtype given by position
            return result
    if result.dtype.kind == "c":
        return result.astype(settings.complex_dtype)
    if target is None or target.kind == "c":
        target = settings.float_dtype
    return result.astype(target)


def _link(out: ndarray, base: ndarray, operation: Primitive, args: tuple, kwargs: dict) -> None:
    """Remember how a view was made, if NumPy did return a view."""
    source, memory = base._np, out._np.base
    if memory is not None and (memory is source or memory is source.base):
        out._view = View(base, operation, args, kwargs)
    elif out._np is source:
        out._np = source.view()
        out._view = View(base, operation, args, kwargs)


def _on_policy(policy: str) -> None:
    for operation in list(_instances):
        operation._apply_policy(policy)


policy_state.listeners.append(_on_policy)


def primitive(
    function: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    mxnet: Callable[..., Any] | None = None,
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
        An MXNet kernel ``mxnet(F, *args, **kwargs)``, see `minpy.primitive`.

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
        return functools.partial(primitive, name=name, mxnet=mxnet, **options)
    own = Primitive(
        name or getattr(function, "__name__", "primitive"),
        function,
        mxnet=mxnet,
        register=False,
        **options,
    )
    return own
