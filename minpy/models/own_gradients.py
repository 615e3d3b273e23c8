"""The gradients of a loss of one's own, for training steps that a user writes.

The function is made anew at each step, as a closure over the batch. It becomes a program where it
can: one for each code, and what that captures. It must not know what is done with the gradients.
"""

from __future__ import annotations

import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy

from minpy import random, runtime
from minpy.array import as_ndarray, is_tracked, ndarray, numpy_value, wrap
from minpy.autograd.containers import flatten
from minpy.autograd.reverse import record
from minpy.autograd.trace import open_trace
from minpy.config import settings
from minpy.errors import DifferentiationError
from minpy.graph import native
from minpy.graph.closures import Closure
from minpy.graph.native import ProgramTrace, aligned
from minpy.graph.runnable import Runnable, enclosing_arrays
from minpy.graph.trace import Untraceable
from minpy.layers.forward_pass import forward_pass
from minpy.layers.parameter import Parameter, bound, collect_updates, structure
from minpy.models.surroundings import Patience, Surroundings, layers_among
from minpy.policy import current_policy
from minpy.primitives import registry

__all__ = ["OwnGradients"]

_FLOAT = numpy.dtype("float32")
# Programs that are kept.
_KEPT = 32


class OwnGradients:
    """Computes functions of a model's weights, and their gradients.

    Parameters
    ----------
    model
        Whose trained weights the gradients are by.

    Attributes
    ----------
    status
        ``'compiled'``, or why the last function ran operation by operation.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.status = "not run yet"
        self._programs: dict[Any, _ClosureProgram | None] = {}
        self._known_weights: dict[tuple, Any] = {}
        self._patience: dict[types.CodeType, Patience] = {}
        self._last: dict[types.CodeType, Closure] = {}
        self._warned = False

    def __call__(self, function: Callable[[], Any], compiles: bool) -> tuple[Any, list[Any]]:
        """Return what the function returns, and the gradients; see `value_and_gradients`."""
        trained = self._weights_of([self.model])[0]
        program = None
        if not compiles:
            self.status = "compile(jit=False), minpy.config.set_jit(False), or the policy"
        elif type(function) is not types.FunctionType:
            self.status = "it isn't a function that is written with def or lambda"
        else:
            closure = Closure(function)
            program = self._program(closure, trained)
            if program is not None and program.takes(closure.arrays):
                return program(closure.arrays)
        return self._one_by_one(function, trained)

    def _weights_of(self, layers: list[Any]) -> tuple[list[Parameter], list[Parameter], Any]:
        """Return the model's trained weights, those of all layers, and what tells them apart."""
        key = (structure.version, *map(id, layers))
        known = self._known_weights.get(key)
        if known is None:
            trained = self.model.trainable_weights
            every = list({id(p): p for layer in layers for p in layer.weights}.values())
            told = (tuple([(id(p), p.trainable) for p in every]), tuple(map(id, trained)))
            if len(self._known_weights) >= _KEPT:  # of versions that won't come back
                self._known_weights.clear()
            # The layers are kept with them: an identity is one while the object lives.
            known = self._known_weights[key] = (trained, every, told, layers)
        return known[:3]

    # --- operation by operation -------------------------------------------------------------------

    def _one_by_one(
        self, function: Callable[[], Any], trained: list[Parameter]
    ) -> tuple[Any, list[Any]]:
        kept: list[Any] = []

        def with_weights(weights: list[Any]) -> list[Any]:
            with bound(trained, weights), forward_pass(training=True):
                found = function()
            kept.append(found)
            return [as_ndarray(_number(found))]

        with collect_updates() as updates:
            (value,), tape = record(with_weights, [p.value for p in trained])
        _check_number(self.model, value)
        found = tape.back([registry["ones_like"](value)], once=True)
        for p, new in updates:
            p.assign(numpy_value(as_ndarray(new)))
        leaves, fill = flatten(kept[0])
        values = [value, *map(_settled, leaves[1:])]
        pairs = zip(trained, found, strict=True)
        return fill(values), [registry["zeros_like"](p.value) if g is None else g for p, g in pairs]

    # --- as a program -----------------------------------------------------------------------------

    def _program(self, closure: Closure, trained: list[Parameter]) -> _ClosureProgram | None:
        """Return the program of a function, None where there is none."""
        code = closure.function.__code__
        layers = layers_among(closure.functions, [self.model, *closure.objects])
        _, weights, told = self._weights_of(layers)
        key = (
            closure.key,
            told,
            settings.float_dtype,
            settings.products,
        )
        patience = self._patience.setdefault(code, Patience())
        patience.runs += 1
        before, self._last[code] = self._last.get(code), closure
        try:
            program = self._programs[key]
        except KeyError:
            change = None if before is None else _difference(before, closure)
        else:
            change = None if program is None else program.surroundings.change()
            if program is None or change is None:
                if program is not None:
                    self.status = "compiled"
                return program
        if patience.is_over():
            self._tell(f"{change or 'something that it captures'} is another at each step")
            return None
        if len(self._programs) >= _KEPT:
            self._programs.pop(next(iter(self._programs)))
        program = None
        try:
            with random.rehearsal(), runtime.postponed():
                program = _ClosureProgram(self.model, closure, trained, weights, layers)
            self.status = "compiled"
        except Untraceable as reason:
            self._tell(reason.explain())
        self._programs[key] = program
        return program

    def _tell(self, reason: str) -> None:
        self.status = reason
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"{self.model.name}: a training step of its own runs operation by operation, not "
                f"as a compiled program: {reason}",
                stacklevel=6,
            )


