"""Machine code that OpenMP's threads run together: how it is entered, told, and counts its work.

OpenMP hands a kernel one pointer: an array of `SIZE` integers, numbers and addresses, whose first
counts the threads that have begun, and whose last the pieces of work that were taken. It must not
know what a kernel computes. Importing this module imports numba.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import numpy
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from minpy import runtime

__all__ = [
    "SIZE",
    "address_of",
    "entry",
    "fetch_add",
    "give_way",
    "load_acquire",
    "longs",
    "longs_at",
    "run",
    "scratch_memory",
    "threads_for",
    "told_numbers",
]

SIZE = 32  # integers that a kernel is told

_LONG = ir.IntType(64)


# --- in a kernel ---------------------------------------------------------------------------------

# The other threads' turn on this core, if there are more threads than cores.
give_way = types.ExternalFunction("sched_yield", types.int32())


@intrinsic
def fetch_add(typing, counter):
    """Return a counter's value and add one to it, no two threads alike."""

    def generate(context, builder, signature, args):
        at = builder.inttoptr(args[0], _LONG.as_pointer())
        return builder.atomic_rmw("add", at, ir.Constant(_LONG, 1), "acq_rel")

    return types.intp(types.intp), generate


@intrinsic
def load_acquire(typing, counter):
    """Return a counter's value as other threads have left it."""

    def generate(context, builder, signature, args):
        at = builder.inttoptr(args[0], _LONG.as_pointer())
        return builder.load_atomic(at, "acquire", 8)

    return types.intp(types.intp), generate


@intrinsic
def longs(typing, pointer):
    """Return a pointer to anything as one to int64."""

    def generate(context, builder, signature, args):
        return builder.bitcast(args[0], _LONG.as_pointer())

    return types.CPointer(types.int64)(types.voidptr), generate


@intrinsic
def longs_at(typing, address):
    """Return an address as a pointer to int64."""

    def generate(context, builder, signature, args):
        return builder.inttoptr(args[0], _LONG.as_pointer())

    return types.CPointer(types.int64)(types.intp), generate


# --- around a kernel -----------------------------------------------------------------------------


def entry(*built_from: ModuleType) -> Callable[[Callable[[Any], None]], Any]:
    """Return what compiles a function that OpenMP can call; the machine code is kept if possible.

    Parameters
    ----------
    built_from
        The modules that its code comes from. numba looks at the function's own file only when it
        decides whether machine code that was kept is still good, so its name tells them apart.
    """
    sources = b"".join(Path(module.__file__).read_bytes() for module in built_from)
    state = f"{zlib.crc32(sources):08x}"

    def compiled(function: Callable[[Any], None]) -> Any:
        function.__qualname__ += f"_{state}"
        signature = types.void(types.voidptr)
        try:
            return numba.cfunc(signature, cache=True, error_model="numpy")(function)
        except RuntimeError:  # no folder to write to
            return numba.cfunc(signature, error_model="numpy")(function)

    return compiled


# Below so many multiplications a second thread comes too late to help.
_WORTH_SHARING = 1_000_000


def threads_for(multiplications: int) -> int:
    """Return how many threads so much work may use."""
    shared = multiplications >= _WORTH_SHARING and not runtime.forked()
    return runtime.threads() if shared else 1


class _Scratch(threading.local):
    """Memory that calls of a thread use one after the other."""

    memory = numpy.empty(0, "float32")

    def get(self, size: int) -> numpy.ndarray:
        if self.memory.size < size:
            self.memory = numpy.empty(size, "float32")
        return self.memory


scratch_memory = _Scratch()


def told_numbers(*numbers: int) -> numpy.ndarray:
    """Return the array of what a kernel is told."""
    found = numpy.zeros(SIZE, "int64")
    found[: len(numbers)] = numbers
    return found


def address_of(array: numpy.ndarray | None) -> int:
    """Return where an array begins, 0 for None."""
    return 0 if array is None else array.ctypes.data


def run(kernel: Any, told: numpy.ndarray, threads: int) -> None:
    """Run a kernel on OpenMP's threads, those that MXNet's operators have just used."""
    region = runtime.parallel_region() if threads > 1 else None
    if region is None:
        kernel.ctypes(told.ctypes.data)
    else:
        region(kernel.address, told.ctypes.data, threads, 0)
