"""``numpy.random`` for minpy arrays: NumPy's generators, whose draws are minpy arrays.

The numbers are NumPy's, bit for bit, rounded to the default float dtype; they lie on the current
context. The functions of this module draw from NumPy's own global state, which `seed` sets.

It must not know of `minpy.random`, which seeds initial values, dropout and shuffling.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy

from minpy.array import as_ndarray, is_captured, is_tracked, ndarray, read_value
from minpy.config import settings
from minpy.context import current_context
from minpy.errors import NoDerivativeError
from minpy.inplace import assign, is_free, overwrite
from minpy.numpy.fallback import arrays_in, operands, plain, reach, wrapped
from minpy.numpy.signatures import signature_of

_DRAWS = """
    beta binomial bytes chisquare choice dirichlet exponential f gamma geometric gumbel
    hypergeometric laplace logistic lognormal logseries multinomial multivariate_normal
    negative_binomial noncentral_chisquare noncentral_f normal pareto permutation poisson power
    rand randint randn random random_integers random_sample rayleigh standard_cauchy
    standard_exponential standard_gamma standard_normal standard_t triangular uniform vonmises wald
    weibull zipf
"""
_CLASSES = ["BitGenerator", "MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64", "SeedSequence"]
_STATE = ["get_state", "seed", "set_state"]

__all__ = [
    *_CLASSES,
    *_DRAWS.split(),
    *_STATE,
    "Generator",
    "RandomState",
    "default_rng",
    "ranf",
    "sample",
    "shuffle",
]


class _Draw:
    """One of NumPy's draws, of minpy arrays.

    Parameters
    ----------
    draw
        NumPy's.
    home
        Where it is an attribute by its name, for a pickle: a generator, or None for this module.
    """

    def __init__(self, draw: Callable[..., Any], home: Any = None) -> None:
        self._draw, self._home = draw, home
        self.__name__ = self.__qualname__ = name = draw.__name__
        self.__doc__ = f"Draw as NumPy's ``{name}``, a minpy array.\n\n{inspect.getdoc(draw)}"
        self.__module__ = "numpy.random"  # where the examples of the text are from

    def __repr__(self) -> str:
        return f"<draw {self.__name__}>"

    def __reduce__(self) -> tuple:
        return (_draw_of, (self._home, self.__name__))

    @property
    def __signature__(self) -> inspect.Signature:
        return signature_of(self._draw)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if any(is_tracked(a) for a in arrays_in((args, kwargs))):
            raise NoDerivativeError(
                f"random.{self.__name__}: a draw has no derivative with respect to the parameters "
                "of its distribution; draw standard numbers and transform them (mean + deviation * "
                "draw), or take x.asnumpy() of the parameters"
            )
        out = kwargs.pop("out", None)
        if out is not None:
            return self._into(out, plain(args), plain(kwargs))
        result = self._draw(*plain(args), **plain(kwargs))
        return wrapped(result, current_context(), operands(args, kwargs))

    def _into(self, out: Any, args: tuple, kwargs: dict) -> Any:
        """Draw into an array."""
        if settings.narrows and "dtype" in self.__signature__.parameters:
            kwargs = {"dtype": out.dtype, **kwargs}
        if type(out) is not ndarray or is_free(out):
            self._draw(*args, **kwargs, out=plain(out))  # NumPy knows which it takes
            return out
        fresh = numpy.empty(out.shape, out.dtype)
        self._draw(*args, **kwargs, out=fresh)
        return overwrite(out, as_ndarray(fresh))

    def __eq__(self, other: Any) -> bool:
        return type(other) is _Draw and self._draw == other._draw

    def __hash__(self) -> int:
        return hash(self._draw)


def _draw_of(home: Any, name: str) -> Any:
    return globals()[name] if home is None else getattr(home, name)


def _shuffle(draw: Callable[..., None], x: Any, **kwargs: Any) -> None:
    """Put the elements of the first axis in random order, in place."""
    if type(x) is not ndarray:
        draw(x, **kwargs)
    elif is_tracked(x) or is_captured(x):
        axis = kwargs.get("axis", 0) % x.ndim
        order = numpy.arange(x.shape[axis])
        draw(order)  # uses the same random numbers as for the array itself
        assign(x, Ellipsis, x[(*[slice(None)] * axis, order)])
    else:
        shuffled = read_value(x).copy()
        draw(shuffled, **kwargs)
        overwrite(x, as_ndarray(shuffled))


class _Wrapped:
    """One of NumPy's generators, with draws that are minpy arrays."""

    _generator: Any

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_generator":
            raise AttributeError(name)
        value = getattr(self._generator, name)
        return _Draw(value, self) if callable(value) else value

    def __dir__(self) -> list[str]:
        return [name for name in dir(self._generator) if not name.startswith("_")]

    def __repr__(self) -> str:
        return f"minpy {self._generator!r}"

    def __reduce__(self) -> tuple:
        return (_rebuild, (type(self), self._generator))


