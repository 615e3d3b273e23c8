"""Products of arrays: dot, matmul, tensordot, einsum, inner, outer, cross, convolve.

It must not know about matrices' inverses or decompositions.
"""

from __future__ import annotations

import functools
import string
from typing import Any

import numpy

from minpy.array import View, as_ndarray, is_tracked, ndarray
from minpy.autograd.rules import def_linear, defjvp_argnums, defvjp, defvjp_argnums
from minpy.numpy import einsum_products
from minpy.numpy import mxnet_kernels as mx
from minpy.numpy.broadcasting import broadcast_to, unbroadcast
from minpy.numpy.elementwise import conjugate
from minpy.numpy.fallback import Fallback, plain
from minpy.numpy.function import Function, Ufunc, composition
from minpy.numpy.indexing import scatter_add
from minpy.numpy.reductions import sum
from minpy.numpy.shaping import (
    expand_dims,
    flip,
    moveaxis,
    pad,
    reshape,
    stack,
    swapaxes,
    transpose,
)
from minpy.primitives import link_view
from minpy.runtime import sgemm

__all__ = [
    "convolve",
    "correlate",
    "cross",
    "dot",
    "einsum",
    "inner",
    "kron",
    "matmul",
    "outer",
    "tensordot",
    "vdot",
]


def _swap(x: Any) -> Any:
    """Transpose the last two axes."""
    return swapaxes(x, -1, -2)


def _like(g: Any, x: ndarray) -> Any:
    """Give a gradient the shape and dtype of its argument."""
    return unbroadcast(g, x.shape, x.dtype)


# --- matmul ---------------------------------------------------------------------------------------


# Two cores of a Zen 5, 1024 x 1024 float32: NumPy's OpenBLAS 8.7 ms, MXNet's own `dot` 10, oneDNN's
# FullyConnected 4.5 with the second operand turned round for it; 512: NumPy 2.0, oneDNN 1.5;
# 256: NumPy 0.27, oneDNN 0.33.
_WORTH_A_CALL = 64_000_000
# Operands of fewer elements have no product that is worth a call of anything.
_FEW = int(sgemm.WORTH_A_CALL ** (2 / 3))


def _are_matrices(x: Any, y: Any) -> bool:
    return (
        len(x.shape) == 2
        and len(y.shape) == 2
        and x.dtype == y.dtype == numpy.float32
        and x.shape[1] == y.shape[0]
        and 0 not in (*x.shape, *y.shape)
    )


def _on_onednn(x: Any, y: Any, **options: Any) -> bool:
    return (
        hasattr(x, "shape")
        and hasattr(y, "shape")
        and not options
        and _are_matrices(x, y)
        and x.shape[0] * x.shape[1] * y.shape[1] >= _WORTH_A_CALL
        and min(x.shape) >= 64
    )


def _mx_product(F: Any, x: Any, y: Any) -> Any:
    return F(
        "FullyConnected",
        x,
        F.transposed(y),
        num_hidden=y.shape[1],
        no_bias=True,
        flatten=False,
    )


def _mx_matmul(F: Any, x: Any, y: Any) -> Any:
    mx.require_floats("matmul", x, y)
    return _mx_product(F, x, y) if _are_matrices(x, y) else F("_npi_matmul", x, y)


matmul = Ufunc("matmul", arrays=2, mxnet=_mx_matmul, faster_on_mxnet=_on_onednn, faster_from=_FEW)


def _matmul_vjp_x(ans: Any, x: ndarray, y: Any, **kw: Any) -> Any:
    y_ndim = y.ndim

    def vjp(g: Any) -> Any:
        if x.ndim == 1 and y_ndim == 1:
            return _like(g * y, x)
        if y_ndim == 1:
            return _like(expand_dims(g, -1) * y, x)
        if x.ndim == 1:
            return _like(matmul(expand_dims(g, -2), _swap(y))[..., 0, :], x)
        return _like(matmul(g, _swap(y)), x)

    return vjp


def _matmul_vjp_y(ans: Any, x: Any, y: ndarray, **kw: Any) -> Any:
    x_ndim = x.ndim

    def vjp(g: Any) -> Any:
        if x_ndim == 1 and y.ndim == 1:
            return _like(g * x, y)
        if x_ndim == 1:
            return _like(expand_dims(g, -2) * expand_dims(x, -1), y)
        if y.ndim == 1:
            return _like(matmul(_swap(x), expand_dims(g, -1))[..., 0], y)
        if y.ndim == 2 and x_ndim > 2:  # one product, and no stack of them that is summed
            rows = reshape(x, (-1, x.shape[-1])), reshape(g, (-1, g.shape[-1]))
            return _like(matmul(_swap(rows[0]), rows[1]), y)
        return _like(matmul(_swap(x), g), y)

    return vjp


