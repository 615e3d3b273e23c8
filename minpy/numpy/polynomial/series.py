"""Functions of series of polynomials, of any of NumPy's six families, with derivatives.

NumPy's own functions compute. For derivatives each is written anew, once for all families, in what
it is made of: maps that are linear in the coefficients, whose matrices NumPy tells when it is asked
for the images of unit vectors, and the values of the basis (DLMF 18.9), whose derivatives are
series of the same family.

It must not know what the polynomials of a family are.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

import numpy

from minpy.array import as_ndarray, is_tracked, ndarray, read_value
from minpy.autograd.rules import defjvp, defvjp
from minpy.errors import NoDerivativeError
from minpy.numpy.elementwise import exp, sqrt, where
from minpy.numpy.fallback import by_path, leaves, plain, reach
from minpy.numpy.function import Composition, Function
from minpy.numpy.indexing import take
from minpy.numpy.linalg import eigvals, lstsq, solve
from minpy.numpy.products import matmul, tensordot
from minpy.numpy.reductions import prod, sum
from minpy.numpy.shaping import atleast_1d, concatenate, moveaxis, ravel, reshape, stack

__all__ = ["family"]

# What a family's name is put in front of (poly: polyadd, polyval…), by how many of the first
# arguments are arrays.
_FUNCTIONS = {
    1: "mulx pow der trim fromroots roots companion weight 2poly",
    2: "add sub mul div val valfromroots fit line vander2d",
    3: "val2d grid2d vander3d int",
    4: "val3d grid3d",
}
_WEIGHTS: dict[str, Callable[[Any], Any]] = {
    "cheb": lambda x: 1.0 / (sqrt(1.0 + x) * sqrt(1.0 - x)),
    "leg": lambda x: x * 0.0 + 1.0,
    "herm": lambda x: exp(-(x**2)),
    "herme": lambda x: exp(-0.5 * x**2),
    "lag": lambda x: exp(-x),
}


def family(name: str, prefix: str) -> tuple[dict[str, Any], Callable, Callable]:
    """Return the functions of a family, and ``__getattr__`` and ``__dir__`` of its module.

    Parameters
    ----------
    name
        NumPy's name of the module: ``'chebyshev'``.
    prefix
        What its functions' names begin with: ``'cheb'``.
    """
    functions = _Family(name, prefix).functions()
    return functions, *reach(f"numpy.polynomial.{name}", list(functions))


class _OfSeries(Composition):
    """A function of series; a pickle finds it by its module."""

    def __reduce__(self) -> Any:
        return (by_path, (f"minpy.numpy.{self.name}",))


class _BasisValues(Function):
    """The values of the polynomials of a basis; a pickle finds it by its module."""

    def __reduce__(self) -> Any:
        return (by_path, (f"minpy.numpy.{self.name}",))


class _Family:
    """The functions of one family, as expressions that can be differentiated."""

    def __init__(self, name: str, prefix: str) -> None:
        self.numpy = importlib.import_module(f"numpy.polynomial.{name}")
        self.path, self.prefix = f"polynomial.{name}", prefix
        self.matrix = functools.lru_cache(maxsize=64)(self._matrix)
        self.product = functools.lru_cache(maxsize=64)(self._product)
        self.vander = self._basis_values()

    def functions(self) -> dict[str, Any]:
        """Return NumPy's names and what is called by them here."""
        made = {f"{self.prefix}vander": self.vander}
        expressions = {
            f"{self.prefix}{n}": (n, count) for count, ns in _FUNCTIONS.items() for n in ns.split()
        }
        expressions[f"poly2{self.prefix}"] = ("from_poly", 1)
        for name, (what, count) in expressions.items():
            if hasattr(self.numpy, name):
                expression = getattr(self, f"_{what}")
                kernel = getattr(self.numpy, name)
                made[name] = _OfSeries(f"{self.path}.{name}", expression, kernel, arrays=count)
                made[name].__doc__ = kernel.__doc__
        return made

    def _of_numpy(self, name: str) -> Callable[..., Any]:
        return getattr(self.numpy, f"{self.prefix}{name}")

    # --- linear maps ------------------------------------------------------------------------------

    def _matrix(self, name: str, n: int, *args: Any) -> numpy.ndarray:
        """Return the matrix of a linear function of `n` coefficients, an image a row."""
        function = getattr(self.numpy, name)
        return _rows([function(e, *args) for e in numpy.eye(n)])

    def _mapped(self, name: str, c: ndarray, *args: Any) -> ndarray:
        return matmul(c, self.matrix(name, c.shape[0], *args).astype(c.dtype))

    def _product(self, n: int, m: int) -> numpy.ndarray:
        """Return the products of the polynomials of the basis, as coefficients."""
        multiply = self._of_numpy("mul")
        rows = [multiply(a, b) for a in numpy.eye(n) for b in numpy.eye(m)]
        return _rows(rows, n + m - 1).reshape(n, m, n + m - 1)

    def _multiplied(self, a: ndarray, b: ndarray) -> ndarray:
        products = self.product(a.shape[0], b.shape[0]).astype(a.dtype)
        return matmul(b, tensordot(a, products, ((0,), (0,))))

    # --- arithmetic -------------------------------------------------------------------------------

    def _add(self, c1: Any, c2: Any) -> ndarray:
        a, b = _padded(_series(c1), _series(c2))
        return _trimmed(a + b)

    def _sub(self, c1: Any, c2: Any) -> ndarray:
        a, b = _padded(_series(c1), _series(c2))
        return _trimmed(a - b)

    def _mul(self, c1: Any, c2: Any) -> ndarray:
        return _trimmed(self._multiplied(_series(c1), _series(c2)))

    def _mulx(self, c: Any) -> ndarray:
        c = _series(c)
        if c.shape[0] == 1 and read_value(c)[0] == 0:
            return c
        return self._mapped(f"{self.prefix}mulx", c)

    def _pow(self, c: Any, pow: int, maxpower: int | None = 16) -> ndarray:
        value = read_value(as_ndarray(c))
        self._of_numpy("pow")(value, pow, *([] if maxpower is None else [maxpower]))  # its errors
        c = made = _series(c)
        if not pow:
            return made[:1] * 0 + 1
        for _ in range(int(pow) - 1):
            made = self._multiplied(made, c)
        return made

    def _div(self, c1: Any, c2: Any) -> tuple[ndarray, ndarray]:
        a, b = _series(c1), _series(c2)
        if read_value(b)[-1] == 0:
            raise ZeroDivisionError()
        count = a.shape[0] - b.shape[0] + 1
        if count < 1:
            return a[:1] * 0, a
        low = b.shape[0] - 1
        # The quotient's products with the divisor have the high coefficients of the dividend.
        products = self.product(count, b.shape[0]).astype(a.dtype)
        spread = tensordot(products, b, ((1,), (0,)))
        quotient = solve(spread[:, low:].T, a[low:])
        if not low:
            return quotient, a[:1] * 0
        return quotient, _trimmed(a[:low] - matmul(quotient, spread)[:low])

    def _trim(self, c: Any, tol: float = 0) -> ndarray:
        c = atleast_1d(as_ndarray(c))
        kept = self._of_numpy("trim")(read_value(c), plain(tol))
        empty = len(kept) == 1 and numpy.all(numpy.abs(read_value(c)) <= plain(tol))
        return c[:1] * 0 if empty else c[: len(kept)]

    def _line(self, off: Any, scl: Any) -> ndarray:
        line = self._of_numpy("line")
        if not read_value(as_ndarray(scl)):
            return reshape(as_ndarray(off), (1,))
        rows = _rows([line(1.0, 0.0), line(0.0, 1.0)], 2)
        both = stack([as_ndarray(off), as_ndarray(scl)])
        return matmul(both, rows.astype(both.dtype))

    def _2poly(self, c: Any) -> ndarray:
        return self._mapped(f"{self.prefix}2poly", _series(c))

    def _from_poly(self, pol: Any) -> ndarray:
        return self._mapped(f"poly2{self.prefix}", _series(pol))

    # --- calculus ---------------------------------------------------------------------------------

    def _der(self, c: Any, m: int = 1, scl: Any = 1, axis: int = 0) -> ndarray:
        _refuse(self.path, "der", scl=scl)
        return self._along(self._of_numpy("der"), c, axis, m, plain(scl))

    def _int(
        self, c: Any, m: int = 1, k: Any = (), lbnd: Any = 0, scl: Any = 1, axis: int = 0
    ) -> ndarray:
        _refuse(self.path, "int", lbnd=lbnd, scl=scl)
        integral, lbnd, scl = self._of_numpy("int"), plain(lbnd), plain(scl)
        made = self._along(integral, c, axis, m, [], lbnd, scl)
        constants = k if isinstance(k, list | tuple) or numpy.ndim(_value(k)) else [k]
        for i, constant in enumerate(constants):
            of_one = [0.0] * i + [1.0]
            zeros = numpy.zeros(as_ndarray(c).shape[axis])
            image = _rows([integral(zeros, m, of_one, lbnd, scl)], made.shape[axis])[0]
            shape = [-1 if a == axis % made.ndim else 1 for a in range(made.ndim)]
            made = made + as_ndarray(constant) * image.reshape(shape).astype(made.dtype)
        return made

    def _along(self, function: Callable[..., Any], c: Any, axis: int, *args: Any) -> ndarray:
        """Apply a linear function along an axis, to coefficients that aren't trimmed."""
        c = atleast_1d(as_ndarray(c))
        images = function(numpy.eye(c.shape[axis]), *args, axis=0).astype(c.dtype)
        return moveaxis(tensordot(images, c, ((1,), (axis,))), 0, axis)

    # --- values -----------------------------------------------------------------------------------

    def _basis_values(self) -> Function:
        name = f"{self.prefix}vander"
        kernel = getattr(self.numpy, name)
        vander = _BasisValues(f"{self.path}.{name}", kernel, arrays=1)

        def slopes(x: Any, deg: int) -> ndarray:
            derived = self._of_numpy("der")(numpy.eye(deg + 1), axis=0)
            return matmul(vander(x, deg)[..., : len(derived)], derived.astype(x.dtype))

        def vjp(ans: Any, x: ndarray, deg: int) -> Callable[[Any], Any]:
            return lambda g: reshape(sum(g * slopes(x, deg), -1), x.shape)

        def jvp(t: Any, ans: Any, x: ndarray, deg: int) -> Any:
            return atleast_1d(t)[..., None] * slopes(x, deg)

        defvjp(vander, vjp)
        defjvp(vander, jvp)
        return vander

    def _val(self, x: Any, c: Any, tensor: bool = True) -> ndarray:
        x, c = as_ndarray(x), atleast_1d(as_ndarray(c))
        degree = c.shape[0] - 1
        values = reshape(self.vander(ravel(x), degree), (*x.shape, degree + 1))
        if tensor:
            return tensordot(c, values, ((0,), (values.ndim - 1,)))
        terms = [c[i] * values[..., i] for i in range(degree + 1)]
        return functools.reduce(lambda a, b: a + b, terms)

    def _val2d(self, x: Any, y: Any, c: Any) -> ndarray:
        return self._at(c, x, y)

    def _val3d(self, x: Any, y: Any, z: Any, c: Any) -> ndarray:
        return self._at(c, x, y, z)

    def _at(self, c: Any, *points: Any) -> ndarray:
        first, *rest = [as_ndarray(x) for x in points]
        if any(x.shape != first.shape for x in rest):
            raise ValueError("x, y, z are incompatible" if rest[1:] else "x, y are incompatible")
        made = self._val(first, c)
        for x in rest:
            made = self._val(x, made, tensor=False)
        return made

    def _grid2d(self, x: Any, y: Any, c: Any) -> ndarray:
        return self._val(y, self._val(x, c))

    def _grid3d(self, x: Any, y: Any, z: Any, c: Any) -> ndarray:
        return self._val(z, self._val(y, self._val(x, c)))

    def _vander2d(self, x: Any, y: Any, deg: Any) -> ndarray:
        return self._products_at(deg, x, y)

    def _vander3d(self, x: Any, y: Any, z: Any, deg: Any) -> ndarray:
        return self._products_at(deg, x, y, z)

    def _products_at(self, deg: Any, *points: Any) -> ndarray:
        each = [self.vander(x, int(d)) for x, d in zip(points, plain(deg), strict=True)]
        made = each[0]
        for values in each[1:]:
            made = made[..., :, None] * values[..., None, :]
            made = reshape(made, (*made.shape[:-2], -1))
        return made

    def _valfromroots(self, x: Any, r: Any, tensor: bool = True) -> ndarray:
        x, r = as_ndarray(x), atleast_1d(as_ndarray(r))
        if tensor:
            r = reshape(r, r.shape + (1,) * x.ndim)
        elif x.ndim >= r.ndim:
            raise ValueError("x.ndim must be < r.ndim when tensor == False")
        return prod(x - r, axis=0)

    # --- roots and fits ---------------------------------------------------------------------------

    def _fromroots(self, roots: Any) -> ndarray:
        roots = atleast_1d(as_ndarray(roots))
        made = as_ndarray(numpy.ones(1, roots.dtype))
        one = numpy.ones((), roots.dtype)
        for i in range(roots.shape[0]):
            made = self._multiplied(made, self._line(-roots[i], one))
        return made

    def _companion(self, c: Any) -> ndarray:
        c = _series(c)
        n = c.shape[0] - 1
        companion = self._of_numpy("companion")
        last = numpy.eye(n + 1)[-1] if n else numpy.ones(1)
        constant = companion(last)  # or its error
        changes = [companion(e + last) - constant for e in numpy.eye(n + 1)[:-1]]
        ratios = c[:-1] / c[-1]
        changed = tensordot(ratios, numpy.stack(changes).astype(ratios.dtype), ((0,), (0,)))
        return changed + constant.astype(ratios.dtype)

    def _roots(self, c: Any) -> ndarray:
        c = _series(c)
        if c.shape[0] < 2:
            return c[:0]
        found = eigvals(self._companion(c)[::-1, ::-1])
        return take(found, numpy.argsort(read_value(found), kind="stable"))

    def _fit(
        self,
        x: Any,
        y: Any,
        deg: Any,
        rcond: float | None = None,
        full: bool = False,
        w: Any = None,
    ) -> ndarray:
        if full:
            raise NoDerivativeError(
                f"{self.path}.{self.prefix}fit: no derivative with full=True; leave it out"
            )
        x, y = as_ndarray(x), as_ndarray(y)
        given = None if w is None else plain(w)
        self._of_numpy("fit")(read_value(x), read_value(y), plain(deg), rcond, False, given)
        degrees = numpy.asarray(plain(deg))
        values = self.vander(x, int(degrees.max()))
        if degrees.ndim:
            values = values[:, numpy.sort(degrees)]
        if w is not None:
            weights = as_ndarray(w)
            values, y = values * weights[:, None], (y.T * weights).T
        lengths = sqrt(sum(values * values, 0))
        lengths = where(lengths == 0, 1.0, lengths)
        rcond = x.shape[0] * float(numpy.finfo(x.dtype).eps) if rcond is None else rcond
        found = (lstsq(values / lengths, y, rcond)[0].T / lengths).T
        if not degrees.ndim:
            return found
        spread = numpy.eye(int(degrees.max()) + 1)[:, numpy.sort(degrees)]
        return tensordot(spread.astype(found.dtype), found, ((1,), (0,)))

    def _weight(self, x: Any) -> ndarray:
        return _WEIGHTS[self.prefix](as_ndarray(x))


