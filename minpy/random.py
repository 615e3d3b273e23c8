"""Random numbers as a function of (seed, step): streams, scopes, masks; knows no layer or model.

Three kinds of draws, each a pure function of what names it:

* Inside ``with random.scope(seed, step):`` each draw takes the next substream of (seed, step). The
  same seed and step give the same masks again, in this process or in one that resumes from a
  checkpoint, whatever else was drawn in between.
* Outside of any scope a draw takes the next substream of the global seed (`seed`).
* `generator` makes a NumPy generator on a stream with a name of its own, for initial values and
  shuffling; scopes don't matter to it.

A substream starts where Philox (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
2011), a function of a key and a counter, puts it: the key holds the seed and the stream's name, the
counter the step and the number of the draw. No two of them overlap. A generator runs on Philox
itself. The draws of this module take from it the 192 bits that start an SFC64 generator, which
fills memory twice as fast. One thread fills an array, so its values don't depend on the number of
threads.
"""

from __future__ import annotations

import functools
import hashlib
import math
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy

from minpy.array import from_numpy, ndarray
from minpy.config import settings
from minpy.context import Context, current_context

__all__ = [
    "drawn",
    "dropout_mask",
    "generator",
    "get_state",
    "in_scope",
    "new_seed",
    "normal",
    "observed",
    "rehearsal",
    "scope",
    "seed",
    "set_state",
    "stream",
    "uniform",
]

_DRAWS = ""  # the stream of unnamed draws


class _Global:
    """The global seed and how many substreams of each named stream were taken."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.seed = int.from_bytes(os.urandom(8), "little") >> 1
        self.taken: dict[str, int] = {}

    def take(self, name: str) -> tuple[int, int]:
        """Return the seed and the number of the next substream of a stream."""
        with self.lock:
            number = self.taken.get(name, 0)
            self.taken[name] = number + 1
            return self.seed, number


class _Scope:
    """A (seed, step) in force, and how many substreams of it were taken."""

    __slots__ = ("name", "seed", "step", "taken")

    def __init__(self, seed: int, step: int, name: str = "scope", taken: int = 0) -> None:
        self.seed = seed
        self.step = step
        self.name = name
        self.taken = taken


class _Local(threading.local):
    """Each thread's scopes, observers, and generators to be set to a substream and read at once."""

    def __init__(self) -> None:
        self.scopes: list[_Scope] = []
        self.observers: list[Callable[[ndarray, Callable[[], ndarray]], ndarray]] = []
        self.philox = numpy.random.Philox(0)
        self.philox_state = _philox_state()
        self.sfc = numpy.random.SFC64(0)
        self.generator = numpy.random.Generator(self.sfc)


def _philox_state() -> dict[str, Any]:
    return {
        "bit_generator": "Philox",
        "state": {"counter": numpy.zeros(4, "uint64"), "key": numpy.zeros(2, "uint64")},
        "buffer": numpy.zeros(4, "uint64"),
        "buffer_pos": 4,
        "has_uint32": 0,
        "uinteger": 0,
    }


_global = _Global()
_local = _Local()


@functools.lru_cache(maxsize=1024)
def _key(seed: int, name: str) -> tuple[int, int]:
    """Return Philox' 128-bit key for a seed and the name of a stream."""
    digest = hashlib.blake2b(f"{seed} {name}".encode(), digest_size=16).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")


def _positioned(seed: int, name: str, step: int, number: int) -> numpy.random.Generator:
    """Return this thread's generator at the start of a substream."""
    local = _local
    state = local.philox_state
    state["state"]["key"][:] = _key(seed, name)
    # The lowest word counts the blocks that a substream gives.
    state["state"]["counter"][:] = (0, number, step, 0)
    local.philox.state = state
    a, b, c = local.philox.random_raw(3)
    local.sfc.state = {
        "bit_generator": "SFC64",
        "state": {"state": numpy.array([a, b, c, 1], "uint64")},
        "has_uint32": 0,
        "uinteger": 0,
    }
    local.sfc.random_raw(12, output=False)  # as many rounds as NumPy's own seeding discards
    return local.generator


def _checked_seed(value: Any, by: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | numpy.integer) or value < 0:
        raise ValueError(f"{by}: expected an integer from 0 as the seed, got {value!r}")
    return int(value)


# --- seeds, scopes, state -------------------------------------------------------------------------