matmul.fast = sgemm.product
defvjp(matmul, _matmul_vjp_x, _matmul_vjp_y)
def_linear(matmul, 0, 1)

# --- dot ------------------------------------------------------------------------------------------


def _mx_dot(F: Any, x: Any, y: Any) -> Any:
    mx.require_floats("dot", x, y)
    return _mx_product(F, x, y) if _are_matrices(x, y) else F("_np_dot", x, y)


dot = Function(
    "dot",
    arrays=2,
    mxnet=_mx_dot,
    faster_on_mxnet=_on_onednn,
    faster_from=_FEW,
    parameters=("a", "b", "out"),
)


def _dot_vjp_x(ans: Any, x: ndarray, y: Any) -> Any:
    y_ndim = numpy.ndim(y) if not isinstance(y, ndarray) else y.ndim

    def vjp(g: Any) -> Any:
        if x.ndim == 0:
            return _like(sum(g * y), x)
        if y_ndim == 0:
            return _like(g * y, x)
        if y_ndim == 1:
            return _like(expand_dims(g, -1) * y, x)
        if x.ndim <= 2 and y_ndim == 2:
            return _like(dot(g, transpose(y)), x)
        # Sum over all of y's axes but the contracted one.
        y_axes = [i for i in range(y_ndim) if i != y_ndim - 2]
        g_axes = list(range(x.ndim - 1, x.ndim - 1 + len(y_axes)))
        return _like(tensordot(g, y, (g_axes, y_axes)), x)

    return vjp


def _dot_vjp_y(ans: Any, x: Any, y: ndarray) -> Any:
    x_ndim = numpy.ndim(x) if not isinstance(x, ndarray) else x.ndim

    def vjp(g: Any) -> Any:
        if y.ndim == 0:
            return _like(sum(g * x), y)
        if x_ndim == 0:
            return _like(g * x, y)
        if x_ndim == 1 and y.ndim == 1:
            return _like(g * x, y)
        if x_ndim == 2 and y.ndim <= 2:
            return _like(dot(transpose(x), g), y)
        x_axes = list(range(x_ndim - 1))
        spread = tensordot(x, g, (x_axes, x_axes))  # contracted axis first, then y's others
        return _like(moveaxis(spread, 0, y.ndim - 2) if y.ndim > 1 else spread, y)

    return vjp


dot.fast = sgemm.product
defvjp(dot, _dot_vjp_x, _dot_vjp_y)
def_linear(dot, 0, 1)

# --- tensordot ------------------------------------------------------------------------------------


def _mx_tensordot(F: Any, x: Any, y: Any, axes: Any = 2) -> Any:
    mx.require_floats("tensordot", x, y)
    if isinstance(axes, int):
        return F("_npi_tensordot_int_axes", x, y, axes=axes)
    a, b = (tuple(v) if isinstance(v, list | tuple) else (v,) for v in axes)
    return F("_npi_tensordot", x, y, a_axes_summed=a, b_axes_summed=b)


tensordot = Function("tensordot", arrays=2, mxnet=_mx_tensordot)


def _contracted(axes: Any, x_ndim: int, y_ndim: int) -> tuple[list[int], list[int]]:
    if isinstance(axes, int | numpy.integer):
        return list(range(x_ndim - axes, x_ndim)), list(range(axes))
    a, b = (list(v) if isinstance(v, list | tuple) else [v] for v in axes)
    return [i % x_ndim for i in a], [i % y_ndim for i in b]


def _ndim(x: Any) -> int:
    return x.ndim if isinstance(x, ndarray) else numpy.ndim(x)


def _tensordot_vjp_x(ans: Any, x: ndarray, y: Any, axes: Any = 2) -> Any:
    y_ndim = _ndim(y)

    def vjp(g: Any) -> Any:
        a, b = _contracted(axes, x.ndim, y_ndim)
        kept = [i for i in range(x.ndim) if i not in a]
        rest = [i for i in range(y_ndim) if i not in b]
        spread = tensordot(g, y, (list(range(len(kept), len(kept) + len(rest))), rest))
        # Its axes: x's kept ones, then y's contracted ones in y's own order.
        source = kept + [a[b.index(i)] for i in sorted(b)]
        return _like(transpose(spread, tuple(numpy.argsort(source))), x)

    return vjp