def _rebuild(kind: type, generator: Any) -> Any:
    made = kind.__new__(kind)
    made._generator = generator
    return made


class Generator(_Wrapped):
    """As `numpy.random.Generator`; draws are minpy arrays on the current context.

    Parameters
    ----------
    bit_generator
        One of NumPy's bit generators, or a `numpy.random.Generator` to share.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> rng = np.random.default_rng(0)
    >>> rng.standard_normal(3).dtype
    dtype('float32')
    """

    def __init__(self, bit_generator: Any) -> None:
        given = bit_generator
        own = isinstance(given, numpy.random.Generator)
        self._generator = given if own else numpy.random.Generator(given)

    def shuffle(self, x: Any, axis: int = 0) -> None:
        """Put the parts along an axis in random order, in place."""
        _shuffle(self._generator.shuffle, x, axis=axis)

    def spawn(self, n_children: int) -> list[Generator]:
        """Return new generators, independent of this one and of each other."""
        return [Generator(child) for child in self._generator.spawn(n_children)]


class RandomState(_Wrapped):
    """As `numpy.random.RandomState`; draws are minpy arrays on the current context.

    Parameters
    ----------
    seed
        Whatever NumPy takes as one.
    """

    def __init__(self, seed: Any = None) -> None:
        self._generator = numpy.random.RandomState(_seed(seed))

    def shuffle(self, x: Any) -> None:
        """Put the parts along the first axis in random order, in place."""
        _shuffle(self._generator.shuffle, x)

    def seed(self, seed: Any = None) -> None:
        """Start over from a seed."""
        self._generator.seed(_seed(seed))


def default_rng(seed: Any = None) -> Generator:
    """Return a new generator, as `numpy.random.default_rng`."""
    if isinstance(seed, Generator):
        return seed
    return Generator(numpy.random.default_rng(_seed(seed)))


def _seeded(kind: type) -> type:
    """Return a class of NumPy's whose seeds may be minpy arrays."""

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        kind.__init__(self, *map(_seed, args), **{k: _seed(v) for k, v in kwargs.items()})

    doc = f"As `numpy.random.{kind.__name__}`; the seed may be a minpy array."
    own = {"__init__": __init__, "__doc__": doc, "__module__": __name__}
    return _Seeded(kind.__name__, (kind,), own)


class _Seeded(type):
    """The class of those classes: what is of NumPy's class counts as of ours."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, cls.__base__)


def _seed(value: Any) -> Any:
    """Return a seed as NumPy takes it: an array without axes is a number."""
    value = plain(value)
    return value.item() if isinstance(value, numpy.ndarray) and not value.ndim else value


BitGenerator = numpy.random.BitGenerator
for _name in _STATE:
    globals()[_name] = getattr(numpy.random, _name)
for _name in _CLASSES[1:]:
    globals()[_name] = _seeded(getattr(numpy.random, _name))
for _name in _DRAWS.split():
    globals()[_name] = _Draw(getattr(numpy.random, _name))
ranf = sample = globals()["random_sample"]


def shuffle(x: Any) -> None:
    """Put the parts along the first axis in random order, in place, as `numpy.random.shuffle`."""
    _shuffle(numpy.random.shuffle, x)


__getattr__, __dir__ = reach("numpy.random", __all__)