def seed(value: int | None = None) -> None:
    """Fix initial values, shuffling, dropout and every other draw from here on.

    Parameters
    ----------
    value
        An integer from 0; None takes one from the operating system, as a fresh process does.

    Notes
    -----
    ``numpy.random`` and Python's ``random`` are not touched.

    Examples
    --------
    >>> from minpy import random
    >>> random.seed(0)
    >>> first = random.uniform((3,))
    >>> random.seed(0)
    >>> bool((random.uniform((3,)) == first).all())
    True
    """
    chosen = _Global().seed if value is None else _checked_seed(value, "seed")
    with _global.lock:
        _global.seed = chosen
        _global.taken.clear()


def new_seed() -> int:
    """Return a seed below 2**63 that follows from the global one, another at each call.

    Examples
    --------
    >>> from minpy import random
    >>> random.new_seed() != random.new_seed()
    True
    """
    return int(generator("seed").integers(0, 2**63))


def generator(*key: int | str) -> numpy.random.Generator:
    """Return a NumPy generator on the next substream of a named stream of the global seed.

    Parameters
    ----------
    key
        The stream's name: strings and integers. How often one stream is used doesn't change what
        another one gives.

    Examples
    --------
    >>> from minpy import random
    >>> random.seed(0)
    >>> shuffled = random.generator('shuffle').permutation(5)
    >>> random.seed(0)
    >>> _ = random.generator('initializer').normal()
    >>> bool((random.generator('shuffle').permutation(5) == shuffled).all())
    True
    """
    # A named stream is no stream of unnamed draws, so the name starts with what theirs has not.
    name = "/" + "/".join(str(part) for part in key)
    from_seed, number = _global.take(name)
    words = _key(from_seed, name)
    return numpy.random.Generator(
        numpy.random.Philox(
            key=numpy.array(words, "uint64"), counter=numpy.array([0, number, 0, 0], "uint64")
        )
    )


@contextmanager
def scope(seed: int, step: int = 0) -> Iterator[None]:
    """Make the draws of a ``with`` block a function of a seed and a step.

    Parameters
    ----------
    seed
        An integer from 0.
    step
        An integer from 0, below 2**64: which training step it is, say.

    Notes
    -----
    Each draw in the block takes the next substream. Scopes nest, the inner one is in force; they
    belong to the thread that entered them.

    Examples
    --------
    >>> from minpy import random
    >>> with random.scope(seed=1, step=7):
    ...     a, b = random.uniform((2,)), random.uniform((2,))
    >>> with random.scope(seed=1, step=7):
    ...     c = random.uniform((2,))
    >>> bool((a == c).all()), bool((a == b).all())
    (True, False)
    """
    if isinstance(step, bool) or not isinstance(step, int | numpy.integer) or not 0 <= step < 2**64:
        raise ValueError(f"scope: expected an integer from 0 as the step, got {step!r}")
    scopes = _local.scopes
    scopes.append(_Scope(_checked_seed(seed, "scope"), int(step)))
    try:
        yield
    finally:
        scopes.pop()


def in_scope() -> bool:
    """Say whether a `scope` is in force, so that draws are a function of its seed and step.

    Examples
    --------
    >>> from minpy import random
    >>> with random.scope(seed=1):
    ...     random.in_scope()
    True
    """
    return bool(_local.scopes)


def bookmark() -> Callable[[], AbstractContextManager[None]]:
    """Return what gives ``with`` blocks the draws that come next here, as often as one likes.

    A checkpoint of a derivative runs a part of the program again, with the same draws.

    Examples
    --------
    >>> from minpy import random
    >>> again = random.bookmark()
    >>> a = random.uniform((3,))
    >>> with again():
    ...     b = random.uniform((3,))
    >>> bool((a == b).all())
    True
    """
    scopes = _local.scopes
    if scopes:
        now = scopes[-1]
        place = now.seed, now.step, now.name, now.taken
    else:
        state = get_state()
        place = state["seed"], 0, _DRAWS, state["taken"].get(_DRAWS, 0)

    @contextmanager
    def again() -> Iterator[None]:
        inside = _local.scopes
        inside.append(_Scope(*place))
        try:
            yield
        finally:
            inside.pop()

    return again


@contextmanager
def rehearsal() -> Iterator[None]:
    """Give a ``with`` block the draws that come next, without taking them.

    A tracer runs a function once to see what it does; the run that counts draws the same again.

    Examples
    --------
    >>> from minpy import random
    >>> with random.rehearsal():
    ...     a = random.uniform((3,))
    >>> bool((random.uniform((3,)) == a).all())
    True
    """
    with bookmark()():
        yield