def _tensordot_vjp_y(ans: Any, x: Any, y: ndarray, axes: Any = 2) -> Any:
    x_ndim = _ndim(x)

    def vjp(g: Any) -> Any:
        a, b = _contracted(axes, x_ndim, y.ndim)
        kept = [i for i in range(x_ndim) if i not in a]
        rest = [i for i in range(y.ndim) if i not in b]
        spread = tensordot(x, g, (kept, list(range(len(kept)))))
        # Its axes: x's contracted ones in x's own order, then y's kept ones.
        source = [b[a.index(i)] for i in sorted(a)] + rest
        return _like(transpose(spread, tuple(numpy.argsort(source))), y)

    return vjp


defvjp(tensordot, _tensordot_vjp_x, _tensordot_vjp_y)
def_linear(tensordot, 0, 1)

# --- einsum ---------------------------------------------------------------------------------------


def _einsum_kernel(*operands: Any, subscripts: str, **options: Any) -> numpy.ndarray:
    return numpy.einsum(subscripts, *operands, **options)


def _mx_einsum(F: Any, *operands: Any, subscripts: str, optimize: Any = False) -> Any:
    mx.require_floats("einsum", *operands)
    single = all(numpy.dtype(x.dtype) == numpy.float32 for x in operands)
    return einsum_products.einsum(einsum_products.on_mxnet(F, single), subscripts, operands)


_einsum = Function("einsum", _einsum_kernel, mxnet=_mx_einsum)


@functools.lru_cache(maxsize=256)
def _explicit(subscripts: str, ndims: tuple[int, ...]) -> str:
    """Write subscripts out: no spaces, no ellipsis, with an output."""
    given, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = given.split(",")
    if len(terms) != len(ndims):
        raise ValueError(
            f"einsum: subscripts {subscripts!r} name {len(terms)} operands, got {len(ndims)}"
        )
    free = [c for c in string.ascii_letters if c not in subscripts]
    longest = 0
    written = []
    for term, ndim in zip(terms, ndims, strict=True):
        if "..." in term:
            count = ndim - len(term.replace("...", ""))
            longest = max(longest, count)
            written.append((term, count))
        else:
            written.append((term, 0))
    dots = "".join(free[:longest])
    terms = [t.replace("...", dots[longest - n :] if n else "") for t, n in written]
    if arrow:
        output = output.replace("...", dots)
    else:
        letters = "".join(terms)
        output = dots + "".join(
            sorted(c for c in set(letters) if letters.count(c) == 1 and c not in dots)
        )
    return f"{','.join(terms)}->{output}"


def einsum(*operands: Any, out: Any = None, optimize: Any = False, **kwargs: Any) -> Any:
    """Evaluate Einstein's summation convention on the operands, as `numpy.einsum`.

    Parameters
    ----------
    operands
        The subscripts and the arrays, or arrays and lists of subscripts in turn.
    out
        Where to write the result.
    optimize
        The order of the products, as in NumPy.
    kwargs
        ``dtype``, ``order`` and ``casting``, as in NumPy.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> np.einsum('ij,j->i', np.array([[1., 2.], [3., 4.]]), np.array([1., 1.]))
    array([3., 7.])
    """
    subscripts, *arrays = operands or (None,)
    if (
        len(arrays) > 1
        and not kwargs
        and out is None
        and optimize is False
        and type(subscripts) is str
        and {type(x) for x in arrays} == {ndarray}
    ):
        if (
            "->" not in subscripts
            or " " in subscripts
            or "." in subscripts
            or subscripts.count(",") + 1 != len(arrays)
        ):
            subscripts = _explicit(subscripts, tuple([x.ndim for x in arrays]))
        return _einsum(*arrays, subscripts=subscripts)
    dtype, casting = kwargs.pop("dtype", None), kwargs.pop("casting", "safe")
    order = kwargs.pop("order", "K")
    if order != "K":
        numpy.array(0, order=order)  # NumPy says what is wrong with it
        order = order.upper()
    if casting != "safe":
        numpy.can_cast("int8", "int8", casting)
    if len(operands) < 2:
        raise ValueError("einsum: expected the subscripts and at least one array")
    if kwargs:
        raise TypeError(f"einsum: did not understand the keywords {sorted(kwargs)}")
    subscripts, *arrays = operands
    if not isinstance(subscripts, str):
        subscripts, arrays = _from_sublists(operands)
    if any(type(x) is numpy.ndarray and x.dtype.hasobject for x in arrays) or dtype in _OBJECTS:
        options = {"dtype": dtype, "casting": casting, "order": order, "optimize": optimize}
        return numpy.einsum(subscripts, *plain(arrays), out=plain(out), **options)
    arrays = [as_ndarray(x) for x in arrays]
    written = _explicit(subscripts, tuple([x.ndim for x in arrays]))
    if dtype is not None:
        arrays = [x.astype(dtype, casting=casting) for x in arrays]
    options = {"subscripts": written}
    if optimize is not False:
        options["optimize"] = optimize
    if out is not None:
        # The conversions of the operands may be the wider for the one of the result.
        if casting != "safe":
            options["casting"] = casting
        return _einsum(*arrays, **options, out=out)
    result = _einsum(*arrays, **options)
    if len(arrays) == 1 and Fallback._shared(result._np, arrays) is not None:
        if is_tracked(result):
            result._view = View(arrays[0], _einsum, (), options)
        else:
            result = link_view(result._np, arrays[0], _einsum, (), options)
    if order == "A":
        order = "F" if all(x.flags.fnc or x.ndim < 2 for x in arrays) else "C"
    return result.copy(order) if order in ("C", "F") and not result.flags[order] else result


