"""The threads that MXNet's operators share their work out to, and code of our own with them.

It must not know what they work on.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any

from minpy.runtime import loading
from minpy.runtime.loading import ALL_THREADS, usable_cores

__all__ = ["forked", "one_thread", "parallel_region", "threads"]


def threads() -> int:
    """Return how many OpenMP threads MXNet's operators share their work out to."""
    return ALL_THREADS or usable_cores()


def parallel_region() -> Any:
    """Return ``GOMP_parallel(function, data, threads, flags)`` of the OpenMP that operators run on.

    None where nothing that uses it is loaded, or mxnet has another OpenMP.
    """
    # Looked up through the library that is linked to it: others bring an OpenMP of their own.
    found = getattr(_linked(), "GOMP_parallel", None)
    if found is not None:
        found.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
        found.restype = None
    return found


def _linked() -> Any:
    """Return what OpenMP's functions are found in: MXNet's library, or GNU's by itself; or None."""
    if loading.mx is not None:
        return loading.lib
    if not _by_itself:  # oneDNN runs on it without MXNet
        try:
            _by_itself.append(ctypes.CDLL("libgomp.so.1", mode=os.RTLD_NOLOAD))
        except (OSError, AttributeError):
            return None
    return _by_itself[0]


_by_itself: list[Any] = []  # GNU's OpenMP once it is loaded: a look costs 15 µs
_was_forked = False


def _after_fork() -> None:
    global _was_forked
    _was_forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def forked() -> bool:
    """Say whether this process is a fork of another: OpenMP's threads don't survive that.

    A child that uses them hangs. What was forked before minpy was imported shows as a child of
    multiprocessing's.
    """
    multiprocessing = sys.modules.get("multiprocessing")
    child = multiprocessing is not None and multiprocessing.parent_process() is not None
    return _was_forked or child


class one_thread:
    """Runs operators on one thread for a ``with`` block, if `alone` says so."""

    __slots__ = ("_set",)

    def __init__(self, alone: bool = True) -> None:
        self._set = getattr(_linked(), "omp_set_num_threads", None) if alone else None

    def __enter__(self) -> None:
        if self._set is not None:
            self._set(1)

    def __exit__(self, *error: Any) -> None:
        if self._set is not None:
            self._set(threads())
