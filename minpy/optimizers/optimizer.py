"""What all optimizers share: learning rate, clipping, weight decay, slots, state, one step.

An optimizer works on flat buffers: the weights lie in one 1-D array, the gradients in another, and
each slot (momentum, velocity, …) in one of the same length. What it does to an element is a row of
`minpy.optimizers.rules`; how a row is run is `minpy.optimizers.fused`'s and
`minpy.optimizers.reference`'s business. It must not know models, layers or derivatives.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy

from minpy.errors import ShapeError
from minpy.optimizers import fused, reference, schedules
from minpy.optimizers.race import Race
from minpy.optimizers.rules import Rule, rules
from minpy.optimizers.schedules.schedule import LearningRateSchedule

__all__ = ["Optimizer", "Segment"]

# What is computed in for weights of a dtype; and the magnitude below which a slot's element becomes
# zero: 64 times the smallest normal number, so that a step's products with it are normal too.
# Arithmetic on denormals takes many times as long, and the slots of units that get no gradient
# would decay into them and stay there.
_COMPUTED = {"float16": numpy.float32, "float32": numpy.float32, "float64": numpy.float64}
_TINY = {
    numpy.float32: numpy.float32(2.0**-120),
    numpy.float64: numpy.float64(2.0**-1016),
}


class Segment(NamedTuple):
    """Where a weight lies in the flat buffers, and what is special about it.

    Parameters
    ----------
    start, stop
        Its first element, and the one after its last.
    name
        Its path, for `Optimizer.exclude_from_weight_decay`.
    decay
        False leaves it out of weight decay.
    """

    start: int
    stop: int
    name: str = ""
    decay: bool = True


class Optimizer:
    """The base of optimizers.

    A subclass stores its arguments in ``__init__``, names a row of the table in ``rule``, and
    computes the row's scalars for a step in ``scalars``.

    Parameters
    ----------
    learning_rate
        A number; a `LearningRateSchedule` of the step; or a function without arguments.
    name
        For messages and files; the class's by default.
    weight_decay
        Each step takes ``weight_decay · learning_rate`` of a weight away, apart from its gradient
        (Loshchilov and Hutter, 2019).
    clipnorm
        Longest gradient of one weight; longer ones are shortened.
    clipvalue
        Largest element of a gradient.
    global_clipnorm
        Longest gradient of all weights together. Only one of the three can be given.

    Attributes
    ----------
    iterations
        Steps done.
    slots
        Name → flat array, as long as the weights.
    fused
        Whether compiled kernels may be used; False runs the NumPy reference.

    Examples
    --------
    A step of gradient descent on two weights in one buffer:

    >>> import numpy
    >>> from minpy.optimizers import SGD
    >>> optimizer = SGD(learning_rate=0.5)
    >>> w = numpy.array([1., 2.], 'float32')
    >>> optimizer.build(w.size, w.dtype)
    >>> optimizer.apply(w, numpy.array([1., -1.], 'float32'))
    >>> w
    array([0.5, 2.5], dtype=float32)
    """

    # Slots that don't start at zero: name → attribute with the value.
    initial_values: Mapping[str, str] = {}

    def __init__(
        self,
        learning_rate: Any = 0.01,
        name: str | None = None,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
    ) -> None:
        given = {
            "clipnorm": clipnorm,
            "clipvalue": clipvalue,
            "global_clipnorm": global_clipnorm,
        }
        told = [f"{k}={v}" for k, v in given.items() if v is not None]
        if len(told) > 1:
            raise ValueError(
                f"{type(self).__name__}: expected at most one of clipnorm, clipvalue and "
                f"global_clipnorm, got {', '.join(told)}"
            )
        for key, value in {**given, "weight_decay": weight_decay}.items():
            if value is not None and not (_is_number(value) and value >= 0):
                raise ValueError(
                    f"{type(self).__name__}: expected {key} to be a number ≥ 0 or None, "
                    f"got {value!r}"
                )
        self.name = name or type(self).__name__.lower()
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.clipvalue = clipvalue
        self.global_clipnorm = global_clipnorm
        self.fused = True
        self.iterations = 0
        self.slots: dict[str, numpy.ndarray] = {}
        self._excluded: re.Pattern[str] | None = None
        self._learning_rate: Any = None
        self._set_learning_rate(learning_rate)
        self._forget_buffers()

    def _forget_buffers(self) -> None:
        self.slots = {}
        self._size: int | None = None
        self._dtype: numpy.dtype | None = None
        self._computed: Any = None
        self._segments: Any = None
        self._layout: _Layout | None = None
        self._race: Race | None = None

    # --- for subclasses -------------------------------------------------------------------------

    @property
    def rule(self) -> str:
        """Name of the row of `minpy.optimizers.rules` that these arguments select."""
        raise NotImplementedError(f"{type(self).__name__} has no rule")

    def scalars(self, rate: float, step: int) -> dict[str, float]:
        """Return the row's scalars for a step, the first of which is 1, in float64."""
        raise NotImplementedError(f"{type(self).__name__} has no scalars(rate, step)")

    # --- learning rate --------------------------------------------------------------------------

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step; set it to a number, or to a schedule."""
        rate = self._learning_rate
        if isinstance(rate, float):
            return rate
        if isinstance(rate, LearningRateSchedule):
            return float(rate(self.iterations))
        return float(rate())

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if isinstance(self._learning_rate, LearningRateSchedule) and not callable(value):
            raise TypeError(
                f"{self.name}: the learning rate is the schedule "
                f"{type(self._learning_rate).__name__} and can't be set to {value!r}; make the "
                "optimizer with a number, or set another schedule"
            )
        self._set_learning_rate(value)

    def _set_learning_rate(self, value: Any) -> None:
        if isinstance(value, LearningRateSchedule) or callable(value):
            self._learning_rate = value
            return
        try:
            rate = float(value)
        except (TypeError, ValueError):
            rate = math.nan
        if isinstance(value, bool | str) or not math.isfinite(rate) or rate < 0:
            raise ValueError(
                f"{type(self).__name__}: expected learning_rate to be a finite number ≥ 0, a "
                f"LearningRateSchedule or a function without arguments, got {value!r}"
            )
        self._learning_rate = rate

    # --- buffers --------------------------------------------------------------------------------

    @property
    def built(self) -> bool:
        """Whether the slots exist."""
        return self._size is not None

    def build(self, size: int, dtype: Any = "float32") -> None:
        """Make the slots.

        Parameters
        ----------
        size
            Number of elements of the flat buffer.
        dtype
            Of the weights: float16, float32 or float64. The slots of float16 are float32.

        Raises
        ------
        ValueError
            If there are slots for another buffer already; `reset_slots` drops them.
        TypeError
            If weights of that dtype can't be trained.
        """
        dtype = numpy.dtype(dtype)
        if dtype.name not in _COMPUTED:
            raise TypeError(
                f"{self.name}: weights must be float16, float32 or float64, got {dtype.name}"
            )
        if self.built:
            if (size, dtype) == (self._size, self._dtype):
                return
            raise ValueError(
                f"{self.name}: has slots for {self._size} elements of {self._dtype} already, got "
                f"{size} of {dtype}; call reset_slots() first, or make another optimizer"
            )
        self._computed = _COMPUTED[dtype.name]
        self.slots = {
            slot: _aligned_full(
                size,
                self._computed,
                getattr(self, self.initial_values[slot]) if slot in self.initial_values else 0.0,
            )
            for slot in rules[self.rule].slots
        }
        self._size = int(size)
        self._dtype = dtype
        self._race = Race() if size >= fused.SHORTEST_SHARED else None

    def reset_slots(self) -> None:
        """Drop the slots; `build` makes new ones. Iterations and learning rate stay."""
        self._forget_buffers()

    def reset(self) -> None:
        """Start anew: no steps done, slots as `build` makes them. The learning rate stays."""
        size, dtype = self._size, self._dtype
        self._forget_buffers()
        self.iterations = 0
        if size is not None:
            self.build(size, dtype)

    def exclude_from_weight_decay(self, var_names: Sequence[str]) -> None:
        """Leave weights out of weight decay by name.

        Parameters
        ----------
        var_names
            Regular expressions; a weight whose path has one of them anywhere is left out:
            ``['bias', 'gamma', 'beta']``.
        """
        names = [var_names] if isinstance(var_names, str) else list(var_names)
        self._excluded = re.compile("|".join(names)) if names else None
        self._segments = self._layout = None

    # --- a step ---------------------------------------------------------------------------------

    def apply(
        self,
        w: numpy.ndarray,
        g: numpy.ndarray,
        segments: Sequence[tuple] | None = None,
        scale: float = 1.0,
    ) -> None:
        """Do one step.

        Parameters
        ----------
        w
            The weights, 1-D, contiguous; changed in place.
        g
            Their gradients, of the same shape and dtype; left as they are.
        segments
            The weights' places, as `Segment` or ``(start, stop)``, rising. Needed by `clipnorm`
            and for exclusions from weight decay. What lies between two segments is padding, whose
            gradient must be zero.
        scale
            Factor on the gradients before anything else: one over a loss scale, or over a number
            of batches whose gradients were added up.

        Raises
        ------
        ShapeError
            If a buffer or a segment doesn't fit what `build` was told; nothing is changed then.
        TypeError
            If a dtype doesn't.
        """
        if not self.built:
            self.build(w.size, w.dtype)
        self._check(w, g)
        layout = self._layout_of(segments)
        rate = self.learning_rate
        rule: Rule = rules[self.rule]
        number = self._computed
        told = self.scalars(rate, self.iterations + 1)
        scalars = [number(told[name]) for name in rule.scalars]
        scales = self._scales(g, layout, scale)
        decays = (layout.decayed * ((self.weight_decay or 0.0) * rate)).astype(number)
        clip = number(math.inf if self.clipvalue is None else self.clipvalue)
        slots = [self.slots[name] for name in rule.slots]
        rest = (g, slots, scalars, layout.bounds, scales, decays, clip, _TINY[number])
        compiled = fused.kernel(rule, w.dtype) if self.fused else None
        # Nothing before this line changes anything.
        if compiled is not None:
            fused.run(compiled, self._race, w, *rest)
        else:
            reference.step(rule, w, *rest)
        self.iterations += 1

    def _check(self, w: numpy.ndarray, g: numpy.ndarray) -> None:
        for what, buffer in (("weights", w), ("gradients", g)):
            if buffer.ndim != 1 or buffer.size != self._size:
                raise ShapeError(
                    f"{self.name}: expected {what} of shape ({self._size},), as build() was told, "
                    f"got {buffer.shape}"
                )
            if buffer.dtype != self._dtype:
                raise TypeError(
                    f"{self.name}: expected {what} of {self._dtype}, got {buffer.dtype}"
                )
            if not buffer.flags.c_contiguous:
                raise ValueError(f"{self.name}: expected contiguous {what}, got strides")
        if not w.flags.writeable:
            raise ValueError(f"{self.name}: the weights are read-only")

    def _layout_of(self, segments: Sequence[tuple] | None) -> _Layout:
        if self._layout is None or self._segments is not segments:
            self._layout = _Layout(
                self._size,
                segments,
                each=self.clipnorm is not None,
                excluded=self._excluded,
                owner=self.name,
            )
            self._segments = segments
        return self._layout

    def _scales(self, g: numpy.ndarray, layout: _Layout, scale: float) -> numpy.ndarray:
        """Return each run's factor on the gradient: the given one, times that of the clipping."""
        runs = len(layout.bounds) - 1
        if self.clipnorm is not None:
            bounds = layout.bounds
            factors = [
                scale * _shorten(_norm(g[a:b]) * scale, self.clipnorm)
                for a, b in itertools.pairwise(bounds)
            ]
            return numpy.array(factors, self._computed)
        if self.global_clipnorm is not None:
            scale = scale * _shorten(_norm(g) * scale, self.global_clipnorm)
        return numpy.full(runs, scale, self._computed)

    # --- state and configuration ----------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Return what, with the slots, training goes on from; JSON can hold it."""
        state: dict[str, Any] = {"iterations": self.iterations}
        if isinstance(self._learning_rate, float):
            state["learning_rate"] = self._learning_rate
        return state

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `get_state` returned.

        Raises
        ------
        ValueError
            If it isn't that; nothing is changed then.
        """
        iterations = state.get("iterations")
        if not isinstance(iterations, int) or isinstance(iterations, bool) or iterations < 0:
            raise ValueError(
                f"{self.name}: expected a state with iterations ≥ 0, got {dict(state)!r}"
            )
        if "learning_rate" in state and isinstance(self._learning_rate, float):
            self._set_learning_rate(state["learning_rate"])
        self.iterations = iterations

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer, without its state."""
        rate = self._learning_rate
        if isinstance(rate, LearningRateSchedule):
            rate = schedules.serialize(rate)
        elif not isinstance(rate, float):
            raise ValueError(
                f"{self.name}: a learning rate that is a function can't be saved; "
                "use a LearningRateSchedule"
            )
        return {
            "name": self.name,
            "learning_rate": rate,
            "weight_decay": self.weight_decay,
            "clipnorm": self.clipnorm,
            "global_clipnorm": self.global_clipnorm,
            "clipvalue": self.clipvalue,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> Optimizer:
        """Make an optimizer of what `get_config` returned."""
        config = dict(config)
        if isinstance(config.get("learning_rate"), Mapping):
            config["learning_rate"] = schedules.deserialize(config["learning_rate"], custom_objects)
        return cls(**config)

    def __repr__(self) -> str:
        rate = self._learning_rate
        shown = f"{rate:g}" if isinstance(rate, float) else getattr(rate, "name", "function")
        return f"<{type(self).__name__} learning_rate={shown} iterations={self.iterations}>"


class _Layout:
    """Runs of the buffer that are treated alike, between rising bounds.

    Attributes
    ----------
    bounds
        Where the runs begin and end, int64, one more than runs.
    decayed
        1 for a run with weight decay, 0 for one without.
    """

    def __init__(
        self,
        size: int,
        segments: Sequence[tuple] | None,
        each: bool,
        excluded: re.Pattern[str] | None,
        owner: str,
    ) -> None:
        if segments is None:
            if each or excluded is not None:
                what = "clipnorm" if each else "exclude_from_weight_decay"
                raise ValueError(f"{owner}: {what} needs to be told the segments of the weights")
            segments = [(0, size)]
        bounds, decayed = [0], []
        before = 0
        for given in segments:
            segment = Segment(*given)
            if not before <= segment.start <= segment.stop <= size:
                raise ShapeError(
                    f"{owner}: expected rising segments within {size} elements, got "
                    f"({segment.start}, {segment.stop}) after {before}"
                )
            before = segment.stop
            decays = segment.decay and not (excluded and excluded.search(segment.name))
            # A run ends where the next begins: padding belongs to the weight before it.
            if decayed and not each and decayed[-1] == decays:
                bounds[-1] = segment.stop
                continue
            if decayed:
                bounds[-1] = segment.start
            bounds.append(segment.stop)
            decayed.append(decays)
        bounds[-1] = size
        self.bounds = numpy.array(bounds if decayed else [0, size], numpy.int64)
        self.decayed = numpy.array(decayed or [True], numpy.float64)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | numpy.integer | numpy.floating) and not isinstance(
        value, bool
    )