class _ClosureProgram:
    """A function's value, the gradients, and what layers keep up, as one program.

    Raises
    ------
    Untraceable
        If what the function did can't be repeated without it.
    """

    def __init__(
        self,
        model: Any,
        closure: Closure,
        trained: list[Parameter],
        weights: list[Parameter],
        layers: list[Any],
    ) -> None:
        if not native.available() or current_policy() in ("prefer_mxnet", "only_mxnet"):
            raise Untraceable("there are no programs under this policy, or without numba")
        if any(p.dtype != _FLOAT for p in weights):
            raise Untraceable("only float32 weights have instructions")
        for name, a in zip(closure.names, closure.arrays, strict=True):
            _check_array(name, as_ndarray(a))
        self._trained, self._weights = trained, weights
        self._held = closure.objects, layers  # an identity is one while the object lives
        with open_trace(ProgramTrace) as trace, random.observed(trace.draw):
            inputs = [
                trace.input(wrap(numpy.array(numpy_value(as_ndarray(a)))), aligned(a.shape))
                for a in closure.arrays
            ]
            values = [trace.input(p.value, aligned(p.storage.shape), p.transposed) for p in weights]
            at = {id(p): i for i, p in enumerate(weights)}
            function = closure.with_arrays(inputs)
            found: list[Any] = []

            def forward(given: list[Any]) -> list[Any]:
                now = list(values)
                for p, v in zip(trained, given, strict=True):
                    now[at[id(p)]] = v
                with bound(weights, now), forward_pass(training=True):
                    found.append(function())
                return [as_ndarray(_number(found[0]))]

            with collect_updates() as updates:
                (value,), tape = record(forward, [values[at[id(p)]] for p in trained])
            _check_number(model, value)
            function.check()
            self.surroundings = Surroundings(closure.functions, [*closure.objects, *layers])
            escaped = self.surroundings.where(trace.owns)
            if escaped is not None:
                raise Untraceable(f"it keeps an array as {escaped}; return it beside the number")
            gradients = tape.back([registry["ones_like"](value)], once=True)
            self._gradients = _Results(gradients, trace, [p.transposed for p in trained])
            leaves, self._fill = flatten(found[0])
            self._outputs = _Results([value, *leaves[1:]], trace)
            masks = [getattr(leaf, "_keras_mask", None) for leaf in leaves]
            self._masks = _Results([m if m is None else m.astype("float32") for m in masks], trace)
            self._updates = _Results([as_ndarray(v) for _, v in updates], trace)
            self._updated = [p for p, _ in updates]
            parts = (self._outputs, self._masks, self._updates, self._gradients)
            self._draws = list(trace.draws.values())
            self._enclosing = enclosing_arrays(trace)
            self._runnable = Runnable(
                trace,
                [r for part in parts for r in part.computed],
                settings.products,
                [turned for part in parts for turned in part.turned],
            )
        for part in parts:
            part.computed = []

    def takes(self, arrays: list[Any]) -> bool:
        """Say whether the program can be run with these arrays in place of the first."""
        unchanged = all(numpy.array_equal(array, known) for array, known in self._enclosing)
        return unchanged and self._runnable.takes([numpy_value(as_ndarray(a)) for a in arrays])

    def __call__(self, arrays: list[Any]) -> tuple[Any, list[Any]]:
        """Return what the function returns with these arrays, and the gradients."""
        results = iter(
            self._runnable(
                [
                    *(numpy_value(as_ndarray(a)) for a in arrays),
                    *(p.storage for p in self._weights),
                    *(numpy_value(again()) for again in self._draws),
                ]
            )
        )
        outputs = self._outputs.filled(results)
        for leaf, mask in zip(outputs, self._masks.filled(results), strict=True):
            if mask is not None:
                leaf._keras_mask = mask > 0
        updates = self._updates.filled(results)
        gradients = self._gradients.filled(results)
        for p, new in zip(self._updated, updates, strict=True):
            p.assign(numpy_value(new))
        pairs = zip(self._trained, gradients, strict=True)
        return self._fill(outputs), [
            registry["zeros_like"](p.value) if g is None else g for p, g in pairs
        ]


