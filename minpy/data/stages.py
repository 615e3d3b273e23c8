"""What a data set does to a stream of elements: calls, threads, shuffles; knows no data set."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy

from minpy.data.prefetch import prefetched
from minpy.data.structure import to_numpy

__all__ = ["ahead", "branched", "called", "mapped", "shuffled"]

# Python 3.11 and later; before, an error can't be told more than it was raised with.
_ERRORS_TAKE_NOTES = hasattr(BaseException, "add_note")
# Random places in a buffer that are drawn at once: one at a time costs more than the rest.
_DRAWS = 1024


def called(what: str, function: Callable[..., Any], number: int, item: Any) -> Any:
    """Return a user's function of an element; a tuple's parts are its arguments.

    Raises
    ------
    Exception
        What the function raised, with a note that has the number of the element. Where errors
        take no notes (Python 3.10), and for StopIteration, which would end the data set
        silently, a RuntimeError that the function's error is the cause of.
    """
    try:
        return function(*item) if isinstance(item, tuple) else function(item)
    except Exception as error:
        where = f"in {what}, at element {number}"
        if not _ERRORS_TAKE_NOTES or isinstance(error, StopIteration):
            raise RuntimeError(f"{where}: {type(error).__name__}: {error}") from error
        error.add_note(where)
        raise


def mapped(function: Callable[..., Any], items: Iterable[Any], workers: int = 1) -> Iterator[Any]:
    """Give a function of each element in order, worked out on threads if there are several.

    An error comes where its element would have come, after those before it.
    """

    def apply(number: int, item: Any) -> Any:
        return to_numpy(called("map", function, number, item))

    if workers == 1:
        for number, item in enumerate(items):
            yield apply(number, item)
        return
    numbered = enumerate(items)
    asked: deque[Future] = deque()
    failed: list[Exception] = []

    def ask(count: int) -> None:
        try:
            for number, item in islice(numbered, 0 if failed else count):
                asked.append(pool.submit(apply, number, item))
        except Exception as error:  # of what the elements come from
            failed.append(error)

    with ThreadPoolExecutor(workers, "minpy-map") as pool:
        try:
            ask(2 * workers)
            while asked:
                result = asked.popleft().result()
                ask(1)
                yield result
            if failed:
                raise failed[0]
        finally:
            for future in asked:
                future.cancel()


def shuffled(
    items: Iterator[Any], draw: numpy.random.Generator, buffer_size: int | None
) -> Iterator[Any]:
    """Give elements in the order in which they are drawn from a buffer that is kept full."""
    held = list(islice(items, buffer_size))
    places: Iterator[int] = iter(())
    for item in items:
        i = next(places, None)
        if i is None:
            places = iter(draw.integers(len(held), size=_DRAWS).tolist())
            i = next(places)
        chosen, held[i] = held[i], item
        yield chosen
    for i in draw.permutation(len(held)).tolist():
        yield held[i]


def ahead(items: Iterator[Any], size: int) -> Iterator[Any]:
    """Give elements that a thread of its own makes ahead, as many as `size`."""

    def make(take: Callable[[], Any]) -> Iterator[Any]:
        take()
        for item in items:
            yield item
            take()

    return prefetched(make, [object() for _ in range(size + 1)])


def branched(number: int, branch: int) -> int:
    """Return the epoch of a pass of `repeat`, the seed of a part of `zip`; the first keeps its own.

    The others get numbers of 64 bits, which no other epoch or seed is likely to have.
    """
    if branch == 0:
        return number
    return int(numpy.random.SeedSequence([number, branch]).generate_state(1, numpy.uint64)[0])
