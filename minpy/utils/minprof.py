"""``minpy.utils.minprof`` of minpy 0.3.4: how long functions and blocks took, by what called them.

>>> from minpy.utils.minprof import minprof
>>> minprof.reset()
>>> @minprof
... def inner():
...     return 1
>>> with minprof():
...     total = inner() + inner()
>>> [(name, calls) for name, calls, _ in minprof.stats()]
[('block', 1), ('block/inner', 2)]
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable
from typing import Any

__all__ = ["minprof"]


class _Stack(threading.local):
    def __init__(self) -> None:
        self.names: list[str] = []


_stack = _Stack()
_lock = threading.Lock()
_totals: dict[str, list] = {}  # path → [calls, seconds]


class minprof:
    """Times a function (as a decorator) or a block (in ``with minprof():``)."""

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        """Return a timer for a block, or a function that is timed."""
        if function is None:
            return super().__new__(cls)

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            with cls()._of(function.__name__):
                return function(*args, **kwargs)

        return timed

    def __init__(self, function: Any = None) -> None:
        self._name = "block"

    def _of(self, name: str) -> minprof:
        self._name = name
        return self

    def __enter__(self) -> minprof:
        names = _stack.names
        # Recursion counts as one, so that a function's time isn't added to itself.
        self._inside = bool(names) and names[-1] == self._name
        if not self._inside:
            names.append(self._name)
        self._path = "/".join(names)
        self._start = time.perf_counter()
        return self

    def __exit__(self, *error: object) -> None:
        seconds = time.perf_counter() - self._start
        with _lock:
            total = _totals.setdefault(self._path, [0, 0.0])
            total[0] += 1
            total[1] += 0.0 if self._inside else seconds
        if not self._inside:
            _stack.names.pop()

    @staticmethod
    def stats() -> list[tuple[str, int, float]]:
        """Return (path, calls, seconds) of all that was timed, callers before what they called."""
        with _lock:
            return [(path, n, seconds) for path, (n, seconds) in sorted(_totals.items())]

    @staticmethod
    def reset() -> None:
        """Forget all that was timed."""
        with _lock:
            _totals.clear()

    @staticmethod
    def print_stats() -> None:
        """Print what was timed, one line a path."""
        for path, calls, seconds in minprof.stats():
            depth = path.count("/")
            print(f"{'  ' * depth}{path.split('/')[-1]}: {calls} calls, {seconds:.6f} s")