@contextmanager
def observed(observer: Callable[[ndarray, Callable[[], ndarray]], ndarray]) -> Iterator[None]:
    """Pass each draw of a ``with`` block through a function, which a tracer makes an input of.

    Parameters
    ----------
    observer
        ``observer(value, again)`` returns the array that the program gets in place of `value`.
        ``again()`` draws anew, in the scope in force when it is called: called in the order of the
        draws inside of ``scope(seed, step)``, it gives what the program itself would have drawn.
        Draws with a seed of their own are constants and not passed.
    """
    observers = _local.observers
    observers.append(observer)
    try:
        yield
    finally:
        observers.pop()


def get_state() -> dict[str, Any]:
    """Return the global seed and what was drawn since, as a dict that JSON can hold.

    Examples
    --------
    >>> from minpy import random
    >>> state = random.get_state()
    >>> a = random.normal((2,))
    >>> random.set_state(state)
    >>> bool((random.normal((2,)) == a).all())
    True
    """
    with _global.lock:
        return {"seed": _global.seed, "taken": dict(_global.taken)}


def set_state(state: dict[str, Any]) -> None:
    """Go on from a state that `get_state` returned.

    Raises
    ------
    ValueError
        If it isn't one; the state in force stays.
    """
    taken = state.get("taken") if isinstance(state, dict) else None
    if not isinstance(taken, dict) or not all(
        isinstance(name, str) and isinstance(n, int) and n >= 0 for name, n in taken.items()
    ):
        raise ValueError(f"set_state: expected what get_state returned, got {state!r}")
    chosen = _checked_seed(state.get("seed"), "set_state")
    with _global.lock:
        _global.seed = chosen
        _global.taken = dict(taken)


# --- draws ----------------------------------------------------------------------------------------


class StepSeed(int):
    """A seed whose draws differ from call to call and from step to step: that of a layer.

    In a scope they are a function of this seed, of the scope's step, and of how many draws came
    before in it; the scope's own seed doesn't matter.
    """

    __slots__ = ()


def stream(seed: int | None = None) -> numpy.random.Generator:
    """Return this thread's generator, set to the substream of the next draw.

    Parameters
    ----------
    seed
        Draw from this seed alone, the same at each call; by default from the scope in force, or
        from the global seed where there is none. A `StepSeed` draws anew at each call.

    Notes
    -----
    Use it at once and don't keep it: the next draw sets the same object to another substream.
    `generator` makes one to keep.
    """
    scopes = _local.scopes
    if type(seed) is StepSeed:
        if scopes:
            now = scopes[-1]
            number = now.taken
            now.taken = number + 1
            return _positioned(seed, "step seed", now.step, number)
        return _positioned(seed, "step seed", 0, _global.take(_DRAWS)[1])
    if seed is not None:
        return _positioned(_checked_seed(seed, "stream"), "own seed", 0, 0)
    if scopes:
        now = scopes[-1]
        number = now.taken
        now.taken = number + 1
        return _positioned(now.seed, now.name, now.step, number)
    from_seed, number = _global.take(_DRAWS)
    return _positioned(from_seed, _DRAWS, 0, number)


def _draw(
    make: Callable[[numpy.random.Generator], numpy.ndarray], seed: int | None, ctx: Context | None
) -> ndarray:
    """Draw, put the values on a device, and tell the observer."""
    context = current_context() if ctx is None else ctx

    def again() -> ndarray:
        return from_numpy(make(stream(seed)), context)

    value = again()
    observers = _local.observers
    drawn_anew = seed is None or type(seed) is StepSeed
    return observers[-1](value, again) if observers and drawn_anew else value


def drawn(
    make: Callable[[numpy.random.Generator], numpy.ndarray],
    seed: int | None = None,
    ctx: Context | None = None,
) -> ndarray:
    """Draw with a function of one's own, from a distribution that has no function here.

    Parameters
    ----------
    make
        ``make(rng)`` returns a NumPy array that it draws with ``rng``, a NumPy generator, and keeps
        neither. A traced program calls it again at each step.
    seed
        As in `stream`.
    ctx
        Device; the current context by default.

    Examples
    --------
    >>> from minpy import random
    >>> sorted(random.drawn(lambda rng: rng.permutation(3).astype('float32')).tolist())
    [0.0, 1.0, 2.0]
    """
    return _draw(make, seed, ctx)


def uniform(
    shape: tuple[int, ...],
    minval: float = 0.0,
    maxval: float = 1.0,
    dtype: Any = None,
    seed: int | None = None,
    ctx: Context | None = None,
) -> ndarray:
    """Draw uniformly from the half-open interval [minval, maxval).

    Parameters
    ----------
    shape
        Of the result.
    minval, maxval
        Ends of the interval.
    dtype
        Float dtype; the default one if not given.
    seed
        As in `stream`.
    ctx
        Device; the current context by default.

    Examples
    --------
    >>> from minpy import random
    >>> random.uniform((2, 3)).shape
    (2, 3)
    """
    wanted = _float(dtype, "uniform")

    def make(rng: numpy.random.Generator) -> numpy.ndarray:
        values = rng.random(shape, _drawn_in(wanted))
        if minval != 0.0 or maxval != 1.0:
            values *= maxval - minval
            values += minval
            # Rounding may reach the open end.
            numpy.minimum(values, numpy.nextafter(values.dtype.type(maxval), minval), out=values)
        return values.astype(wanted, copy=False)

    return _draw(make, seed, ctx)