_OBJECTS = (object, "object", "O", numpy.dtype(object))


def _from_sublists(given: tuple) -> tuple[str, tuple]:
    """Turn ``einsum(a, [0, 1], b, [1, 2], [0, 2])`` into subscripts and operands."""
    terms, operands = [], []
    rest = list(given)
    while len(rest) >= 2:
        operands.append(rest.pop(0))
        terms.append(_letters(rest.pop(0)))
    written = ",".join(terms)
    return (f"{written}->{_letters(rest[0])}" if rest else written), tuple(operands)


def _letters(sublist: Any) -> str:
    if any(isinstance(i, int) and not 0 <= i < 52 for i in sublist):
        raise ValueError("subscript is not within the valid range [0, 52)")
    return "".join("..." if i is Ellipsis else string.ascii_letters[i] for i in sublist)


def _einsum_vjp(argnums: tuple, ans: Any, args: tuple, kwargs: dict) -> Any:
    def one(argnum: int, g: Any) -> Any:
        given, _, output = kwargs["subscripts"].partition("->")
        terms = given.split(",")
        x, term = args[argnum], terms[argnum]
        others = [t for i, t in enumerate(terms) if i != argnum]
        arrays = [a for i, a in enumerate(args) if i != argnum]
        unique = "".join(dict.fromkeys(term))
        known = set(output).union(*others) if others else set(output)
        # Letters that occur in this operand alone were summed: their gradient is constant.
        lonely = [c for c in unique if c not in known]
        back = "".join(c for c in unique if c not in lonely)
        part = _einsum(
            g, *arrays, subscripts=f"{','.join([output, *others])}->{back}", optimize=True
        )
        sizes = {}
        for c, n in zip(term, x.shape, strict=True):
            sizes[c] = max(n, sizes.get(c, 1))
        shape = tuple(1 if c in lonely else part.shape[back.index(c)] for c in unique)
        part = broadcast_to(
            reshape(part, shape),
            tuple(sizes[c] if c in lonely else n for c, n in zip(unique, shape, strict=True)),
        )
        if len(unique) != len(term):  # a repeated letter reads a diagonal: write one
            index = tuple(
                numpy.arange(sizes[c]).reshape([-1 if d == c else 1 for d in unique]) for c in term
            )
            return _like(scatter_add(part, index, x.shape), x)
        return _like(part, x)

    return lambda g: tuple(one(i, g) for i in argnums)


defvjp_argnums(_einsum, _einsum_vjp)


def _einsum_jvp(argnums: tuple, tangents: tuple, ans: Any, args: tuple, kwargs: dict) -> Any:
    total = None
    for i, t in zip(argnums, tangents, strict=True):
        part = _einsum(*args[:i], t, *args[i + 1 :], **kwargs)
        total = part if total is None else total + part
    return total


defjvp_argnums(_einsum, _einsum_jvp)

# --- compositions ---------------------------------------------------------------------------------


