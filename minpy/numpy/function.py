"""NumPy's calling conventions for primitives: ``out=``, ``where=``, keywords, ufunc methods.

It must not know any function by name beyond the ones that ufunc methods stand for.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy
from numpy.ma import MaskedArray

from minpy.array import as_ndarray, is_tracked, ndarray, read_value
from minpy.errors import NoDerivativeError
from minpy.inplace import is_free, overwrite, plain_index
from minpy.numpy import folds
from minpy.numpy.fallback import Fallback, arrays_in, operands, plain, wrapped
from minpy.numpy.signatures import signature_of
from minpy.policy import state as policy_state
from minpy.primitives import Primitive, link_view, registry

__all__ = ["Composition", "Function", "Ufunc", "composition"]


# Keywords with these values say nothing; they are dropped before rules and kernels see them.
_DEFAULTS = {"out": None, "dtype": None, "where": True}
_GIVEN = object()


class Function(Primitive):
    """A primitive that is called as NumPy's function of the same name.

    Arrays may be given by keyword. ``out=`` is a write of the result, so gradients flow through it.

    Parameters
    ----------
    name, kernel, options
        As for `minpy.primitives.Primitive`.
    parameters
        The names of the positional parameters, for a kernel in C that doesn't tell.
    """

    def __init__(
        self,
        name: str,
        kernel: Callable[..., Any] | None = None,
        *,
        parameters: tuple[str, ...] = (),
        **options: Any,
    ) -> None:
        kernel = getattr(numpy, name) if kernel is None else kernel
        super().__init__(name, kernel, **options)
        self._parameters = parameters or _positional_parameters(kernel)
        if "out" in self._parameters:
            self._most = self._parameters.index("out")

    @property
    def __signature__(self) -> inspect.Signature:
        return signature_of(self.kernel)

    def _call_with_options(self, args: tuple, kwargs: dict) -> Any:
        """Bring arguments into one form: arrays by position, options by name, `out` apart."""
        if len(args) > self._most:  # out and what follows it, by position
            if len(args) > len(self._parameters):
                raise TypeError(
                    f"{self.name}() takes at most {len(self._parameters)} positional arguments but "
                    f"{len(args)} were given"
                )
            named = zip(self._parameters[self._most :], args[self._most :], strict=False)
            args, kwargs = args[: self._most], {**dict(named), **kwargs}
        kwargs = {k: v for k, v in kwargs.items() if v is not _DEFAULTS.get(k, _GIVEN)}
        for name in self._parameters[len(args) : min(self._leading, self._most)]:
            if name not in kwargs:
                break
            args = (*args, kwargs.pop(name))
        out = kwargs.pop("out", None)
        if out is None:
            return self._call(args, self._constants(kwargs))
        if self._may_write(out, args, kwargs):
            return self._written(out, args, kwargs)
        return self._write(out, self._call(args, self._constants(kwargs)))

    # What NumPy asks the arguments' classes for.
    _protocol = "__array_function__"

    def _is_answered(self, value: Any, args: tuple) -> bool:
        own = getattr(type(value), self._protocol, _GIVEN)
        if own in (
            _GIVEN,
            getattr(numpy.ndarray, self._protocol),
            getattr(ndarray, self._protocol),
        ):
            return False
        return not any(is_tracked(a) for a in arrays_in(args))

    def _call_with_masks(self, args: tuple, kwargs: dict) -> Any:
        """Let NumPy's function make a masked array of what is one."""
        if any(is_tracked(a) for a in arrays_in((args, kwargs))):
            raise NoDerivativeError(
                f"{self.name}: a masked array can't hold the history of an array that is being "
                "differentiated; use minpy.numpy.where with the mask"
            )
        self.ran_numpy += 1
        return self.kernel(*plain(args), **plain(kwargs))

    def _may_write(self, out: Any, args: tuple, kwargs: dict) -> bool:
        """Say whether NumPy's function can write its result to `out` by itself."""
        outs = out if type(out) is tuple else (out,)
        if policy_state.name == "only_mxnet" or any(o is None for o in outs):
            return False
        if any(type(o) is ndarray and not is_free(o) for o in outs):
            return False
        if any(is_tracked(a) for a in arrays_in((args, kwargs))):
            return False
        context = self._context((*arrays_in((args, kwargs)), *outs))
        return context.on_host and not self._wants_mxnet(self._arrays(args), kwargs, context)

    def _written(self, out: Any, args: tuple, kwargs: dict) -> Any:
        """Return `out` after NumPy, which knows what shapes and dtypes will do, has written it."""
        if not any(isinstance(a, MaskedArray) for a in args):  # which NumPy knows
            args = self._arrays(args)
        self.kernel(*plain(args), out=plain(out), **plain(kwargs))
        self.ran_numpy += 1
        return out[0] if type(out) is tuple and len(out) == 1 else out

    def _write(self, out: Any, result: Any) -> Any:
        """Do ``out=``."""
        if type(out) is tuple and len(out) == 1:
            out = out[0]
        if type(result) is not tuple:
            return overwrite(out, result, by=self.name)
        pairs = zip(result, out, strict=True)
        return tuple(r if o is None else overwrite(o, r, by=self.name) for r, o in pairs)


