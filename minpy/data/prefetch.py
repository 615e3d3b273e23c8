"""A background thread that makes the next batches while a step runs; it never calls MXNet."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any

__all__ = ["prefetched"]


class _End:
    """What the thread says last: that there is no more, or which error ended it."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def prefetched(make: Callable[[Any], Iterator[Any]], slots: list[Any]) -> Iterator[Any]:
    """Give what a generator makes, made ahead on a thread of its own.

    Parameters
    ----------
    make
        ``make(take)`` is a generator; ``take()`` gives it one of `slots` to write the next item
        to, and waits while all of them hold items that weren't used yet. It runs on the thread.
    slots
        Memory for items. An item is valid until the next one is asked for.

    Yields
    ------
    object
        The items, in order.

    Raises
    ------
    BaseException
        What the generator raised, where the item would have come.

    Notes
    -----
    When the iterator is closed, by an error or at its end, the thread has ended too.

    Examples
    --------
    >>> from minpy.data import prefetched
    >>> def squares(take):
    ...     for i in range(3):
    ...         slot = take()
    ...         slot[0] = i * i
    ...         yield slot
    >>> [item[0] for item in prefetched(squares, [[0], [0]])]
    [0, 1, 4]
    """
    free: SimpleQueue = SimpleQueue()
    ready: SimpleQueue = SimpleQueue()
    for slot in slots:
        free.put(slot)
    stopped = threading.Event()
    taken: list[Any] = []

    def take() -> Any:
        slot = free.get()
        if stopped.is_set():
            raise _Stopped
        taken.append(slot)
        return slot

    def work() -> None:
        try:
            for item in make(take):
                ready.put((taken.pop() if taken else None, item))
                if stopped.is_set():
                    return
            ready.put((None, _End()))
        except _Stopped:
            pass
        except BaseException as error:  # it belongs to whoever waits for the item
            ready.put((None, _End(error)))

    thread = threading.Thread(target=work, name="minpy-batches", daemon=True)
    thread.start()
    try:
        while True:
            slot, item = ready.get()
            if type(item) is _End:
                if item.error is not None:
                    raise item.error
                return
            yield item
            if slot is not None:
                free.put(slot)
    finally:
        stopped.set()
        free.put(None)
        thread.join()


class _Stopped(BaseException):
    """Ends the thread: nobody wants its items any more."""
