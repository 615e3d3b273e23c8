"""Operations whose gradient the program writes itself, on NumPy's or MXNet's arrays.

New programs use `minpy.primitive` and `minpy.defvjp`, whose rules are made of minpy's operations
and can be differentiated again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from minpy import runtime
from minpy.array import as_ndarray, is_tracked, ndarray
from minpy.errors import NoDerivativeError
from minpy.primitives import Primitive

__all__ = ["CustomOperation", "NoGradientFuncError", "customop"]

NoGradientFuncError = NoDerivativeError


def _to_mxnet(value: Any) -> Any:
    return runtime.borrow(value) if isinstance(value, numpy.ndarray) else value


def _to_numpy(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return tuple(_to_numpy(part) for part in value)
    return runtime.view(value) if runtime.is_ndarray(value) else value


class CustomOperation:
    """A function on arrays of one kind, and the functions that give its gradients.

    Parameters
    ----------
    func
        The function.
    kind
        ``'numpy'`` or ``'mxnet'``: what arrays it and its gradients get.
    """

    def __init__(self, func: Callable[..., Any], kind: str) -> None:
        if kind not in ("numpy", "mxnet"):
            raise ValueError(f"customop: expected 'numpy' or 'mxnet', got {kind!r}")
        self._func, self._kind = func, kind
        # argument (number or keyword) → its gradient function, and the arguments that it serves
        self._gradients: dict[int | str, tuple[Callable[..., Any], tuple | None]] = {}
        self._operations: dict[tuple, Primitive] = {}
        self.__name__ = getattr(func, "__name__", "customop")
        self.__doc__ = func.__doc__

    def __repr__(self) -> str:
        return f"<{self._kind} operation {self.__name__}>"

    @property
    def typestr(self) -> str:
        """``'NumPy'`` or ``'MXNet'``."""
        return {"numpy": "NumPy", "mxnet": "MXNet"}[self._kind]

    # --- gradients ------------------------------------------------------------------------------

    def def_grad(self, func: Callable[..., Any], argnum: int = 0) -> CustomOperation:
        """Give the gradient of an argument.

        Parameters
        ----------
        func
            ``func(ans, *args, **kwargs)`` returns a function from the gradient of the result to
            that of the argument.
        argnum
            Which argument.

        Returns
        -------
        CustomOperation
            The operation itself.
        """
        self._gradients[argnum] = (func, None)
        return self

    def def_grad_kw(self, func: Callable[..., Any], key: str) -> CustomOperation:
        """Give the gradient of a keyword argument; see `def_grad`."""
        self._gradients[key] = (func, None)
        return self

    def def_grad_zero(self, argnum: int = 0) -> CustomOperation:
        """Say that an argument's gradient is zero."""
        return self.def_grad(lambda *args, **kwargs: lambda g: 0.0, argnum)

    def def_multiple_grad(self, func: Callable[..., Any], argnums: tuple) -> CustomOperation:
        """Give the gradients of several arguments by one function, which returns all of them."""
        if not isinstance(argnums, tuple) or not all(isinstance(n, int) for n in argnums):
            raise TypeError(f"def_multiple_grad: expected a tuple of integers, got {argnums!r}")
        if len(set(argnums)) != len(argnums):
            raise ValueError(f"def_multiple_grad: an argument stands twice in {argnums}")
        for n in argnums:
            self._gradients[n] = (func, argnums)
        return self

    def gradable(self, bp_args: Any, bp_kwargs: Any = ()) -> bool:
        """Say whether all of these arguments have gradients."""
        return all(key in self._gradients for key in (*bp_args, *bp_kwargs))

    # --- calling --------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the function; what is tracked among its arguments is recorded."""
        keys = tuple(kwargs)
        values = [as_ndarray(a) if _is_array(a) else a for a in (*args, *kwargs.values())]
        signature = (len(args), keys, tuple(type(v) is ndarray for v in values))
        operation = self._operations.get(signature)
        if operation is None:
            operation = self._operations[signature] = self._operation(len(args), keys)
        if any(type(v) is not ndarray and not _is_plain(v) for v in values):
            return self._run_untracked(values, len(args), keys)
        return operation(*values)

    def call(self, args: tuple, kwargs: dict) -> Any:
        """Run the function, with its arguments as a tuple and a dict."""
        return self(*args, **kwargs)

    def _run_untracked(self, values: list, count: int, keys: tuple) -> Any:
        """Run it on arguments that no operation of minpy's takes: lists, strings, objects."""
        if any(type(v) is ndarray and is_tracked(v) for v in values):
            raise NoDerivativeError(
                f"{self.__name__}: no derivative of a call with lists or other objects among its "
                "arguments; bind them with functools.partial before customop"
            )
        plain = [v.asnumpy() if type(v) is ndarray else v for v in values]
        result = self._kernel(count, keys)(*plain)
        if isinstance(result, tuple):
            return tuple(as_ndarray(part) for part in result)
        return as_ndarray(result)

    def _kernel(self, count: int, keys: tuple) -> Callable[..., Any]:
        """Return the function on NumPy arrays, keyword arguments after the others."""
        func = self._func
        if self._kind == "numpy":
            return lambda *values: func(
                *values[:count], **dict(zip(keys, values[count:], strict=True))
            )

        def on_mxnet(*values: Any) -> Any:
            values = tuple(_to_mxnet(v) for v in values)
            return _to_numpy(func(*values[:count], **dict(zip(keys, values[count:], strict=True))))

        return on_mxnet

    def _operation(self, count: int, keys: tuple) -> Primitive:
        kernel = self._kernel(count, keys)

        operation = Primitive(
            self.__name__,
            kernel,
            arrays=count + len(keys),
            mxnet=self._through_numpy(kernel),
            faster_on_mxnet=False,
            register=False,
        )

        def rule(argnums: tuple, ans: Any, args: tuple, kwargs: dict) -> Any:
            return self._rule(argnums, ans, args, count, keys)

        operation.vjp_all = rule
        return operation

    def _through_numpy(self, kernel: Callable[..., Any]) -> Callable[..., Any]:
        """Return an MXNet kernel that hands its arrays to a function on NumPy's."""

        def on_mxnet(F: Any, *values: Any) -> Any:
            if F.symbolic:
                raise runtime.Unsupported(f"{self.__name__} is a function of the program's own")
            given = [v for v in values if runtime.is_ndarray(v)]
            made = kernel(*[v.asnumpy() if runtime.is_ndarray(v) else v for v in values])
            several = isinstance(made, tuple)
            arrays = [runtime.borrow(numpy.asarray(p)) for p in (made if several else (made,))]
            device = given[0].context if given else arrays[0].context
            if device != arrays[0].context:
                arrays = [runtime.copy_to(a, device.device_type, device.device_id) for a in arrays]
            return tuple(arrays) if several else arrays[0]

        return on_mxnet

    def _rule(self, argnums: tuple, ans: Any, args: tuple, count: int, keys: tuple) -> Any:
        """Return the function that carries a gradient back, by the program's own functions."""
        named = [n if n < count else keys[n - count] for n in argnums]
        for name in named:
            if name not in self._gradients:
                by = (
                    f"def_grad_kw(…, {name!r})" if isinstance(name, str) else f"def_grad(…, {name})"
                )
                raise NoGradientFuncError(
                    f"{self.__name__}: no gradient of argument {name!r}; give it with {by}"
                )
        outputs = ans if type(ans) is tuple else (ans,)
        several = type(ans) is tuple
        convert = _to_mxnet if self._kind == "mxnet" else lambda value: value

        def kernel(*values: Any) -> tuple:
            values = tuple(convert(v) for v in values)
            g, made = values[: len(outputs)], values[len(outputs) : 2 * len(outputs)]
            given = values[2 * len(outputs) :]
            result = made if several else made[0]
            back = g if several else g[0]
            keywords = dict(zip(keys, given[count:], strict=True))
            found: dict[Any, Any] = {}
            for name in named:
                if name in found:
                    continue
                func, together = self._gradients[name]
                part = func(result, *given[:count], **keywords)(back)
                if together is None:
                    found[name] = part
                else:
                    found.update(zip(together, part, strict=True))
            shapes = [numpy.shape(args[n]) for n in argnums]
            return tuple(
                numpy.broadcast_to(_to_numpy(found[name]), shape).astype(args[n].dtype)
                for name, n, shape in zip(named, argnums, shapes, strict=True)
            )

        operation = Primitive(
            f"{self.__name__}_gradient",
            kernel,
            arrays=2 * len(outputs) + len(args),
            mxnet=self._through_numpy(kernel),
            faster_on_mxnet=False,
            register=False,
        )

        def vjp(g: Any) -> tuple:
            return operation(*(g if type(g) is tuple else (g,)), *outputs, *args)

        return vjp


