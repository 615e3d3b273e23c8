"""Products: dot, matmul, tensordot, einsum, inner, outer; knows nothing of reductions' rules."""

from __future__ import annotations

import string
from typing import Any

import numpy

from minpy.array import as_ndarray, ndarray
from minpy.autograd.rules import def_linear, defjvp_argnums, defvjp, defvjp_argnums
from minpy.numpy.broadcasting import unbroadcast
from minpy.primitives import Primitive, registry

__all__ = ["dot", "einsum", "inner", "kron", "matmul", "outer", "tensordot", "vdot"]


def _swap(x: Any) -> Any:
    """Transpose the last two axes."""
    return registry["swapaxes"](x, -1, -2)


def _like(g: Any, x: ndarray) -> Any:
    """Give a gradient the shape and dtype of its argument."""
    return unbroadcast(g, x.shape, x.dtype)


# --- matmul ---------------------------------------------------------------------------------------


def _mx_matmul(F: Any, x: Any, y: Any, **kwargs: Any) -> Any:
    return F("_npi_matmul", x, y)


matmul = Primitive("matmul", numpy.matmul, arrays=2, mxnet=_mx_matmul)


def _matmul_vjp_x(ans: Any, x: ndarray, y: Any, **kw: Any) -> Any:
    y_ndim = y.ndim

    def vjp(g: Any) -> Any:
        if x.ndim == 1 and y_ndim == 1:
            return _like(g * y, x)
        if y_ndim == 1:
            return _like(registry["expand_dims"](g, -1) * y, x)
        if x.ndim == 1:
            return _like(matmul(registry["expand_dims"](g, -2), _swap(y))[..., 0, :], x)
        return _like(matmul(g, _swap(y)), x)

    return vjp


def _matmul_vjp_y(ans: Any, x: Any, y: ndarray, **kw: Any) -> Any:
    x_ndim = x.ndim

    def vjp(g: Any) -> Any:
        if x_ndim == 1 and y.ndim == 1:
            return _like(g * x, y)
        if x_ndim == 1:
            return _like(registry["expand_dims"](g, -2) * registry["expand_dims"](x, -1), y)
        if y.ndim == 1:
            return _like(matmul(_swap(x), registry["expand_dims"](g, -1))[..., 0], y)
        return _like(matmul(_swap(x), g), y)

    return vjp


defvjp(matmul, _matmul_vjp_x, _matmul_vjp_y)
def_linear(matmul, 0, 1)

# --- dot ------------------------------------------------------------------------------------------


def _mx_dot(F: Any, x: Any, y: Any) -> Any:
    return F("_np_dot", x, y)


dot = Primitive("dot", numpy.dot, arrays=2, mxnet=_mx_dot)


def _dot_vjp_x(ans: Any, x: ndarray, y: Any) -> Any:
    y_ndim = numpy.ndim(y) if not isinstance(y, ndarray) else y.ndim

    def vjp(g: Any) -> Any:
        if x.ndim == 0:
            return _like(registry["sum"](g * y), x)
        if y_ndim == 0:
            return _like(g * y, x)
        if y_ndim == 1:
            return _like(registry["expand_dims"](g, -1) * y, x)
        if x.ndim <= 2 and y_ndim == 2:
            return _like(dot(g, registry["transpose"](y)), x)
        # Sum over all of y's axes but the contracted one.
        y_axes = [i for i in range(y_ndim) if i != y_ndim - 2]
        g_axes = list(range(x.ndim - 1, x.ndim - 1 + len(y_axes)))
        return _like(tensordot(g, y, (g_axes, y_axes)), x)

    return vjp


def _dot_vjp_y(ans: Any, x: Any, y: ndarray) -> Any:
    x_ndim = numpy.ndim(x) if not isinstance(x, ndarray) else x.ndim

    def vjp(g: Any) -> Any:
        if y.ndim == 0:
            return _like(registry["sum"](g * x), y)
        if x_ndim == 0:
            return _like(g * x, y)
        if x_ndim == 1 and y.ndim == 1:
            return _like(g * x, y)
        if x_ndim == 2 and y.ndim <= 2:
            return _like(dot(registry["transpose"](x), g), y)
        x_axes = list(range(x_ndim - 1))
        spread = tensordot(x, g, (x_axes, x_axes))  # contracted axis first, then y's others
        return _like(registry["moveaxis"](spread, 0, y.ndim - 2) if y.ndim > 1 else spread, y)

    return vjp


defvjp(dot, _dot_vjp_x, _dot_vjp_y)
def_linear(dot, 0, 1)

# --- tensordot ------------------------------------------------------------------------------------


def _mx_tensordot(F: Any, x: Any, y: Any, axes: Any = 2) -> Any:
    if isinstance(axes, int):
        return F("_npi_tensordot_int_axes", x, y, axes=axes)
    a, b = (tuple(v) if isinstance(v, list | tuple) else (v,) for v in axes)
    return F("_npi_tensordot", x, y, a_axes_summed=a, b_axes_summed=b)


tensordot = Primitive("tensordot", numpy.tensordot, arrays=2, mxnet=_mx_tensordot)


def _contracted(axes: Any, x_ndim: int, y_ndim: int) -> tuple[list[int], list[int]]:
    if isinstance(axes, int | numpy.integer):
        return list(range(x_ndim - axes, x_ndim)), list(range(axes))
    a, b = (list(v) if isinstance(v, list | tuple) else [v] for v in axes)
    return [i % x_ndim for i in a], [i % y_ndim for i in b]


def _ndim(x: Any) -> int:
    return x.ndim if isinstance(x, ndarray) else numpy.ndim(x)


