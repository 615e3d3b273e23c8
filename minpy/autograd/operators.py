"""Differential operators: functions that turn a function into its derivative; know no rules.

Names and signatures are HIPS autograd's, `grad_and_loss` the original minpy's. All of them nest,
in any mixture of reverse and forward mode, and take functions of arrays, floats, and nested
tuples, lists and dicts of them.
"""

from __future__ import annotations

import functools
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
    "hessian",
    "hessian_vector_product",
    "jacobian",
    "jacobian_vector_product",
    "make_jvp",
    "make_vjp",
    "value_and_grad",
    "vector_jacobian_product",
]

ArgNum = int | Sequence[int]


def _arguments(args: tuple, argnum: ArgNum, by: str, complex_too: bool = True) -> tuple:
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
    leaves = [as_ndarray(leaf) for leaf in leaves]

    def rebuild(new: list) -> Any:
        made = unflatten(new)
        return made if several else made[0]

    def fill(new: list) -> tuple:
        filled = list(args)
        for n, value in zip(numbers, unflatten(new), strict=True):
            filled[n] = value
        return tuple(filled)

    return leaves, rebuild, fill


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


def _finished(found: list[Any], like: list[ndarray], given: Sequence[Any] = ()) -> list[ndarray]:
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
    return unshared(_filled(found, like), given)


def _filled(found: list[Any], like: list[ndarray]) -> list[ndarray]:
    zeros = registry["zeros_like"]
    return [zeros(a) if d is None else d for d, a in zip(found, like, strict=True)]


def _named(operator: str, fun: Callable, doc: str) -> Callable[[Callable], Callable]:
    def decorate(derived: Callable) -> Callable:
        with_name = functools.wraps(fun)(derived) if hasattr(fun, "__name__") else derived
        name = getattr(fun, "__name__", "function")
        with_name.__name__ = f"{operator}_of_{name}"
        with_name.__doc__ = f"{doc} {name}.\n\n{getattr(fun, '__doc__', '') or ''}"
        with_name.__dict__.pop("__wrapped__", None)
        return with_name

    return decorate