def normal(
    shape: tuple[int, ...],
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: Any = None,
    seed: int | None = None,
    ctx: Context | None = None,
) -> ndarray:
    """Draw from a normal distribution.

    Parameters
    ----------
    shape
        Of the result.
    mean, stddev
        Of the distribution.
    dtype, seed, ctx
        As in `uniform`.

    Examples
    --------
    >>> from minpy import random
    >>> random.normal((2, 3)).shape
    (2, 3)
    """
    wanted = _float(dtype, "normal")

    def make(rng: numpy.random.Generator) -> numpy.ndarray:
        values = rng.standard_normal(shape, _drawn_in(wanted))
        if stddev != 1.0:
            values *= stddev
        if mean != 0.0:
            values += mean
        return values.astype(wanted, copy=False)

    return _draw(make, seed, ctx)


def dropout_mask(
    shape: tuple[int, ...],
    rate: float,
    dtype: Any = None,
    seed: int | None = None,
    ctx: Context | None = None,
) -> ndarray:
    """Draw what inverted dropout multiplies by: 0 with probability `rate`, else ``1 / (1 - rate)``.

    Parameters
    ----------
    shape
        Of the result.
    rate
        The fraction that becomes 0, from 0 to below 1.
    dtype, seed, ctx
        As in `uniform`.

    Notes
    -----
    An element takes 8, 16 or 32 random bits, the fewest that realise `rate` and ``1 - rate`` to
    within 0.01 % of either: 8 for 0.25 and 0.5, 16 for 0.1 and 0.3. A mask of 128×512 takes 29 µs
    with 8 bits an element and 40 with 16, of which SFC64 takes 12 and 23; drawing float32 numbers
    and comparing them takes 130.

    Examples
    --------
    >>> from minpy import random
    >>> mask = random.dropout_mask((1000,), 0.5, seed=1)
    >>> sorted(set(mask.tolist()))
    [0.0, 2.0]
    """
    if not 0 <= rate < 1:
        raise ValueError(f"dropout_mask: expected a rate from 0 to below 1, got {rate!r}")
    wanted = _float(dtype, "dropout_mask")
    shape = (shape,) if isinstance(shape, int | numpy.integer) else tuple(shape)
    count = math.prod(shape)
    bits, threshold = _resolution(float(rate))
    scale = 1.0 / (1.0 - rate)

    def make(rng: numpy.random.Generator) -> numpy.ndarray:
        words = rng.bit_generator.random_raw((count * bits + 63) // 64)
        drawn = words.view(f"uint{bits}")[:count].reshape(shape)
        kept = numpy.greater_equal(drawn, drawn.dtype.type(threshold))
        return numpy.multiply(kept.view("uint8"), scale, dtype=wanted)

    return _draw(make, seed, ctx)


@functools.lru_cache(maxsize=256)
def _resolution(rate: float) -> tuple[int, int]:
    """Return how many bits realise a rate, and how many of their values mean 0."""
    for bits in (8, 16, 32):
        values = 2**bits
        zeros = min(round(rate * values), values - 1)
        if abs(zeros / values - rate) <= 1e-4 * min(rate, 1.0 - rate):
            break
    return bits, zeros


def _float(dtype: Any, by: str) -> numpy.dtype:
    wanted = settings.float_dtype if dtype is None else numpy.dtype(dtype)
    if wanted.kind != "f":
        raise ValueError(f"{by}: expected a float dtype, got {wanted}")
    return wanted


def _drawn_in(dtype: numpy.dtype) -> type:
    """Return what NumPy draws in: it has no generator of float16."""
    return numpy.float64 if dtype == numpy.float64 else numpy.float32


# Keras' other draws, which need more than this module knows.
_DISTRIBUTIONS = (
    "SeedGenerator",
    "beta",
    "binomial",
    "categorical",
    "dropout",
    "gamma",
    "randint",
    "shuffle",
    "truncated_normal",
)


def __getattr__(name: str) -> Any:
    if name in _DISTRIBUTIONS:
        from minpy import distributions

        return getattr(distributions, name)
    raise AttributeError(f"module 'minpy.random' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_DISTRIBUTIONS})