def _positional_parameters(kernel: Callable[..., Any]) -> tuple[str, ...]:
    try:
        parameters = inspect.signature(kernel).parameters.values()
    except ValueError:  # a ufunc, or a function in C
        return ()
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return tuple(p.name for p in parameters if p.kind in kinds)


class Composition(Function):
    """A function written in other primitives, which has NumPy's own kernel all the same.

    The kernel runs where NumPy would do all of the work anyway. Where a derivative is taken, on a
    device, and where NumPy's kernels are forbidden, the expression runs.

    Parameters
    ----------
    name, kernel, options
        As for `Function`.
    expression
        A function of minpy arrays, with NumPy's signature but for ``out``.
    """

    def __init__(
        self,
        name: str,
        expression: Callable[..., Any],
        kernel: Callable[..., Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(name, kernel, doc=expression.__doc__, **options)
        self.expression = expression

    def _constants(self, kwargs: dict) -> dict:
        return kwargs

    def _call(self, args: tuple, kwargs: dict) -> Any:
        if any(isinstance(a, MaskedArray) for a in args):
            return self._call_with_masks(args, kwargs)
        for a in args[: self._leading]:
            if type(a) is not ndarray and self._is_answered(a, args):
                return self.kernel(*args, **kwargs)
        args = self._arrays(args)
        arrays = tuple(arrays_in((args, kwargs)))
        context = self._context(arrays)
        if (
            policy_state.name == "only_mxnet"
            or any(is_tracked(a) for a in arrays)
            or (policy_state.name != "only_numpy" and not context.on_host)
        ):
            return self.expression(*args, **kwargs)
        result = self.kernel(*plain(args), **plain(kwargs))
        self.ran_numpy += 1
        if type(result) is numpy.ndarray:
            shared = Fallback._shared(result, arrays)
            if shared is not None:
                if args and args[0] is shared:
                    return link_view(result, shared, self, args[1:], kwargs)
                result = result.copy()
        return wrapped(result, context, operands(args, kwargs))


def composition(name: str, kernel: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Return a decorator that makes a `Composition` of an expression."""
    return lambda expression: Composition(name, expression, kernel, **options)


# Where a mask leaves an element out, the operation runs on this number instead, at which functions
# and all their derivatives are finite; then neither warnings nor nan come from what isn't wanted.
_HARMLESS = 0.5
_HARMLESS_FOR = {"arccosh": 2.0}

# reduce and accumulate of a ufunc, as functions that have derivatives.
_REDUCTIONS = {
    "add": "sum",
    "multiply": "prod",
    "maximum": "max",
    "minimum": "min",
    "logical_and": "all",
    "logical_or": "any",
}
_ACCUMULATIONS = {"add": "cumsum", "multiply": "cumprod"}


class Ufunc(Function):
    """A primitive that stands for one of NumPy's ufuncs, with ``where=`` and the ufunc's methods.

    Parameters
    ----------
    name
        NumPy's name of the ufunc.
    options
        As for `minpy.primitives.Primitive`.
    """

    _protocol = "__array_ufunc__"

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self.nin, self.nout = self.kernel.nin, self.kernel.nout
        self.nargs = self.nin + self.nout
        self.ntypes, self.types = self.kernel.ntypes, self.kernel.types
        self.identity, self.signature = self.kernel.identity, self.kernel.signature
        self._most = self.nin
        self._parameters = (*[f"x{i + 1}" for i in range(self.nin)], "out")

    def _call_with_options(self, args: tuple, kwargs: dict) -> Any:
        if len(args) > self.nin:
            if "out" in kwargs or len(args) > self.nargs:
                raise TypeError(
                    f"{self.name}() takes from {self.nin} to {self.nargs} positional arguments but "
                    f"{len(args)} were given"
                )
            out = args[self.nin :] + (None,) * (self.nargs - len(args))
            args, kwargs = args[: self.nin], {**kwargs, "out": out}
        if type(kwargs.get("out")) is tuple and not any(o is not None for o in kwargs["out"]):
            if len(kwargs["out"]) != self.nout:
                raise ValueError("The 'out' tuple must have exactly one entry per ufunc output")
            kwargs["out"] = None
        if kwargs.get("where", True) is not True:
            return self._where(kwargs.pop("where"), args, kwargs)
        if kwargs.get("dtype") is not None and any(map(is_tracked, arrays_in(args))):
            args = self._converted(args, numpy.dtype(kwargs["dtype"]), kwargs.get("casting"))
        return super()._call_with_options(args, kwargs)

    def _converted(self, args: tuple, dtype: numpy.dtype, casting: str | None) -> tuple:
        """Return arguments of the dtype that a result was asked for.

        Rules compare a result with what it was made of, which must be as precise.
        """
        if f"{dtype.char * self.nin}->{dtype.char * self.nout}" not in self.types:
            return args
        casting = casting or "same_kind"
        arrays = [as_ndarray(a) for a in args]
        if not all(numpy.can_cast(a.dtype, dtype, casting) for a in arrays):
            return args  # NumPy says what is wrong
        return tuple(a if a.dtype == dtype else registry["astype"](a, dtype) for a in arrays)

    def _where(self, mask: Any, args: tuple, kwargs: dict) -> Any:
        """Run the operation where a mask holds; keep `out`, or zero, elsewhere."""
        out = kwargs.pop("out", None)
        if out is not None and self._may_write(out, args, {**kwargs, "where": mask}):
            return self._written(out, args, {**kwargs, "where": mask})
        out = out[0] if type(out) is tuple else out
        select = registry["where"]
        number = _HARMLESS_FOR.get(self.name, _HARMLESS)
        args = self._arrays(args)
        safe = [select(mask, a, _alike(number, a)) for a in args]
        result = self(*safe, **kwargs)
        rest = numpy.zeros((), result.dtype) if out is None else out
        result = select(mask, result, rest)
        return result if out is None else overwrite(out, result, by=self.name)

    # --- the methods of a ufunc -----------------------------------------------------------------

    def reduce(
        self,
        array: Any,
        axis: Any = 0,
        dtype: Any = None,
        out: Any = None,
        keepdims: bool = False,
        initial: Any = _GIVEN,
        where: Any = True,
        **kwargs: Any,
    ) -> Any:
        """Reduce along axes, as `numpy.ufunc.reduce`."""
        if initial is not _GIVEN:
            kwargs["initial"] = initial
        if where is not True:
            kwargs["where"] = where
        options = {"axis": axis, "dtype": dtype, "out": out, "keepdims": keepdims, **kwargs}
        if self._is_plain((array,), options):
            return self._by_numpy("reduce", (array,), options)
        if self.name in _REDUCTIONS:
            if dtype is not None:
                kwargs["dtype"] = dtype
            operation = registry[_REDUCTIONS[self.name]]
            return operation(as_ndarray(array), axis=axis, keepdims=keepdims, out=out, **kwargs)
        if self._follows(array) and kwargs.keys() <= {"initial"} and dtype is None:
            result = folds.reduced(self, array, axis, keepdims, kwargs.get("initial"))
            return result if out is None else overwrite(out, result, by=f"{self.name}.reduce")
        return self._plain_method(
            "reduce", out, array, axis=axis, dtype=dtype, keepdims=keepdims, **kwargs
        )

    def accumulate(self, array: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        """Return all partial results along an axis, as `numpy.ufunc.accumulate`."""
        options = {"axis": axis, "dtype": dtype, "out": out}
        if self._is_plain((array,), options):
            return self._by_numpy("accumulate", (array,), options)
        if self.name in _ACCUMULATIONS:
            running = registry[_ACCUMULATIONS[self.name]]
            return running(as_ndarray(array), axis=axis, dtype=dtype, out=out)
        if self._follows(array) and dtype is None:
            result = folds.accumulated(self, array, axis)
            return result if out is None else overwrite(out, result, by=f"{self.name}.accumulate")
        return self._plain_method("accumulate", out, array, axis=axis, dtype=dtype)

    def reduceat(
        self, array: Any, indices: Any, axis: int = 0, dtype: Any = None, out: Any = None
    ) -> Any:
        """Reduce slices between indices, as `numpy.ufunc.reduceat`."""
        options = {"axis": axis, "dtype": dtype, "out": out}
        if self._is_plain((array, indices), options):
            return self._by_numpy("reduceat", (array, indices), options)
        if self._follows(array) and dtype is None:
            result = folds.reduced_between(self, array, plain(indices), axis)
            return result if out is None else overwrite(out, result, by=f"{self.name}.reduceat")
        return self._plain_method("reduceat", out, array, indices, axis=axis, dtype=dtype)

    def outer(self, A: Any, B: Any, /, **kwargs: Any) -> Any:
        """Apply to all pairs of elements, as `numpy.ufunc.outer`."""
        if self._is_plain((A, B), kwargs):
            return self._by_numpy("outer", (A, B), kwargs)
        a, b = as_ndarray(A), as_ndarray(B)
        return self(registry["reshape"](a, a.shape + (1,) * b.ndim), b, **kwargs)

    def at(self, a: ndarray, indices: Any, b: Any = None, /) -> None:
        """Apply in place at indices, each as often as it is named, as `numpy.ufunc.at`."""
        if type(a) is not ndarray:
            raise TypeError(f"{self.name}.at: expected a minpy array, got {type(a).__name__}")
        index = plain_index(indices, keep=True)
        tracked = is_tracked(a) or (type(b) is ndarray and is_tracked(b))
        if not tracked:
            target = a._np if is_free(a) else read_value(a).copy()
            self.kernel.at(target, index, *([] if b is None else [plain(b)]))
            self.ran_numpy += 1
            if target is not a._np:
                overwrite(a, as_ndarray(target))
            return
        if self.name not in ("add", "subtract"):
            overwrite(a, folds.applied_at(self, a, index, b))
            return
        part = registry["getitem"](a, index)
        change = registry["broadcast_to"](as_ndarray(b), part.shape)
        overwrite(a, self(a, registry["scatter_add"](change, index, a.shape)))

    def resolve_dtypes(self, *args: Any, **kwargs: Any) -> Any:
        """Return the dtypes that operands are computed in, as `numpy.ufunc.resolve_dtypes`."""
        return self.kernel.resolve_dtypes(*args, **kwargs)

    def _is_plain(self, args: tuple, options: dict) -> bool:
        """Say whether NumPy's own method does: on the host, where no derivative is taken."""
        if policy_state.name not in ("auto", "only_numpy"):
            return False
        arrays = tuple(arrays_in((args, options)))
        out = options.get("out")
        if any(is_tracked(a) for a in arrays) or not self._context(arrays).on_host:
            return False
        outs = out if type(out) is tuple else (out,)
        return all(type(o) is not ndarray or is_free(o) for o in outs)

    def _by_numpy(self, method: str, args: tuple, options: dict) -> Any:
        """Run a method of NumPy's ufunc, which knows what it takes and what it refuses."""
        if options.get("out") is None:
            options = {k: v for k, v in options.items() if k != "out"}
        result = getattr(self.kernel, method)(*plain(args), **plain(options))
        self.ran_numpy += 1
        if "out" in options:
            out = options["out"]
            return out[0] if type(out) is tuple and len(out) == 1 else out
        context = self._context(tuple(arrays_in((args, options))))
        return wrapped(result, context, operands(args, options))

    def _follows(self, array: Any) -> bool:
        """Say whether a derivative is taken through a method for which there is no primitive."""
        tracked = type(array) is ndarray and is_tracked(array)
        return tracked and self.differentiable and self.nin == 2 and self.nout == 1

    def _plain_method(self, method: str, out: Any, *args: Any, **kwargs: Any) -> Any:
        if self.differentiable and any(type(a) is ndarray and is_tracked(a) for a in args):
            raise NoDerivativeError(
                f"{self.name}.{method} has no derivative; take x.asnumpy() where no gradient is "
                "wanted"
            )
        operands = plain(args)
        given = {k: v for k, v in kwargs.items() if not (k == "dtype" and v is None)}
        result = as_ndarray(getattr(self.kernel, method)(*operands, **given))
        self.ran_numpy += 1
        return result if out is None else overwrite(out, result)


def _alike(number: float, a: Any) -> Any:
    """Return a number for floats, and one of its own kind for anything else."""
    kind = numpy.asarray(a).dtype.kind if not hasattr(a, "dtype") else a.dtype.kind
    return number if kind in "fc" else True if kind == "b" else 1
