"""Draws from distributions with Keras' names and arguments, by the streams of `minpy.random`.

They are found as ``minpy.random.gamma`` and so on. Knows no layer or model.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from minpy.array import as_ndarray, ndarray, numpy_value
from minpy.config import settings
from minpy.errors import ShapeError
from minpy.random import StepSeed, _draw, new_seed

__all__ = [
    "SeedGenerator",
    "beta",
    "binomial",
    "categorical",
    "dropout",
    "gamma",
    "randint",
    "shuffle",
    "truncated_normal",
]


class SeedGenerator(StepSeed):
    """A seed that draws other numbers each time it is used, for ``seed=`` of a function or layer.

    Parameters
    ----------
    seed
        An integer from 0; one from `minpy.random` if not given.
    name
        Kept for Keras' sake.

    Examples
    --------
    >>> from minpy import random
    >>> made = random.SeedGenerator(1)
    >>> first, second = (random.normal((2,), seed=made) for _ in range(2))
    >>> bool((first == second).any())
    False
    """

    # One seed, told apart by how often it was used: see `StepSeed`.
    def __new__(cls, seed: int | None = None, name: str | None = None) -> StepSeed:
        """Return a `StepSeed`: what it draws in a model's step is a function of the step."""
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or seed < 0):
            raise ValueError(f"SeedGenerator: expected an integer from 0, got {seed!r}")
        return StepSeed(new_seed() if seed is None else seed)


def truncated_normal(
    shape: tuple[int, ...],
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: Any = None,
    seed: int | None = None,
) -> ndarray:
    """Draw from a normal distribution, again what is more than two deviations from the mean.

    Parameters
    ----------
    shape
        Of the result.
    mean, stddev
        Of the distribution that is cut.
    dtype
        Float dtype; the default one if not given.
    seed
        As in `minpy.random.uniform`.

    Examples
    --------
    >>> from minpy import random
    >>> bool((abs(random.truncated_normal((100,), stddev=3.0)) <= 6).all())
    True
    """
    from minpy.initializers.random_values import truncated_normal as standard

    wanted = _float(dtype)

    def make(rng: numpy.random.Generator) -> numpy.ndarray:
        return standard(rng, _shape(shape), numpy.float64) * stddev + mean

    return _drawn(make, wanted, seed)


def gamma(shape: tuple[int, ...], alpha: Any, dtype: Any = None, seed: int | None = None) -> Any:
    """Draw from gamma distributions of scale 1.

    Parameters
    ----------
    shape
        Of the result.
    alpha
        Shape parameter, above 0; a number or an array that broadcasts to `shape`.
    dtype, seed
        As of `truncated_normal`.
    """
    a = _parameter(alpha, "gamma", "alpha", shape)
    return _drawn(lambda rng: rng.standard_gamma(a, _shape(shape)), _float(dtype), seed)


def beta(
    shape: tuple[int, ...], alpha: Any, beta: Any, dtype: Any = None, seed: int | None = None
) -> ndarray:
    """Draw from beta distributions.

    Parameters
    ----------
    shape
        Of the result.
    alpha, beta
        Their parameters, above 0; numbers or arrays that broadcast to `shape`.
    dtype, seed
        As of `truncated_normal`.
    """
    a, b = (_parameter(p, "beta", n, shape) for n, p in (("alpha", alpha), ("beta", beta)))
    return _drawn(lambda rng: rng.beta(a, b, _shape(shape)), _float(dtype), seed)


def binomial(
    shape: tuple[int, ...],
    counts: Any,
    probabilities: Any,
    dtype: Any = None,
    seed: int | None = None,
) -> ndarray:
    """Draw how many of `counts` trials succeed.

    Parameters
    ----------
    shape
        Of the result.
    counts
        How many trials, from 0; a number or an array that broadcasts to `shape`.
    probabilities
        Of success, from 0 to 1; as `counts`.
    dtype, seed
        As of `truncated_normal`.
    """
    n = numpy.asarray(_plain(counts)).astype(numpy.int64)
    p = numpy.asarray(_plain(probabilities), numpy.float64)
    if n.min(initial=0) < 0 or not ((p >= 0) & (p <= 1)).all():
        raise ValueError("binomial: expected counts from 0 and probabilities from 0 to 1")
    return _drawn(lambda rng: rng.binomial(n, p, _shape(shape)), _float(dtype), seed)