def _is_array(value: Any) -> bool:
    return isinstance(value, numpy.ndarray | numpy.generic) or runtime.is_ndarray(value)


def _is_plain(value: Any) -> bool:
    return isinstance(value, bool | int | float | complex) or value is None


def customop(op_type: str) -> Callable[[Callable[..., Any]], CustomOperation]:
    """Return a decorator that makes an operation of a function on arrays of one kind.

    Parameters
    ----------
    op_type
        ``'numpy'``: it gets NumPy arrays. ``'mxnet'``: it gets MXNet's.

    Raises
    ------
    ValueError
        If `op_type` is neither.

    Examples
    --------
    >>> import minpy.numpy as np, numpy
    >>> from minpy.core import grad
    >>> from minpy.primitive import customop
    >>> @customop('numpy')
    ... def cube(x):
    ...     return numpy.power(x, 3)
    >>> cube.def_grad(lambda ans, x: lambda g: 3 * g * x ** 2)
    <numpy operation cube>
    >>> grad(cube)(np.array([1., 2.]))
    array([ 3., 12.])
    """
    if op_type not in ("numpy", "mxnet"):
        raise ValueError(f"customop: expected 'numpy' or 'mxnet', got {op_type!r}")
    return lambda func: CustomOperation(func, op_type)