def _norm(g: numpy.ndarray) -> float:
    """Return the Euclidean norm; in float64 where float32 overflows or loses everything."""
    squares = float(numpy.dot(g, g)) if g.dtype != numpy.float16 else math.inf
    if not 1e-30 < squares < 1e30 and g.dtype != numpy.float64:
        wide = g.astype(numpy.float64)
        squares = float(numpy.dot(wide, wide))
    return math.sqrt(squares) if squares == squares else math.nan


def _shorten(norm: float, longest: float) -> float:
    """Return the factor that brings a gradient to the longest allowed; NaN and inf stay visible."""
    if not math.isfinite(norm):
        return math.nan
    return longest / norm if norm > longest else 1.0


def _aligned_full(size: int, dtype: Any, value: float) -> numpy.ndarray:
    """Return a 1-D array that begins on a cache line, so that vector loads don't cross one."""
    itemsize = numpy.dtype(dtype).itemsize
    raw = numpy.empty(size * itemsize + 64, numpy.uint8)
    start = -raw.ctypes.data % 64
    made = raw[start : start + size * itemsize].view(dtype)
    made[...] = value
    return made


def check_fraction(owner: Optimizer, name: str, value: Any) -> None:
    """Raise `ValueError` unless an argument is a number from 0 to 1."""
    if not _is_number(value) or not 0 <= value <= 1:
        raise ValueError(f"{type(owner).__name__}: expected {name} from 0 to 1, got {value!r}")