def _tensordot_vjp_x(ans: Any, x: ndarray, y: Any, axes: Any = 2) -> Any:
    y_ndim = _ndim(y)
    a, b = _contracted(axes, x.ndim, y_ndim)

    def vjp(g: Any) -> Any:
        kept = [i for i in range(x.ndim) if i not in a]
        rest = [i for i in range(y_ndim) if i not in b]
        spread = tensordot(g, y, (list(range(len(kept), len(kept) + len(rest))), rest))
        # Its axes: x's kept ones, then y's contracted ones in y's own order.
        source = kept + [a[b.index(i)] for i in sorted(b)]
        return _like(registry["transpose"](spread, tuple(numpy.argsort(source))), x)

    return vjp


def _tensordot_vjp_y(ans: Any, x: Any, y: ndarray, axes: Any = 2) -> Any:
    x_ndim = _ndim(x)
    a, b = _contracted(axes, x_ndim, y.ndim)

    def vjp(g: Any) -> Any:
        kept = [i for i in range(x_ndim) if i not in a]
        rest = [i for i in range(y.ndim) if i not in b]
        spread = tensordot(x, g, (kept, list(range(len(kept)))))
        # Its axes: x's contracted ones in x's own order, then y's kept ones.
        source = [b[a.index(i)] for i in sorted(a)] + rest
        return _like(registry["transpose"](spread, tuple(numpy.argsort(source))), y)

    return vjp


defvjp(tensordot, _tensordot_vjp_x, _tensordot_vjp_y)
def_linear(tensordot, 0, 1)

# --- einsum ---------------------------------------------------------------------------------------


def _einsum_kernel(*operands: Any, subscripts: str, optimize: Any = False) -> numpy.ndarray:
    return numpy.einsum(subscripts, *operands, optimize=optimize)


def _mx_einsum(F: Any, *operands: Any, subscripts: str, optimize: Any = False) -> Any:
    return F(
        "_npi_einsum",
        *operands,
        subscripts=subscripts,
        optimize=int(bool(optimize)),
        num_args=len(operands),
    )


_einsum = Primitive("einsum", _einsum_kernel, mxnet=_mx_einsum)


def _explicit(subscripts: str, ndims: list[int]) -> str:
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


def einsum(subscripts: Any, *operands: Any, optimize: Any = False, **kwargs: Any) -> Any:
    """Evaluate Einstein's summation convention on the operands, as `numpy.einsum`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> np.einsum('ij,j->i', np.array([[1., 2.], [3., 4.]]), np.array([1., 1.]))
    array([3., 7.])
    """
    out, dtype = kwargs.pop("out", None), kwargs.pop("dtype", None)
    if not isinstance(subscripts, str):
        subscripts, operands = _from_sublists((subscripts, *operands))
    arrays = [as_ndarray(x) for x in operands]
    written = _explicit(subscripts, [x.ndim for x in arrays])
    if dtype is not None:
        arrays = [x.astype(dtype) for x in arrays]
    result = _einsum(*arrays, subscripts=written, optimize=optimize, **kwargs)
    if out is not None:
        from minpy.inplace import overwrite

        return overwrite(out, result)
    return result


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
    return "".join("..." if i is Ellipsis else string.ascii_letters[i] for i in sublist)


def _einsum_vjp(argnums: tuple, ans: Any, args: tuple, kwargs: dict) -> Any:
    given, _, output = kwargs["subscripts"].partition("->")
    terms = given.split(",")

    def one(argnum: int, g: Any) -> Any:
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
        part = registry["broadcast_to"](
            registry["reshape"](part, shape),
            tuple(sizes[c] if c in lonely else n for c, n in zip(unique, shape, strict=True)),
        )
        if len(unique) != len(term):  # a repeated letter reads a diagonal: write one
            index = tuple(
                numpy.arange(sizes[c]).reshape([-1 if d == c else 1 for d in unique]) for c in term
            )
            return _like(registry["scatter_add"](part, index, x.shape), x)
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


def inner(a: Any, b: Any) -> Any:
    """Return the inner product over the last axes, as `numpy.inner`."""
    a, b = as_ndarray(a), as_ndarray(b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    return tensordot(a, b, ([a.ndim - 1], [b.ndim - 1]))


def outer(a: Any, b: Any) -> Any:
    """Return the outer product of two flattened arrays, as `numpy.outer`."""
    reshape = registry["reshape"]
    return reshape(as_ndarray(a), (-1, 1)) * reshape(as_ndarray(b), (1, -1))


def vdot(a: Any, b: Any) -> Any:
    """Return the dot product of two flattened arrays, the first conjugated, as `numpy.vdot`."""
    a = as_ndarray(a)
    if a.dtype.kind == "c":
        a = registry["conjugate"](a)
    return dot(registry["reshape"](a, (-1,)), registry["reshape"](as_ndarray(b), (-1,)))


def kron(a: Any, b: Any) -> Any:
    """Return the Kronecker product, as `numpy.kron`."""
    a, b = as_ndarray(a), as_ndarray(b)
    ndim = max(a.ndim, b.ndim)
    a_shape = (1,) * (ndim - a.ndim) + a.shape
    b_shape = (1,) * (ndim - b.ndim) + b.shape
    reshape = registry["reshape"]
    spread = reshape(a, tuple(n for s in a_shape for n in (s, 1))) * reshape(
        b, tuple(n for s in b_shape for n in (1, s))
    )
    return reshape(spread, tuple(n * m for n, m in zip(a_shape, b_shape, strict=True)))
