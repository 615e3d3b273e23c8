"""A traced function as a program of our own, and one more for its derivative."""

from __future__ import annotations

from typing import Any

import numpy

from minpy import random
from minpy.array import ndarray, numpy_value, wrap
from minpy.autograd.reverse import record
from minpy.autograd.trace import open_trace
from minpy.graph.call import Call
from minpy.graph.native import ProgramTrace, aligned
from minpy.graph.runnable import Runnable, enclosing_arrays
from minpy.graph.trace import Untraceable

__all__ = ["ProgramCall"]

_FLOAT = numpy.dtype("float32")


class ProgramCall(Call):
    """A function of one signature as one program, which computes in float32; see `Call`."""

    trace_class = ProgramTrace

    def _input(self, trace: ProgramTrace, number: int, value: ndarray) -> ndarray:
        if value.dtype != _FLOAT and value.dtype.kind not in "iub":
            raise Untraceable(f"an argument of {value.dtype}; programs compute in float32")
        return trace.input(value.copy(), aligned(value.shape))

    def _compile(self, trace: ProgramTrace, results: list[ndarray]) -> None:
        for r in results:
            if r.dtype != _FLOAT and r.dtype.kind not in "iub":
                raise Untraceable(f"a result of {r.dtype}; programs give float32")
        self._shapes = [r.shape for r in results]
        self._dtypes = [r.dtype for r in results]
        self._watched = enclosing_arrays(trace)
        self._runnable = Runnable(trace, results)
        self._backward: dict[tuple, tuple[Runnable, list[int | None]] | None] = {}

    @property
    def current(self) -> bool:
        """Whether the numbers that were read from enclosing arrays are still there."""
        return all(numpy.array_equal(array, known) for array, known in self._watched)

    def _run(self, *values: numpy.ndarray) -> Any:
        if self._runnable.takes(values):
            found = zip(self._runnable(values), self._dtypes, strict=True)
            results = [r if r.dtype == dtype else r.astype(dtype) for r, dtype in found]
        else:  # which raises the error that belongs to it
            results = [numpy_value(r) for r in self._results([wrap(v) for v in values])]
        return tuple(results) if self._several else results[0]

    def _results(self, inputs: list[ndarray]) -> list[ndarray]:
        """Call the function itself on arguments and draws; leave out constant results."""
        count = sum(self._arrays)
        drawn = iter(inputs[count:])
        with random.observed(lambda array, again: next(drawn)), random.rehearsal():
            outputs, _ = self._called(inputs[:count])
        return [r for r, place in zip(outputs, self._places, strict=True) if isinstance(place, int)]

    def _gradients(
        self, argnums: tuple, values: list[numpy.ndarray], heads: list[numpy.ndarray]
    ) -> list[numpy.ndarray]:
        try:
            back = self._backward[argnums]
        except KeyError:
            try:
                back = self._trace_back(argnums, values)
            except Untraceable:  # it reads numbers that the function itself doesn't
                back = None
            self._backward[argnums] = back
        if back is None or not back[0].takes(values):
            found = self._differentiated(argnums, [wrap(v) for v in values], map(wrap, heads))
            gradients = [None if g is None else numpy_value(g) for g in found]
        else:
            runnable, places = back
            results = runnable([*values, *heads])
            gradients = [None if p is None else results[p] for p in places]
        return [
            numpy.zeros_like(values[i]) if g is None else g
            for i, g in zip(argnums, gradients, strict=True)
        ]

    def _differentiated(self, argnums: tuple, inputs: list[ndarray], heads: Any) -> list[Any]:
        """Run the function and its derivative by some of its inputs; None where there is none."""

        def called(wanted: list[ndarray]) -> list[ndarray]:
            given = list(inputs)
            for i, a in zip(argnums, wanted, strict=True):
                given[i] = a
            return self._results(given)

        _, tape = record(called, [inputs[i] for i in argnums])
        return tape.back(list(heads), once=True)

    def _trace_back(self, argnums: tuple, values: list) -> tuple[Runnable, list[int | None]]:
        """Make the program of the gradients by some of the arguments."""
        with open_trace(ProgramTrace) as trace:
            inputs = [trace.input(wrap(v.copy()), aligned(v.shape)) for v in values]
            ones = [numpy.ones(shape, "float32") for shape in self._shapes]
            heads = [trace.input(wrap(one), aligned(one.shape)) for one in ones]
            gradients = self._differentiated(argnums, inputs, heads)
            results = [g for g in gradients if g is not None]
            numbers = iter(range(len(results)))
            places = [None if g is None else next(numbers) for g in gradients]
            return Runnable(trace, results), places