def randint(
    shape: tuple[int, ...],
    minval: int,
    maxval: int,
    dtype: Any = "int32",
    seed: int | None = None,
) -> ndarray:
    """Draw integers from `minval` to below `maxval`, each as likely.

    Examples
    --------
    >>> from minpy import random
    >>> sorted(set(random.randint((100,), 3, 5).tolist()))
    [3, 4]
    """
    low, high = int(minval), int(maxval)
    if not low < high:
        raise ValueError(f"randint: expected minval < maxval, got {minval} and {maxval}")
    wanted = numpy.dtype(dtype)
    if wanted.kind not in "iu":
        raise ValueError(f"randint: expected an integer dtype, got {wanted}")
    return _drawn(lambda rng: rng.integers(low, high, _shape(shape)), wanted, seed)


def categorical(
    logits: Any, num_samples: int, dtype: Any = "int32", seed: int | None = None
) -> ndarray:
    """Draw classes, with the probabilities that ``softmax(logits)`` gives.

    Parameters
    ----------
    logits
        Of shape (batch, classes).
    num_samples
        How many to draw for each row.
    dtype, seed
        Of the numbers of classes; as in `minpy.random.uniform`.

    Returns
    -------
    ndarray
        Of shape (batch, num_samples).

    Examples
    --------
    >>> from minpy import random
    >>> random.categorical([[0.0, 100.0], [100.0, 0.0]], 3)
    array([[1, 1, 1],
           [0, 0, 0]], dtype=int32)
    """
    given = numpy.asarray(_plain(logits), numpy.float64)
    if given.ndim != 2 or not given.shape[1]:
        raise ShapeError(f"categorical: expected logits (batch, classes), got {given.shape}")
    weights = numpy.exp(given - given.max(1, keepdims=True))
    ends = numpy.cumsum(weights, 1)
    ends /= ends[:, -1:]

    def make(rng: numpy.random.Generator) -> numpy.ndarray:
        drawn = rng.random((len(given), int(num_samples)))
        rows = [numpy.searchsorted(e, d, "right") for e, d in zip(ends, drawn, strict=True)]
        return numpy.array(rows, numpy.int64).reshape(drawn.shape)

    return _drawn(make, numpy.dtype(dtype), seed)


def shuffle(x: Any, axis: int = 0, seed: int | None = None) -> ndarray:
    """Return an array whose parts along an axis are in another order.

    Examples
    --------
    >>> from minpy import random
    >>> sorted(random.shuffle([1, 2, 3]).tolist())
    [1, 2, 3]
    """
    x = as_ndarray(x)
    order = _draw(lambda rng: rng.permutation(x.shape[axis]), seed, None)
    from minpy.numpy.indexing import take

    return take(x, order, axis=axis)


def dropout(inputs: Any, rate: float, noise_shape: Any = None, seed: int | None = None) -> ndarray:
    """Return an array with a part of its elements set to zero, the others scaled up for it.

    Parameters
    ----------
    inputs
        Of any shape.
    rate
        The part, from 0 to 1.
    noise_shape
        Shape of the mask, where elements along an axis of length 1 go together.
    seed
        As in `minpy.random.uniform`.
    """
    from minpy.random import uniform

    if not 0 <= rate <= 1:
        raise ValueError(f"dropout: expected a rate from 0 to 1, got {rate!r}")
    x = as_ndarray(inputs)
    if rate in (0, 1):
        return x * (1.0 - rate)
    shape = x.shape if noise_shape is None else noise_shape
    shape = tuple(n if m is None else m for m, n in zip(shape, x.shape, strict=True))
    kept = uniform(shape, dtype=x.dtype, seed=seed) >= rate
    return x * kept.astype(x.dtype) / (1.0 - rate)


# --- what they share ------------------------------------------------------------------------------


def _drawn(
    make: Callable[[numpy.random.Generator], numpy.ndarray], dtype: numpy.dtype, seed: int | None
) -> ndarray:
    return _draw(lambda rng: numpy.asarray(make(rng)).astype(dtype, copy=False), seed, None)


def _shape(shape: Any) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else tuple(int(n) for n in shape)


def _float(dtype: Any) -> numpy.dtype:
    return settings.float_dtype if dtype is None else numpy.dtype(dtype)


def _plain(x: Any) -> Any:
    return numpy_value(x) if type(x) is ndarray else x


def _parameter(value: Any, function: str, name: str, shape: Any) -> numpy.ndarray:
    found = numpy.asarray(_plain(value), numpy.float64)
    if not (found > 0).all():
        raise ValueError(f"{function}: expected {name} above 0, got {value!r}")
    return numpy.broadcast_to(found, _shape(shape))
