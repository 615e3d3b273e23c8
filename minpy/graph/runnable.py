"""A program with inputs that lie anywhere; knows neither functions nor models."""

from __future__ import annotations

import threading
from typing import Any

import numpy

from minpy import runtime
from minpy.array import ndarray
from minpy.graph.native import Program, ProgramTrace, aligned
from minpy.graph.native.recording import Value
from minpy.graph.trace import Untraceable, worth_sharing
from minpy.runtime import onednn

__all__ = ["Runnable", "enclosing_arrays"]

_FLOAT = numpy.dtype("float32")
# Elements of an argument from which it costs less to say where they are than to copy them.
_WORTH_READING = 30_000
# Elements of an enclosing array of another dtype that are compared at each call.
_WORTH_COMPARING = 64
# The whole numbers up to here are float32's.
_WHOLE = 2**24


class Runnable:
    """A program that is given its inputs and gives its results, in one thread at a time.

    Parameters
    ----------
    trace
        Which has recorded it.
    results
        The arrays to compute.
    products
        As in `Program`.
    turned
        Which results are matrices that are to lie with their columns one after the other.

    Raises
    ------
    Untraceable
        If there is no program for it.
    """

    def __init__(
        self,
        trace: ProgramTrace,
        results: list[ndarray],
        products: str = "float32",
        turned: list[bool] | None = None,
    ) -> None:
        shared = worth_sharing(trace.work)
        if shared and onednn.library() is None and runtime.installed():
            raise Untraceable("it is large, and there is no oneDNN for programs")
        self._memories = trace.memories
        at = {id(m): i for i, m in enumerate(trace.memories)}
        # Which inputs are class numbers, and of how many classes.
        self._classes = [(at[id(v.memory)], n) for v, n in trace.class_numbers.items()]
        self._turned = turned or [False] * len(results)
        targets = [
            (aligned(r.shape[::-1]), True) if by_columns else None
            for r, by_columns in zip(results, self._turned, strict=True)
        ]
        with runtime.one_thread(not shared):
            self._program = Program(trace, results, targets, shared, products)
        self._whole = [(a, at[id(v.memory)]) for v, a in self._program.whole.items()]
        self._alone = self._program.has_threads and not shared
        self._elsewhere = [
            m.size >= _WORTH_READING and self._program.reads_anywhere(m) for m in self._memories
        ]
        self._lock = threading.Lock()

    def takes(self, values: Any) -> bool:
        """Say whether whole numbers among the inputs are float32's, and those of classes exist."""
        for v in values:
            if v.dtype.kind in "iu" and v.size and not -_WHOLE <= v.min() <= v.max() <= _WHOLE:
                return False
        return all(values[i].min() >= 0 and values[i].max() < n for i, n in self._classes)

    def __call__(self, values: Any) -> list[numpy.ndarray]:
        """Return the results, in memory of their own, for inputs and draws in their order."""
        program = self._program
        with self._lock:
            for memory, value, elsewhere in zip(
                self._memories, values, self._elsewhere, strict=True
            ):
                if elsewhere and value.dtype == _FLOAT and value.flags.c_contiguous:
                    program.read_from(memory, value.ctypes.data)
                    continue
                memory[...] = value
                if elsewhere:
                    program.read_from(memory, memory.ctypes.data)
            for exact, i in self._whole:
                numpy.copyto(exact, values[i], casting="unsafe")
            if self._alone:
                with runtime.one_thread():
                    program.run()
            else:
                program.run()
            return [
                r.copy().T if by_columns else r.copy()
                for r, by_columns in zip(program.results, self._turned, strict=True)
            ]


def enclosing_arrays(trace: ProgramTrace) -> list[tuple[numpy.ndarray, numpy.ndarray]]:
    """Return the enclosing arrays that the program has copies of, beside what they were."""
    found: dict[int, tuple[numpy.ndarray, numpy.ndarray]] = {}
    for operation in trace.operations:
        for value in operation.given:
            if not isinstance(value, Value) or value.source is None:
                continue
            if not value.source.flags.writeable:  # broadcast: made by the function itself
                continue
            if value.source.size > _WORTH_COMPARING:
                raise Untraceable(f"an enclosing array of {value.source.dtype}")
            found[id(value.source)] = value.source, value.source.copy()
    return list(found.values())