@composition("inner", arrays=2)
def inner(a: Any, b: Any) -> Any:
    """Return the inner product over the last axes, as `numpy.inner`."""
    a, b = as_ndarray(a), as_ndarray(b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    return tensordot(a, b, ([a.ndim - 1], [b.ndim - 1]))


@composition("outer", arrays=2)
def outer(a: Any, b: Any) -> Any:
    """Return the outer product of two flattened arrays, as `numpy.outer`."""
    return reshape(as_ndarray(a), (-1, 1)) * reshape(as_ndarray(b), (1, -1))


@composition("vdot", arrays=2)
def vdot(a: Any, b: Any) -> Any:
    """Return the dot product of two flattened arrays, the first conjugated, as `numpy.vdot`."""
    a = as_ndarray(a)
    if a.dtype.kind == "c":
        a = conjugate(a)
    return dot(reshape(a, (-1,)), reshape(as_ndarray(b), (-1,)))


@composition("kron", arrays=2)
def kron(a: Any, b: Any) -> Any:
    """Return the Kronecker product, as `numpy.kron`."""
    a, b = as_ndarray(a), as_ndarray(b)
    ndim = max(a.ndim, b.ndim)
    a_shape = (1,) * (ndim - a.ndim) + a.shape
    b_shape = (1,) * (ndim - b.ndim) + b.shape
    spread = reshape(a, tuple(n for s in a_shape for n in (s, 1))) * reshape(
        b, tuple(n for s in b_shape for n in (1, s))
    )
    return reshape(spread, tuple(n * m for n, m in zip(a_shape, b_shape, strict=True)))


@composition("cross", arrays=2)
def cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Any:
    """Return the cross product of vectors of length 2 or 3, as `numpy.cross`."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = moveaxis(as_ndarray(a), axisa, -1), moveaxis(as_ndarray(b), axisb, -1)
    if a.shape[-1] not in (2, 3) or b.shape[-1] not in (2, 3):
        raise ValueError("incompatible dimensions for cross product\n(dimension must be 2 or 3)")
    if a.shape[-1] == b.shape[-1] == 2:
        return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    a, b = _in_space(a), _in_space(b)
    parts = [a[..., i] * b[..., j] - a[..., j] * b[..., i] for i, j in ((1, 2), (2, 0), (0, 1))]
    return stack(parts, axis=axisc)


def _in_space(x: Any) -> Any:
    """Give vectors in the plane a third coordinate, zero."""
    return x if x.shape[-1] == 3 else pad(x, [(0, 0)] * (x.ndim - 1) + [(0, 1)])


def _full_convolution(a: Any, v: Any) -> Any:
    """Convolve by a product with the matrix whose rows are the shifts of the shorter array."""
    if a.size < v.size:
        a, v = v, a
    n, m = a.size, v.size
    padded = pad(a, (m - 1, m - 1))
    windows = padded[numpy.arange(n + m - 1)[:, None] + numpy.arange(m)]
    return dot(windows, flip(v))


_PARTS = {
    "full": lambda n, m: slice(None),
    "same": lambda n, m: slice((min(n, m) - 1) // 2, (min(n, m) - 1) // 2 + max(n, m)),
    "valid": lambda n, m: slice(min(n, m) - 1, max(n, m)),
}


@composition("convolve", arrays=2)
def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """Convolve two sequences, as `numpy.convolve`."""
    a, v = as_ndarray(a), as_ndarray(v)
    a, v = (reshape(x, (1,)) if x.ndim == 0 else x for x in (a, v))
    if a.size == 0 or v.size == 0:
        raise ValueError(f"{'a' if a.size == 0 else 'v'} cannot be empty")
    if a.ndim != 1 or v.ndim != 1:
        raise ValueError("object too deep for desired array")
    if mode not in _PARTS:
        raise ValueError(f"convolve: expected mode full, same or valid, got {mode!r}")
    return _full_convolution(a, v)[_PARTS[mode](a.size, v.size)]


@composition("correlate", arrays=2)
def correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    """Correlate two sequences, as `numpy.correlate`."""
    a, v = as_ndarray(a), conjugate(flip(as_ndarray(v)))
    if mode == "same" and a.size < v.size:
        # NumPy swaps the two and turns the result around, so the middle lies otherwise.
        return _full_convolution(a, v)[a.size // 2 : a.size // 2 + v.size]
    return convolve(a, v, mode)
