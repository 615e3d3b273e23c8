"""Jacobians, Hessians, and products with them; knows no rules.

Names and signatures are HIPS autograd's. Products never make the matrix, unless a tensor is
contracted with a part of the result's axes only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from minpy.array import as_ndarray, ndarray
from minpy.autograd.containers import map_leaves
from minpy.autograd.operators import (
    ArgNum,
    differentiated,
    filled,
    grad,
    make_jvp,
    make_vjp,
    named,
    record_call,
)
from minpy.primitives import registry

__all__ = [
    "hessian",
    "hessian_tensor_product",
    "hessian_vector_product",
    "jacobian",
    "jacobian_vector_product",
    "make_ggnvp",
    "make_hvp",
    "make_jvp_reversemode",
    "tensor_jacobian_product",
    "vector_jacobian_product",
]


def jacobian(fun: Callable, argnum: ArgNum = 0) -> Callable:
    """Return a function that gives `fun`'s Jacobian.

    Parameters
    ----------
    fun
        A function that returns an array, or a container of arrays.
    argnum
        Which argument to differentiate.

    Returns
    -------
    function
        Of `fun`'s arguments; returns an array of shape ``value.shape + argument.shape``. Where the
        argument is a container, one array for each of its leaves, in its structure; where the value
        is a container, one of these for each of the value's leaves.

    Examples
    --------
    >>> import minpy, minpy.numpy as np
    >>> minpy.jacobian(lambda x: x ** 2)(np.array([1., 2.]))
    array([[2., 0.],
           [0., 4.]])
    >>> minpy.jacobian(lambda p: p['a'] * p['b'])({'a': 2.0, 'b': np.array([1., 3.])})['a']
    array([1., 3.])
    """

    @named("jacobian", fun, "Jacobian of")
    def derived(*args: Any, **kwargs: Any) -> Any:
        leaves, rebuild, fill = differentiated(args, argnum, "jacobian")
        outputs, unflatten, tape = record_call(fun, leaves, fill, kwargs)
        blocks = []
        for which, out in enumerate(outputs):
            rows = []
            for i in range(out.size):
                basis = numpy.zeros(out.size, out.dtype)
                basis[i] = 1
                start: list[Any] = [None] * len(outputs)
                start[which] = as_ndarray(basis.reshape(out.shape))
                rows.append(filled(tape.back(start), leaves))
            blocks.append(rebuild([_stacked(rows, k, out, leaf) for k, leaf in enumerate(leaves)]))
        return unflatten(blocks)

    return derived


def _stacked(rows: list[list[ndarray]], which: int, out: ndarray, leaf: ndarray) -> ndarray:
    """Return the Jacobian's block of an output and one leaf of the argument."""
    shape = out.shape + leaf.shape
    if not rows:
        return as_ndarray(numpy.zeros(shape, leaf.dtype))
    return registry["reshape"](registry["stack"](*[row[which] for row in rows]), shape)


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


def hessian_tensor_product(fun: Callable, argnum: int = 0) -> Callable:
    """Return a function of `fun`'s arguments and a tensor that gives Hessian · tensor.

    Computed as a forward-mode derivative of the gradient.

    Parameters
    ----------
    fun
        A function that returns one real number.
    argnum
        Which argument to differentiate; the tensor has its structure and shapes.

    References
    ----------
    B. A. Pearlmutter, "Fast exact multiplication by the Hessian" (1994).

    Examples
    --------
    >>> import minpy, minpy.numpy as np
    >>> hvp = minpy.autograd.hessian_tensor_product(lambda x: np.sum(x ** 3))
    >>> hvp(np.array([1., 2.]), np.array([1., 1.]))
    array([ 6., 12.])
    """
    gradient = grad(fun, argnum)

    @named("hessian_tensor_product", fun, "Hessian-tensor product of")
    def derived(*args: Any, **kwargs: Any) -> Any:
        *rest, tensor = args
        return make_jvp(gradient, argnum)(*rest, **kwargs)(tensor)[1]

    return derived


hessian_vector_product = hessian_tensor_product


def make_hvp(fun: Callable, argnum: int = 0) -> Callable:
    """Return a function that gives, at a point, Hessian · vector for any number of vectors.

    Parameters
    ----------
    fun
        A function that returns one real number.
    argnum
        Which argument to differentiate.

    Returns
    -------
    function
        Of `fun`'s arguments; returns ``(hvp, gradient)``. The forward pass and the gradient are
        computed once, each ``hvp(v)`` is one pass back.

    Examples
    --------
    >>> import minpy, minpy.numpy as np
    >>> hvp, gradient = minpy.autograd.make_hvp(lambda x: np.sum(x ** 3))(np.array([1., 2.]))
    >>> hvp(np.array([1., 0.])), hvp(np.array([0., 1.]))
    (array([6., 0.]), array([ 0., 12.]))
    """
    return make_vjp(grad(fun, argnum), argnum)


