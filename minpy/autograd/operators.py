"""Differential operators: functions that turn a function into its derivative; know no rules.

Names and signatures are HIPS autograd's, `grad_and_loss` the original minpy's. All of them nest,
in any mixture of reverse and forward mode, and take functions of arrays, floats, and nested
tuples, lists and dicts of them.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy

from minpy.array import as_ndarray, ndarray
from minpy.autograd.containers import flatten, leaves_with_paths
from minpy.autograd.forward import push
from minpy.autograd.reverse import record
from minpy.autograd.trace import unshared
from minpy.errors import DifferentiationError
from minpy.primitives import registry

__all__ = [
    "deriv",
    "elementwise_grad",
    "grad",
    "grad_and_aux",
    "grad_and_loss",
    "grad_named",
    "holomorphic_grad",
    "make_jvp",
    "make_vjp",
    "multigrad_dict",
    "value_and_grad",
]

ArgNum = int | Sequence[int]


def differentiated(args: tuple, argnum: ArgNum, by: str, complex_too: bool = True) -> tuple:
    """Return the arrays among the differentiated arguments, and how to put them back.

    Returns
    -------
    leaves
        The arrays.
    rebuild
        Makes of new leaves the container that the operator's result has.
    fill
        Makes of new leaves the whole argument tuple.
    """
    several = not isinstance(argnum, int)
    numbers = tuple(argnum) if several else (argnum,)
    for n in numbers:
        if not -len(args) <= n < len(args):
            raise TypeError(f"{by}: no argument {n}, the function was given {len(args)}")
    chosen = tuple(args[n] for n in numbers)
    for n, value in zip(numbers, chosen, strict=True):
        for path, leaf in leaves_with_paths(value):
            _check_leaf(leaf, f"{by}: argument {n}{path}", complex_too)
    leaves, unflatten = flatten(chosen)
    leaves = [_array(leaf) for leaf in leaves]

    def rebuild(new: list) -> Any:
        made = unflatten(new)
        return made if several else made[0]

    def fill(new: list) -> tuple:
        whole = list(args)
        for n, value in zip(numbers, unflatten(new), strict=True):
            whole[n] = value
        return tuple(whole)

    return leaves, rebuild, fill


def _array(leaf: Any) -> ndarray:
    made = as_ndarray(leaf)
    if isinstance(leaf, float | complex | numpy.generic):
        made._scalar = True  # a value: the function can't write to it
    return made


def _check_leaf(leaf: Any, what: str, complex_too: bool) -> None:
    dtype = getattr(leaf, "dtype", None)
    if dtype is not None:
        kind = numpy.dtype(dtype).kind
        if kind == "f" or (kind == "c" and complex_too):
            return
        raise DifferentiationError(
            f"{what} has dtype {dtype}: derivatives exist with respect to floating-point arrays; "
            "convert it, for example with x.astype('float32')"
        )
    if isinstance(leaf, float) or (isinstance(leaf, complex) and complex_too):
        return
    if isinstance(leaf, bool | int):
        raise DifferentiationError(
            f"{what} is the integer {leaf!r}: derivatives exist with respect to floats; "
            f"write {leaf}.0"
        )
    raise DifferentiationError(
        f"{what} is of type {type(leaf).__name__}: expected an array, a float, or tuples, lists "
        "and dicts of them (other containers: minpy.autograd.register_container)"
    )


def _outputs(value: Any) -> tuple[list[Any], Callable[[list], Any]]:
    leaves, unflatten = flatten(value)
    return [as_ndarray(leaf) for leaf in leaves], unflatten


def finished(found: list[Any], like: list[ndarray], given: Sequence[Any] = ()) -> list[ndarray]:
    """Return derivatives for the caller: zeros where none came, and each with memory of its own.

    Parameters
    ----------
    found
        Derivatives, None where the result depends on nothing.
    like
        What they are derivatives of.
    given
        The gradients or tangents that the caller gave.
    """
    return unshared(filled(found, like), given)


def filled(found: list[Any], like: list[ndarray]) -> list[ndarray]:
    """Return derivatives with zeros where none came."""
    zeros = registry["zeros_like"]
    return [zeros(a) if d is None else d for d, a in zip(found, like, strict=True)]


def named(operator: str, fun: Callable, doc: str) -> Callable[[Callable], Callable]:
    """Return a decorator that names a derived function after the operator and the function."""

    def decorate(derived: Callable) -> Callable:
        with_name = functools.wraps(fun)(derived) if hasattr(fun, "__name__") else derived
        name = getattr(fun, "__name__", "function")
        with_name.__name__ = f"{operator}_of_{name}"
        with_name.__doc__ = f"{doc} {name}.\n\n{getattr(fun, '__doc__', '') or ''}"
        with_name.__dict__.pop("__wrapped__", None)
        return with_name

    return decorate


def record_call(
    fun: Callable, leaves: list[ndarray], fill: Callable[[list], tuple], kwargs: dict
) -> tuple[list[ndarray], Callable[[list], Any], Any]:
    """Run ``fun`` under a tape; return its outputs, how to rebuild them, and the tape."""
    unflatten_output: list[Any] = []

    def flat(boxed: list[ndarray]) -> list[Any]:
        outputs, unflatten = _outputs(fun(*fill(boxed), **kwargs))
        unflatten_output.append(unflatten)
        return outputs

    outputs, tape = record(flat, leaves)
    return outputs, unflatten_output[0], tape


def make_vjp(fun: Callable, argnum: ArgNum = 0) -> Callable:
    """Return a function that gives `fun`'s value and the function that carries gradients back.

    Parameters
    ----------
    fun
        Any function of arrays.
    argnum
        Which argument to differentiate, or several.

    Returns
    -------
    function
        Of `fun`'s arguments; returns ``(vjp, value)``, where ``vjp(g)`` takes a gradient with the
        shapes of `value` and returns one with the shapes of the argument. `vjp` may be called
        any number of times.

    Examples
    --------
    >>> import minpy, minpy.numpy as np
    >>> vjp, value = minpy.make_vjp(lambda x: x ** 2)(np.array([1., 2.]))
    >>> vjp(np.array([1., 10.]))
    array([ 2., 40.])
    """

    @named("vjp", fun, "Value and vector-Jacobian product of")
    def vjp_maker(*args: Any, **kwargs: Any) -> tuple[Callable[[Any], Any], Any]:
        leaves, rebuild, fill = differentiated(args, argnum, "make_vjp")
        outputs, unflatten, tape = record_call(fun, leaves, fill, kwargs)

        def vjp(g: Any) -> Any:
            gradients = [as_ndarray(part) for part in flatten(g)[0]]
            if [part.shape for part in gradients] != [out.shape for out in outputs]:
                raise ValueError(
                    f"vjp: expected gradients of shape {[out.shape for out in outputs]}, "
                    f"got {[part.shape for part in gradients]}"
                )
            return rebuild(finished(tape.back(gradients), leaves, gradients))

        return vjp, unflatten(outputs)

    return vjp_maker


def make_jvp(fun: Callable, argnum: ArgNum = 0) -> Callable:
    """Return a function that makes the forward-mode derivative of `fun` at a point.

    Parameters
    ----------
    fun
        Any function of arrays.
    argnum
        Which argument to differentiate, or several.

    Returns
    -------
    function
        Of `fun`'s arguments; returns ``jvp``, where ``jvp(v)`` takes a tangent with the shapes of
        the argument and returns ``(value, tangent of the value)``.

    Examples
    --------
    >>> import minpy, minpy.numpy as np
    >>> value, tangent = minpy.make_jvp(lambda x: x ** 2)(np.array([1., 2.]))(np.array([1., 0.]))
    >>> tangent
    array([2., 0.])
    """

    @named("jvp", fun, "Jacobian-vector product of")
    def jvp_maker(*args: Any, **kwargs: Any) -> Callable[[Any], tuple[Any, Any]]:
        leaves, _, fill = differentiated(args, argnum, "make_jvp")

        def jvp(v: Any) -> tuple[Any, Any]:
            tangents = [as_ndarray(part) for part in flatten(v)[0]]
            if [t.shape for t in tangents] != [a.shape for a in leaves]:
                raise ValueError(
                    f"jvp: expected tangents of shape {[a.shape for a in leaves]}, "
                    f"got {[t.shape for t in tangents]}"
                )
            unflatten_output: list[Any] = []

            def flat(boxed: list[ndarray]) -> list[Any]:
                outputs, unflatten = _outputs(fun(*fill(boxed), **kwargs))
                unflatten_output.append(unflatten)
                return outputs

            outputs, pushed = push(flat, leaves, tangents)
            unflatten = unflatten_output[0]
            return unflatten(outputs), unflatten(finished(pushed, outputs, tangents))

        return jvp

    return jvp_maker


def _scalar(out: Any, by: str) -> None:
    if out.size != 1:
        raise DifferentiationError(
            f"{by}: the function must return one number, got shape {out.shape}; sum it, or use "
            "jacobian or elementwise_grad"
        )
    if out.dtype.kind == "c":
        raise DifferentiationError(
            f"{by}: the function must return a real number, got {out.dtype}; take its real part or "
            "use holomorphic_grad"
        )


def _value_and_gradient(fun, args, kwargs, argnum, by, has_aux=False):
    leaves, rebuild, fill = differentiated(args, argnum, by)
    aux: list[Any] = []
    if has_aux:

        def main(*given: Any, **named: Any) -> Any:
            value, extra = fun(*given, **named)
            aux.append(extra)
            return value

    else:
        main = fun
    outputs, _, tape = record_call(main, leaves, fill, kwargs)
    if len(outputs) != 1:
        raise DifferentiationError(
            f"{by}: the function must return one number, got {len(outputs)} values; "
            "grad_and_aux takes a function that returns (loss, anything)"
        )
    out = outputs[0]
    _scalar(out, by)
    if tape.end[0] is None:
        warnings.warn(
            f"{by}: the result doesn't depend on the argument; its gradient is zero", stacklevel=3
        )
    gradients = tape.back([registry["ones_like"](out)], once=True)
    return out, rebuild(finished(gradients, leaves)), aux


def value_and_grad(fun: Callable, argnum: ArgNum = 0) -> Callable:
    """Return a function that gives `fun`'s value and its gradient.

    Parameters
    ----------
    fun
        A function that returns one real number.
    argnum
        Which argument to differentiate; several give a tuple of gradients.

    Returns
    -------
    function
        Of `fun`'s arguments; returns ``(value, gradient)``, the gradient with the argument's
        structure and shapes.

    Raises
    ------
    DifferentiationError
        If `fun` returns more than one number, or the argument is not of floats.

    Examples
    --------
    >>> import minpy, minpy.numpy as np
    >>> minpy.value_and_grad(lambda x: np.sum(x ** 2))(np.array([1., 2.]))
    (array(5.), array([2., 4.]))
    """

    @named("value_and_grad", fun, "Value and gradient of")
    def derived(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        value, gradient, _ = _value_and_gradient(fun, args, kwargs, argnum, "value_and_grad")
        return value, gradient

    return derived


def grad(fun: Callable, argnum: ArgNum = 0) -> Callable:
    """Return a function that gives `fun`'s gradient.

    Parameters
    ----------
    fun
        A function that returns one real number.
    argnum
        Which argument to differentiate; several give a tuple of gradients.

    Returns
    -------
    function
        Of `fun`'s arguments; returns the gradient, with the argument's structure and shapes.

    Raises
    ------
    DifferentiationError
        If `fun` returns more than one number, or the argument is not of floats.

    Examples
    --------
    >>> import minpy, minpy.numpy as np
    >>> minpy.grad(np.tanh)(0.0)
    array(1.)
    >>> minpy.grad(lambda p: p['w'] * p['b'])({'w': 2.0, 'b': 3.0})
    {'w': array(3.), 'b': array(2.)}
    """

    @named("grad", fun, "Gradient of")
    def derived(*args: Any, **kwargs: Any) -> Any:
        return _value_and_gradient(fun, args, kwargs, argnum, "grad")[1]

    return derived


def grad_and_loss(fun: Callable, argnum: ArgNum = 0) -> Callable:
    """Return a function that gives ``(gradient, loss)``, in the original minpy's order.

    Examples
    --------
    >>> import minpy
    >>> minpy.grad_and_loss(lambda x: x * x)(3.0)
    (array(6.), array(9.))
    """

    @named("grad_and_loss", fun, "Gradient and value of")
    def derived(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        value, gradient, _ = _value_and_gradient(fun, args, kwargs, argnum, "grad_and_loss")
        return gradient, value

    return derived


def grad_and_aux(fun: Callable, argnum: ArgNum = 0) -> Callable:
    """Return a function that gives ``(gradient, aux)`` of a function returning ``(value, aux)``."""

    @named("grad_and_aux", fun, "Gradient and auxiliary value of")
    def derived(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        _, gradient, aux = _value_and_gradient(
            fun, args, kwargs, argnum, "grad_and_aux", has_aux=True
        )
        return gradient, aux[0]

    return derived


def elementwise_grad(fun: Callable, argnum: ArgNum = 0) -> Callable:
    """Return a function that gives the sum of each column of `fun`'s Jacobian.

    For a function that works element by element this is its derivative at each element.

    Examples
    --------
    >>> import minpy, minpy.numpy as np
    >>> minpy.elementwise_grad(lambda x: x ** 3)(np.array([1., 2.]))
    array([ 3., 12.])
    """

    @named("elementwise_grad", fun, "Element by element, the derivative of")
    def derived(*args: Any, **kwargs: Any) -> Any:
        leaves, rebuild, fill = differentiated(args, argnum, "elementwise_grad")
        outputs, _, tape = record_call(fun, leaves, fill, kwargs)
        if any(out.dtype.kind == "c" for out in outputs):
            raise DifferentiationError("elementwise_grad: the function must return real numbers")
        ones = [registry["ones_like"](out) for out in outputs]
        return rebuild(finished(tape.back(ones, once=True), leaves))

    return derived


def deriv(fun: Callable, argnum: int = 0) -> Callable:
    """Return the forward-mode derivative of a function of one scalar.

    Examples
    --------
    >>> import minpy, minpy.numpy as np
    >>> minpy.autograd.deriv(np.sin)(0.0)
    array(1.)
    """

    @named("deriv", fun, "Derivative of")
    def derived(*args: Any, **kwargs: Any) -> Any:
        leaves, rebuild, _ = differentiated(args, argnum, "deriv")
        start = rebuild([registry["ones_like"](leaf) for leaf in leaves])
        return make_jvp(fun, argnum)(*args, **kwargs)(start)[1]

    return derived


def grad_named(fun: Callable, argname: str) -> Callable:
    """Return a function that gives `fun`'s gradient with respect to a named positional argument.

    Parameters
    ----------
    fun
        A function that returns one real number.
    argname
        The argument's name, one of those before ``*args``.

    Raises
    ------
    ValueError
        If `fun` has no such argument.

    Examples
    --------
    >>> import minpy
    >>> float(minpy.autograd.grad_named(lambda a, b: a * b * b, 'b')(2.0, 3.0))
    12.0
    """
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [p.name for p in inspect.signature(fun).parameters.values() if p.kind in kinds]
    if argname not in names:
        raise ValueError(
            f"grad_named: {getattr(fun, '__name__', 'the function')} has no positional argument "
            f"{argname!r}, it has {', '.join(names) or 'none'}"
        )
    return grad(fun, names.index(argname))


def multigrad_dict(fun: Callable) -> Callable:
    """Return a function that gives `fun`'s gradients with respect to all arguments, by name.

    Parameters
    ----------
    fun
        A function of floats, arrays and containers of them, which returns one real number.

    Returns
    -------
    function
        Of `fun`'s arguments; returns a dict of gradients in the order of the signature, defaults
        included: a tuple for ``*args``, a dict for ``**kwargs``.

    Examples
    --------
    >>> import minpy
    >>> minpy.autograd.multigrad_dict(lambda a, b=3.0: a * b)(2.0)
    {'a': array(3.), 'b': array(2.)}
    """
    signature = inspect.signature(fun)

    def called(given: dict[str, Any]) -> Any:
        bound = inspect.BoundArguments(signature, given)
        return fun(*bound.args, **bound.kwargs)

    @named("multigrad_dict", fun, "Gradients by name of")
    def derived(*args: Any, **kwargs: Any) -> dict[str, Any]:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return _value_and_gradient(called, (dict(bound.arguments),), {}, 0, "multigrad_dict")[1]

    return derived


def holomorphic_grad(fun: Callable, argnum: ArgNum = 0) -> Callable:
    """Return a function that gives the complex derivative of a holomorphic function.

    Parameters
    ----------
    fun
        A holomorphic function of a complex argument, which returns one number.
    argnum
        Which argument to differentiate.

    Returns
    -------
    function
        Of `fun`'s arguments; returns f'(z). Where `fun` isn't holomorphic, the gradient of its
        real part. It warns where the argument isn't complex.

    Examples
    --------
    >>> import minpy
    >>> complex(minpy.autograd.holomorphic_grad(lambda z: z ** 2)(1 + 2j))
    (2+4j)
    """
    gradient = grad(lambda *args, **kwargs: registry["real"](fun(*args, **kwargs)), argnum)

    @named("holomorphic_grad", fun, "Complex derivative of")
    def derived(*args: Any, **kwargs: Any) -> Any:
        leaves, _, _ = differentiated(args, argnum, "holomorphic_grad")
        if any(leaf.dtype.kind != "c" for leaf in leaves):
            warnings.warn("holomorphic_grad: the argument is not complex", stacklevel=2)
        return gradient(*args, **kwargs)

    return derived