def _record_call(fun, leaves, fill, kwargs):
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

    @_named("vjp", fun, "Value and vector-Jacobian product of")
    def vjp_maker(*args: Any, **kwargs: Any) -> tuple[Callable[[Any], Any], Any]:
        leaves, rebuild, fill = _arguments(args, argnum, "make_vjp")
        outputs, unflatten, tape = _record_call(fun, leaves, fill, kwargs)

        def vjp(g: Any) -> Any:
            gradients = [as_ndarray(part) for part in flatten(g)[0]]
            if [part.shape for part in gradients] != [out.shape for out in outputs]:
                raise ValueError(
                    f"vjp: expected gradients of shape {[out.shape for out in outputs]}, "
                    f"got {[part.shape for part in gradients]}"
                )
            return rebuild(_finished(tape.back(gradients), leaves, gradients))

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

    @_named("jvp", fun, "Jacobian-vector product of")
    def jvp_maker(*args: Any, **kwargs: Any) -> Callable[[Any], tuple[Any, Any]]:
        leaves, _, fill = _arguments(args, argnum, "make_jvp")

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
            return unflatten(outputs), unflatten(_finished(pushed, outputs, tangents))

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
    leaves, rebuild, fill = _arguments(args, argnum, by)
    aux: list[Any] = []
    if has_aux:

        def main(*given: Any, **named: Any) -> Any:
            value, extra = fun(*given, **named)
            aux.append(extra)
            return value

    else:
        main = fun
    outputs, _, tape = _record_call(main, leaves, fill, kwargs)
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
    return out, rebuild(_finished(gradients, leaves)), aux


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

    @_named("value_and_grad", fun, "Value and gradient of")
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

    @_named("grad", fun, "Gradient of")
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

    @_named("grad_and_loss", fun, "Gradient and value of")
    def derived(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        value, gradient, _ = _value_and_gradient(fun, args, kwargs, argnum, "grad_and_loss")
        return gradient, value

    return derived


def grad_and_aux(fun: Callable, argnum: ArgNum = 0) -> Callable:
    """Return a function that gives ``(gradient, aux)`` of a function returning ``(value, aux)``."""

    @_named("grad_and_aux", fun, "Gradient and auxiliary value of")
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

    @_named("elementwise_grad", fun, "Element by element, the derivative of")
    def derived(*args: Any, **kwargs: Any) -> Any:
        leaves, rebuild, fill = _arguments(args, argnum, "elementwise_grad")
        outputs, _, tape = _record_call(fun, leaves, fill, kwargs)
        if any(out.dtype.kind == "c" for out in outputs):
            raise DifferentiationError("elementwise_grad: the function must return real numbers")
        ones = [registry["ones_like"](out) for out in outputs]
        return rebuild(_finished(tape.back(ones, once=True), leaves))

    return derived


def deriv(fun: Callable, argnum: int = 0) -> Callable:
    """Return the forward-mode derivative of a function of one scalar.

    Examples
    --------
    >>> import minpy, minpy.numpy as np
    >>> minpy.autograd.deriv(np.sin)(0.0)
    array(1.)
    """

    @_named("deriv", fun, "Derivative of")
    def derived(*args: Any, **kwargs: Any) -> Any:
        start = registry["ones_like"](as_ndarray(args[argnum]))
        return make_jvp(fun, argnum)(*args, **kwargs)(start)[1]

    return derived


def jacobian(fun: Callable, argnum: ArgNum = 0) -> Callable:
    """Return a function that gives `fun`'s Jacobian.

    Parameters
    ----------
    fun
        A function that returns an array.
    argnum
        Which argument to differentiate.

    Returns
    -------
    function
        Of `fun`'s arguments; returns an array of shape ``value.shape + argument.shape``, in the
        argument's structure.

    Examples
    --------
    >>> import minpy, minpy.numpy as np
    >>> minpy.jacobian(lambda x: x ** 2)(np.array([1., 2.]))
    array([[2., 0.],
           [0., 4.]])
    """

    @_named("jacobian", fun, "Jacobian of")
    def derived(*args: Any, **kwargs: Any) -> Any:
        leaves, rebuild, fill = _arguments(args, argnum, "jacobian")
        outputs, _, tape = _record_call(fun, leaves, fill, kwargs)
        if len(outputs) != 1:
            raise DifferentiationError(
                f"jacobian: the function must return one array, got {len(outputs)} values"
            )
        out = outputs[0]
        rows = []
        for i in range(out.size):
            basis = numpy.zeros(out.size, out.dtype)
            basis[i] = 1
            found = tape.back([as_ndarray(basis.reshape(out.shape))])
            rows.append(_filled(found, leaves))
        columns = []
        for k, leaf in enumerate(leaves):
            shape = out.shape + leaf.shape
            if not rows:
                columns.append(as_ndarray(numpy.zeros(shape, leaf.dtype)))
                continue
            stacked = registry["stack"](*[row[k] for row in rows])
            columns.append(registry["reshape"](stacked, shape))
        return rebuild(columns)

    return derived


def hessian(fun: Callable, argnum: int = 0) -> Callable:
    """Return a function that gives the matrix of `fun`'s second derivatives.

    Examples
    --------
    >>> import minpy, minpy.numpy as np
    >>> minpy.hessian(lambda x: np.sum(x ** 3))(np.array([1., 2.]))
    array([[ 6.,  0.],
           [ 0., 12.]])
    """
    return jacobian(jacobian(fun, argnum), argnum)


def hessian_vector_product(fun: Callable, argnum: int = 0) -> Callable:
    """Return a function of `fun`'s arguments and a vector that gives Hessian · vector.

    Computed as a forward-mode derivative of the gradient (Pearlmutter, 1994).

    Examples
    --------
    >>> import minpy, minpy.numpy as np
    >>> hvp = minpy.autograd.hessian_vector_product(lambda x: np.sum(x ** 3))
    >>> hvp(np.array([1., 2.]), np.array([1., 1.]))
    array([ 6., 12.])
    """
    gradient = grad(fun, argnum)

    @_named("hessian_vector_product", fun, "Hessian-vector product of")
    def derived(*args: Any, **kwargs: Any) -> Any:
        *rest, vector = args
        return make_jvp(gradient, argnum)(*rest, **kwargs)(vector)[1]

    return derived


def vector_jacobian_product(fun: Callable, argnum: int = 0) -> Callable:
    """Return a function of `fun`'s arguments and a vector that gives vector · Jacobian."""

    @_named("vector_jacobian_product", fun, "Vector-Jacobian product of")
    def derived(*args: Any, **kwargs: Any) -> Any:
        *rest, vector = args
        vjp, _ = make_vjp(fun, argnum)(*rest, **kwargs)
        return vjp(vector)

    return derived


def jacobian_vector_product(fun: Callable, argnum: int = 0) -> Callable:
    """Return a function of `fun`'s arguments and a vector that gives Jacobian · vector."""

    @_named("jacobian_vector_product", fun, "Jacobian-vector product of")
    def derived(*args: Any, **kwargs: Any) -> Any:
        *rest, vector = args
        return make_jvp(fun, argnum)(*rest, **kwargs)(vector)[1]

    return derived