class _Results:
    """Things of which a program computes some; the others are the same at each run."""

    def __init__(self, things: list[Any], trace: ProgramTrace, turned: Any = None) -> None:
        self._is_computed = [trace.owns(thing) for thing in things]
        self._things = [
            None if computed else thing
            for thing, computed in zip(things, self._is_computed, strict=True)
        ]
        self.computed = [thing for thing in things if trace.owns(thing)]
        self.turned = [
            t
            for t, computed in zip(turned or [False] * len(things), self._is_computed, strict=True)
            if computed
        ]
        for r in self.computed:
            if r.dtype != _FLOAT:
                raise Untraceable(f"a result of {r.dtype}; programs give float32")

    def filled(self, results: Iterator[numpy.ndarray]) -> list[Any]:
        return [
            wrap(next(results)) if computed else _own(thing)
            for thing, computed in zip(self._things, self._is_computed, strict=True)
        ]


def _own(thing: Any) -> Any:
    """Return a result that the program doesn't compute, for the caller to write to."""
    return thing.copy() if isinstance(thing, ndarray | numpy.ndarray) else thing


def _settled(leaf: Any) -> Any:
    """Return what a function gave back, without what the tape knows of it."""
    if type(leaf) is not ndarray:
        return leaf
    made, mask = wrap(numpy_value(leaf)), getattr(leaf, "_keras_mask", None)
    if mask is not None:
        made._keras_mask = wrap(numpy_value(mask))
    return made


def _number(found: Any) -> Any:
    """Return the number that is differentiated: alone, or the first of a tuple."""
    return found[0] if isinstance(found, tuple) and found else found


def _check_number(model: Any, value: ndarray) -> None:
    if value.size != 1:
        raise DifferentiationError(
            f"{model.name}: expected a function that returns one number, or a tuple with that in "
            f"front, got shape {value.shape}"
        )


def _check_array(name: str, array: ndarray) -> None:
    """Raise `Untraceable` for an array that can't be an input of a program."""
    if getattr(array, "_keras_mask", None) is not None:
        raise Untraceable(f"{name} has a mask; let the layer that makes it be a part of the loss")
    if is_tracked(array):
        raise Untraceable(f"{name} is followed by an enclosing derivative")
    if not array.context.on_host:
        raise Untraceable(f"{name} lies on {array.context!r}")
    if array.dtype != _FLOAT and array.dtype.kind not in "iub":
        raise Untraceable(
            f"{name} is an array of {array.dtype}, and programs compute in float32; turn it into "
            f"one by {name}.astype('float32')"
        )


def _difference(before: Closure, now: Closure) -> str | None:
    """Return the place of what another call captured otherwise, None for arrays of other shapes."""
    pairs = zip(before.key, now.key, now.places, strict=False)
    return next((place for old, new, place in pairs if old != new), None)
