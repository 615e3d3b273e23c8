"""A few threads that share one pass over a buffer; knows nothing of what the pass does.

Threads of our own rather than numba's: its default layer ends the process when two threads use it
at once, and the one on OpenMP ends it after a fork. The work must release the GIL.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable

from minpy.runtime import usable_cores

__all__ = ["share"]

# Elements for which waking a thread pays (about 15 µs, a pass takes 0.15 µs for 1000), and the
# length of the parts: short enough that a thread that is late leaves little to wait for.
_SMALLEST = 200_000
_PART = 65_536


def _threads() -> int:
    """Return how many threads may work, the caller's among them."""
    cores = usable_cores()
    told = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return max(1, min(cores, int(told), 8)) if told.isdigit() else min(cores, 8)


class _Pool:
    """Threads that wait for a job; a job is parts of a range that they and the caller take."""

    def __init__(self, size: int) -> None:
        self.process = os.getpid()
        self.turn = threading.Lock()  # one job at a time; who finds it taken works alone
        self.wake = [threading.Semaphore(0) for _ in range(size)]
        self.done = threading.Semaphore(0)
        self.parts: list[tuple[int, int]] = []
        self.work: Callable[[int, int], None] | None = None
        self.error: BaseException | None = None
        for wake in self.wake:
            threading.Thread(target=self._loop, args=(wake,), daemon=True).start()

    def _loop(self, wake: threading.Semaphore) -> None:
        while True:
            wake.acquire()
            try:
                self._take()
            except BaseException as error:
                self.error = error
            self.done.release()

    def _take(self) -> None:
        while True:
            try:
                first, last = self.parts.pop()
            except IndexError:
                return
            self.work(first, last)

    def run(self, work: Callable[[int, int], None], size: int, threads: int) -> None:
        count = max(threads, -(-size // _PART))
        edges = [size * i // count for i in range(count + 1)]
        self.work, self.error = work, None
        self.parts = list(itertools.pairwise(edges))
        helpers = self.wake[: threads - 1]
        for wake in helpers:
            wake.release()
        waiting = len(helpers)
        interrupted = None
        try:
            self._take()
        except BaseException as error:
            interrupted = error
        while waiting:
            # Ctrl-C must not leave while others still write.
            try:
                self.done.acquire()
                waiting -= 1
            except BaseException as error:
                interrupted = error
        self.work = None
        if interrupted or self.error:
            raise interrupted or self.error


_pool: _Pool | None = None


def share(work: Callable[[int, int], None], size: int) -> None:
    """Call ``work(first, last)`` for parts that cover a range, on several threads if it is long.

    Parameters
    ----------
    work
        Does the elements from `first` up to `last`; releases the GIL, and must not depend on the
        order of the parts.
    size
        Number of elements.
    """
    global _pool
    if size < _SMALLEST:
        work(0, size)
        return
    threads = min(_threads(), size // (_SMALLEST // 2))
    if threads < 2:
        work(0, size)
        return
    pool = _pool
    if pool is None or pool.process != os.getpid():  # a fork leaves the threads behind
        pool = _pool = _Pool(_threads() - 1)
    if not pool.turn.acquire(blocking=False):
        work(0, size)
        return
    try:
        pool.run(work, size, min(threads, len(pool.wake) + 1))
    finally:
        pool.turn.release()