# --- coefficients ---------------------------------------------------------------------------------


def _series(c: Any) -> ndarray:
    """Return the coefficients of a series, without zeros at the end."""
    c = atleast_1d(as_ndarray(c))
    if c.ndim != 1:
        raise ValueError("Coefficient array is not 1-d")
    if not c.size:
        raise ValueError("Coefficient array is empty")
    return _trimmed(c)


def _trimmed(c: ndarray) -> ndarray:
    places = numpy.flatnonzero(read_value(c))
    return c[: int(places[-1]) + 1] if len(places) else c[:1]


def _padded(a: ndarray, b: ndarray) -> list[ndarray]:
    """Return two series with as many coefficients each."""
    longest = max(a.shape[0], b.shape[0])
    return [
        c if c.shape[0] == longest else concatenate([c, numpy.zeros(longest - c.shape[0], c.dtype)])
        for c in (a, b)
    ]


def _rows(vectors: list[Any], width: int = 0) -> numpy.ndarray:
    """Return vectors of different lengths as the rows of a matrix."""
    width = max(width, *[len(v) for v in vectors])
    return numpy.stack([numpy.pad(v, (0, width - len(v))) for v in vectors])


def _value(a: Any) -> Any:
    return read_value(a) if type(a) is ndarray else a


def _refuse(path: str, name: str, **constants: Any) -> None:
    for parameter, value in constants.items():
        if any(type(v) is ndarray and is_tracked(v) for v in leaves(value)):
            raise NoDerivativeError(
                f"{path}: no derivative in the parameter {parameter!r} of {name}; pass "
                f"{parameter}.asnumpy() if it is meant to be a constant"
            )