def tensor_jacobian_product(fun: Callable, argnum: int = 0) -> Callable:
    """Return a function of `fun`'s arguments and a tensor that gives tensor · Jacobian.

    Parameters
    ----------
    fun
        Any function of arrays.
    argnum
        Which argument to differentiate.

    Returns
    -------
    function
        Of `fun`'s arguments and a tensor with the shape of `fun`'s value, or with that of its
        leading axes; all axes of the tensor are contracted. Returns an array of the value's
        remaining axes, then the argument's.

    Examples
    --------
    >>> import minpy, minpy.numpy as np
    >>> product = minpy.autograd.tensor_jacobian_product(lambda x: x ** 2)
    >>> product(np.array([1., 2.]), np.array([1., 10.]))
    array([ 2., 40.])
    """

    @named("tensor_jacobian_product", fun, "Tensor-Jacobian product of")
    def derived(*args: Any, **kwargs: Any) -> Any:
        *rest, tensor = args
        vjp, value = make_vjp(fun, argnum)(*rest, **kwargs)
        if type(value) is not ndarray or as_ndarray(tensor).ndim >= value.ndim:
            return vjp(tensor)
        tensor = as_ndarray(tensor)
        axes = tensor.ndim

        def contracted(*inner: Any, **named_inner: Any) -> Any:
            return registry["tensordot"](tensor, fun(*inner, **named_inner), axes)

        return jacobian(contracted, argnum)(*rest, **kwargs)

    return derived


vector_jacobian_product = tensor_jacobian_product


def jacobian_vector_product(fun: Callable, argnum: int = 0) -> Callable:
    """Return a function of `fun`'s arguments and a vector that gives Jacobian · vector.

    Examples
    --------
    >>> import minpy, minpy.numpy as np
    >>> product = minpy.autograd.jacobian_vector_product(lambda x: x ** 2)
    >>> product(np.array([1., 2.]), np.array([1., 10.]))
    array([ 2., 40.])
    """

    @named("jacobian_vector_product", fun, "Jacobian-vector product of")
    def derived(*args: Any, **kwargs: Any) -> Any:
        *rest, vector = args
        return make_jvp(fun, argnum)(*rest, **kwargs)(vector)[1]

    return derived


def _zeros_of(value: Any) -> Any:
    return map_leaves(lambda leaf: registry["zeros_like"](as_ndarray(leaf)), value)


def make_jvp_reversemode(fun: Callable, argnum: int = 0) -> Callable:
    """Return a function that gives, at a point, Jacobian · vector by two passes back.

    The pass back is linear in the gradient that it starts from, so its transpose is the derivative
    forward. The forward pass runs once for any number of vectors.

    Returns
    -------
    function
        Of `fun`'s arguments; returns ``jvp``, where ``jvp(v)`` is the tangent of the value.

    References
    ----------
    J. Townsend, "A new trick for calculating Jacobian vector products" (2017).

    Examples
    --------
    >>> import minpy, minpy.numpy as np
    >>> minpy.autograd.make_jvp_reversemode(np.square)(np.array([1., 2.]))(np.array([1., 10.]))
    array([ 2., 40.])
    """

    @named("jvp_reversemode", fun, "Jacobian-vector product of")
    def jvp_maker(*args: Any, **kwargs: Any) -> Callable[[Any], Any]:
        vjp, value = make_vjp(fun, argnum)(*args, **kwargs)
        return make_vjp(vjp)(_zeros_of(value))[0]

    return jvp_maker


def _half_of_squares(x: Any) -> Any:
    return 0.5 * registry["sum"](x**2, axis=-1)


def make_ggnvp(f: Callable, g: Callable = _half_of_squares, f_argnum: int = 0) -> Callable:
    """Return a function that gives, at a point, products with the generalised Gauss-Newton matrix.

    That matrix is Jᵀ H J: J the Jacobian of the model `f`, H the Hessian of the loss `g` at `f`'s
    value. It is positive semidefinite where `g` is convex.

    Parameters
    ----------
    f
        A function of arrays.
    g
        A function of `f`'s value that returns one real number; half the sum of squares by default.
    f_argnum
        Which argument of `f` to differentiate.

    Returns
    -------
    function
        Of `f`'s arguments; returns ``ggnvp``, where ``ggnvp(v)`` has the shapes of the argument.

    References
    ----------
    N. N. Schraudolph, "Fast curvature matrix-vector products for second-order gradient descent"
    (2002).

    Examples
    --------
    >>> import minpy, minpy.numpy as np
    >>> a = np.array([[1., 2.], [3., 4.]])
    >>> minpy.autograd.make_ggnvp(lambda x: np.dot(a, x))(np.zeros(2))(np.array([1., 0.]))
    array([10., 14.])
    """

    @named("ggnvp", f, "Product with the generalised Gauss-Newton matrix of")
    def ggnvp_maker(*args: Any, **kwargs: Any) -> Callable[[Any], Any]:
        f_vjp, value = make_vjp(f, f_argnum)(*args, **kwargs)
        g_hvp, _ = make_hvp(g)(value)
        f_jvp, _ = make_vjp(f_vjp)(_zeros_of(value))
        return lambda v: f_vjp(g_hvp(f_jvp(v)))

    return ggnvp_maker
