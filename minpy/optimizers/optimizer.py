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
from typing import Any

import numpy

from minpy.aligned import aligned_full
from minpy.errors import ShapeError
from minpy.optimizers import fused, reference, schedules
from minpy.optimizers.arguments import check_shared
from minpy.optimizers.layout import Excluded, Layout
from minpy.optimizers.norms import norm, shorten
from minpy.optimizers.on_weights import OnWeights
from minpy.optimizers.own_update import OwnUpdate
from minpy.optimizers.race import Race
from minpy.optimizers.readings import Count, Rate
from minpy.optimizers.rules import Rule, rules, with_average
from minpy.optimizers.schedules.schedule import LearningRateSchedule

__all__ = ["AVERAGE", "Optimizer"]

# Slots that the options of every optimizer need: names, as they stand in checkpoints.
AVERAGE = "moving_average"
_ACCUMULATOR = "gradient_accumulator"

# What is computed in for weights of a dtype; and the magnitude below which a slot's element becomes
# zero: 64 times the smallest normal number, so that a step's products with it are normal too.
# Arithmetic on denormals takes many times as long, and the slots of units that get no gradient
# would decay into them and stay there.
_COMPUTED = {"float16": numpy.float32, "float32": numpy.float32, "float64": numpy.float64}
_TINY = {
    numpy.float32: numpy.float32(2.0**-120),
    numpy.float64: numpy.float64(2.0**-1016),
}


class Optimizer(OwnUpdate, OnWeights):
    """The base of optimizers.

    A subclass stores its arguments in ``__init__``, names a row of the table in ``rule``, and
    computes the row's scalars for a step in ``scalars``. Or, slower, it makes its variables in
    ``build(variables)`` and changes one weight in ``update_step``, as in Keras.

    Parameters
    ----------
    learning_rate
        A number; a `LearningRateSchedule` of the step; or a function without arguments.
    weight_decay
        Each step takes ``weight_decay · learning_rate`` of a weight away, apart from its gradient
        (Loshchilov and Hutter, 2019).
    clipnorm
        Longest gradient of one weight; longer ones are shortened.
    clipvalue
        Largest element of a gradient.
    global_clipnorm
        Longest gradient of all weights together. Only one of the three can be given.
    use_ema
        Whether to keep an exponential moving average of the weights, in the slot
        ``moving_average``; `finalize_variable_values` puts it in their place.
    ema_momentum
        How much of the average a batch keeps, 0 to 1.
    ema_overwrite_frequency
        The weights become their average every so many steps; None leaves that to the end.
    loss_scale_factor
        What the loss is multiplied by before it is differentiated; gradients are divided by it.
    gradient_accumulation_steps
        Batches whose mean gradient makes one step: the weights change at each such batch only.
    name
        For messages and files; the class's by default.

    Attributes
    ----------
    iterations
        Steps done.
    batches
        Calls of `step`: as many as steps, or `gradient_accumulation_steps` times as many.
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
    >>> optimizer.step(w, numpy.array([1., -1.], 'float32'))
    >>> w
    array([0.5, 2.5], dtype=float32)
    """

    # Slots that don't start at zero: name → attribute with the value, None for the weights.
    initial_values: Mapping[str, str | None] = {}
    # Whether a step looks at one weight at a time, and so has to be told where each lies.
    by_weight: bool = False

    def __init__(
        self,
        learning_rate: Any = 0.01,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None:
        check_shared(
            self,
            weight_decay,
            clipnorm,
            clipvalue,
            global_clipnorm,
            ema_momentum,
            ema_overwrite_frequency,
            loss_scale_factor,
            gradient_accumulation_steps,
        )
        self.name = name or type(self).__name__.lower()
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.clipvalue = clipvalue
        self.global_clipnorm = global_clipnorm
        self.use_ema = bool(use_ema)
        self.ema_momentum = ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self.fused = True
        self.batches = 0
        # Whether the weights and their moving average have changed places.
        self.average_in_weights = False
        self.slots: dict[str, numpy.ndarray] = {}
        self._excluded = Excluded()
        self._learning_rate: Any = None
        self._set_learning_rate(learning_rate)
        self._forget_buffers()

    def _forget_buffers(self) -> None:
        self.slots = {}
        self._weights = self._places = None
        self._size: int | None = None
        self._dtype: numpy.dtype | None = None
        self._computed: Any = None
        self._segments: Any = None
        self._layout: Layout | None = None
        self._race: Race | None = None
        # Slots that are to become the weights at the first batch.
        self._unfilled: tuple[str, ...] = ()
        self._forget_own_variables()

    # --- for subclasses -------------------------------------------------------------------------

    @property
    def rule(self) -> str:
        """Name of the row of `minpy.optimizers.rules` that these arguments select."""
        raise NotImplementedError(f"{type(self).__name__} has no rule")

    def scalars(self, rate: float, step: int) -> dict[str, float]:
        """Return the row's scalars for a step, the first of which is 1, in float64."""
        if self.has_own_update:
            return {}
        raise NotImplementedError(f"{type(self).__name__} has no scalars(rate, step)")

    @property
    def slot_names(self) -> tuple[str, ...]:
        """Names of the slots that `build` makes for the update itself."""
        return rules[self.rule].slots

    def _all_slot_names(self) -> tuple[str, ...]:
        names = () if self.has_own_update else self.slot_names
        if self.gradient_accumulation_steps:
            names += (_ACCUMULATOR,)
        if self.use_ema:
            names += (AVERAGE,)
        return names

    # --- steps and learning rate ----------------------------------------------------------------

    @property
    def iterations(self) -> int:
        """Steps done: the batches, or so many times fewer where gradients are accumulated."""
        return Count(self._steps_done(), self)

    @iterations.setter
    def iterations(self, value: int) -> None:
        self.batches = int(value) * (self.gradient_accumulation_steps or 1)

    def _steps_done(self) -> int:
        every = self.gradient_accumulation_steps
        return self.batches // every if every else self.batches

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step; set it to a number, or to a schedule."""
        return Rate(self._rate(), self)

    def _rate(self) -> float:
        rate = self._learning_rate
        if isinstance(rate, float):
            return rate
        if isinstance(rate, LearningRateSchedule):
            return float(rate(self._steps_done()))
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

    def build(
        self,
        size: int | Sequence[Any],
        dtype: Any = "float32",
        values: numpy.ndarray | None = None,
        segments: Sequence[tuple] | None = None,
    ) -> None:
        """Make the slots.

        Parameters
        ----------
        size
            Number of elements of the flat buffer; or a list of weights, which need nothing else.
        dtype
            Of the weights: float16, float32 or float64. The slots of float16 are float32.
        values
            The weights, for slots that begin as a copy of them (the moving average's); those wait
            for the first `step` if not given.
        segments
            The weights' places, as of `step`, for slots that begin differently in each.

        Raises
        ------
        ValueError
            If there are slots for another buffer already; `reset_slots` drops them.
        TypeError
            If weights of that dtype can't be trained.
        """
        if isinstance(size, list | tuple):
            self.build_for(size)
        elif self.has_own_update:
            raise TypeError(
                f"{self.name}: defines update_step, which takes weights and no flat buffers; use "
                "it in compile, or by apply(gradients, weights), and inside no other optimizer"
            )
        else:
            self._make(size, dtype, values, segments)

    def _make(
        self,
        size: int,
        dtype: Any,
        values: numpy.ndarray | None = None,
        segments: Sequence[tuple] | None = None,
    ) -> None:
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
        names = self._all_slot_names()
        first = {AVERAGE: None, **self.initial_values}
        self.slots = {
            slot: aligned_full(
                size, self._computed, getattr(self, first[slot]) if first.get(slot) else 0.0
            )
            for slot in names
        }
        self._unfilled = tuple(slot for slot in names if first.get(slot, slot) is None)
        self._size = int(size)
        self._dtype = dtype
        if values is not None:
            self._fill(values)
        self._race = Race() if size >= fused.SHORTEST_SHARED else None

    def _fill(self, values: numpy.ndarray) -> None:
        for slot in self._unfilled:
            self.slots[slot][...] = values
        self._unfilled = ()

    def reset_slots(self) -> None:
        """Drop the slots; `build` makes new ones. Iterations and learning rate stay."""
        numbers = self._own_state()
        self._forget_buffers()
        self._set_own_state(numbers)

    def reset(self) -> None:
        """Start anew: no steps done, slots as `build` makes them. The learning rate stays."""
        size, dtype = self._size, self._dtype
        weights, places = self._weights, self._places
        self._forget_buffers()
        self.batches = 0
        if size is not None:
            self.build_on(weights, size, dtype, None, places)

    def exclude_from_weight_decay(self, var_list: Any = None, var_names: Any = None) -> None:
        """Leave weights out of weight decay.

        Parameters
        ----------
        var_list
            Weights of a model (``layer.bias``), or their paths.
        var_names
            Regular expressions; a weight whose path has one of them anywhere is left out:
            ``['bias', 'gamma', 'beta']``.

        Notes
        -----
        A second call replaces what the first one said. It is part of the state that a checkpoint
        keeps.
        """
        paths = [w if isinstance(w, str) else w.path for w in var_list or ()]
        names = [var_names] if isinstance(var_names, str) else list(var_names or ())
        for name in names:
            try:
                re.compile(name)
            except (re.error, TypeError) as error:
                raise ValueError(
                    f"{self.name}: expected var_names to be regular expressions, got {name!r}: "
                    f"{error}"
                ) from None
        self._excluded = Excluded(paths, names)
        self._segments = self._layout = None

    # --- loss scale and averages ----------------------------------------------------------------

    @property
    def loss_scale(self) -> float:
        """What the loss of the next batch is to be multiplied by; `step` divides by it."""
        return 1.0 if self.loss_scale_factor is None else self.loss_scale_factor

    def scale_loss(self, loss: Any) -> Any:
        """Return the loss times `loss_scale`."""
        return loss if self.loss_scale == 1.0 else loss * self.loss_scale

    def finalize_variable_values(self, w: Any) -> None:
        """Put the moving average in the place of the weights, at the end of training.

        Parameters
        ----------
        w
            The flat buffer of the weights, or the weights themselves, as
            ``model.trainable_weights``; left as they are without `use_ema`.
        """
        if not isinstance(w, numpy.ndarray):
            self._finalize(w)
            return
        if self.average_in_weights:  # they are it already; the slot follows
            self.slots[AVERAGE][...] = w
            self.average_in_weights = False
        elif self.use_ema and AVERAGE in self.slots and AVERAGE not in self._unfilled:
            w[...] = self.slots[AVERAGE]

    def swap_moving_average(self, w: numpy.ndarray) -> None:
        """Let the weights and their moving average change places.

        Parameters
        ----------
        w
            The flat buffer of the weights.

        Raises
        ------
        ValueError
            If no average is kept.
        """
        if not self.use_ema:
            raise ValueError(f"{self.name}: keeps no moving average; make it with use_ema=True")
        self._fill(w)
        average = self.slots[AVERAGE]
        held = w.copy()
        w[...] = average
        average[...] = held
        self.average_in_weights = not self.average_in_weights

    # --- a step ---------------------------------------------------------------------------------

    def step(
        self,
        w: numpy.ndarray,
        g: numpy.ndarray,
        segments: Sequence[tuple] | None = None,
        scale: float = 1.0,
    ) -> None:
        """Count one batch: do a step, or add its gradient to those of the next step.

        Parameters
        ----------
        w
            The weights, 1-D, contiguous; changed in place.
        g
            Their gradients, of the same shape and dtype; left as they are.
        segments
            The weights' places, as `Segment` or a tuple of its first fields, rising. Needed by
            `clipnorm`, for exclusions from weight decay, and by optimizers that look at one weight
            at a time. What lies between two segments is padding, whose gradient must be zero. Pass
            the same object each time: what follows from it is computed once.
        scale
            Factor on the gradients before anything else, beside the loss scale.

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
        if self.loss_scale_factor is not None:
            scale = scale / self.loss_scale_factor
        done = self._steps_done()
        every = self.gradient_accumulation_steps
        keep = None if not self.use_ema else self.ema_momentum if done else 0.0
        if every and (self.batches + 1) % every:
            self._fill(w)
            accumulated = self.slots[_ACCUMULATOR]
            accumulated += g if scale == 1.0 else g * self._computed(scale)
            averaged = False
        else:
            rate = self._rate()
            scalars = self.scalars(rate, done + 1)
            # Nothing before this line changes anything.
            self._fill(w)
            if every:
                accumulated = self.slots[_ACCUMULATOR]
                accumulated += g if scale == 1.0 else g * self._computed(scale)
                g, scale = accumulated, 1.0 / every
            averaged = self._update(w, g, layout, scalars, rate, scale, keep)
            if every:
                accumulated[...] = 0
        if keep is not None:
            if not averaged:
                average = self.slots[AVERAGE]
                average *= self._computed(keep)
                average += w * self._computed(1.0 - keep)
            overwrite = self.ema_overwrite_frequency
            if overwrite and (done + 1) % overwrite == 0:
                w[...] = self.slots[AVERAGE]
        self.batches += 1

    def _update(
        self,
        w: numpy.ndarray,
        g: numpy.ndarray,
        layout: Layout,
        scalars: Mapping[str, float],
        rate: float,
        scale: float,
        keep: float | None,
    ) -> bool:
        """Change weights and slots; return whether the moving average has followed already."""
        if self.has_own_update:
            scales, decays = self._scales(g, layout, scale), self._decays(layout, rate)
            self._update_each(w, g, scales, decays, layout.bounds, rate)
            return False
        rule: Rule = rules[self.rule]
        number = self._computed
        told = scalars
        if keep is not None:
            rule = with_average(rule)
            told = {**scalars, "keep_average": keep, "rest_average": 1.0 - keep}
        clip = number(math.inf if self.clipvalue is None else self.clipvalue)
        self._pass(
            rule,
            w,
            g,
            [self.slots[name] for name in rule.slots],
            [number(told[name]) for name in rule.scalars],
            layout.bounds,
            self._scales(g, layout, scale),
            self._decays(layout, rate),
            clip,
            self._race,
        )
        return True

    def _pass(
        self,
        rule: Rule,
        w: numpy.ndarray,
        g: numpy.ndarray,
        slots: list[numpy.ndarray],
        scalars: list[Any],
        bounds: numpy.ndarray,
        scales: numpy.ndarray,
        decays: numpy.ndarray,
        clip: Any,
        race: Race | None = None,
    ) -> None:
        """Run a rule over buffers."""
        rest = (g, slots, scalars, bounds, scales, decays, clip, _TINY[self._computed])
        # The accumulator of float16 gradients is float32.
        plain = self.fused and g.dtype == w.dtype
        compiled = fused.kernel(rule, w.dtype) if plain else None
        if compiled is not None:
            fused.run(compiled, race, w, *rest)
        else:
            reference.step(rule, w, *rest)

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

    def _layout_of(self, segments: Sequence[tuple] | None) -> Layout:
        if self._layout is None or self._segments is not segments:
            self._layout = Layout(
                self._size,
                segments,
                each=self.by_weight or self.clipnorm is not None,
                excluded=self._excluded,
                owner=self,
            )
            self._segments = segments
        return self._layout

    def _scales(self, g: numpy.ndarray, layout: Layout, scale: float) -> numpy.ndarray:
        """Return each run's factor on the gradient: the given one, times that of the clipping."""
        if self.clipnorm is not None:
            bounds = layout.bounds
            factors = [
                scale * shorten(norm(g[a:b]) * scale, self.clipnorm)
                for a, b in itertools.pairwise(bounds)
            ]
            return numpy.array(factors, self._computed)
        if self.global_clipnorm is not None:
            scale = scale * shorten(norm(g) * scale, self.global_clipnorm)
        return layout.constant(scale, self._computed)

    def _decays(self, layout: Layout, rate: float) -> numpy.ndarray:
        """Return the part of a weight that each run loses."""
        if not self.weight_decay:
            return layout.constant(0.0, self._computed)
        return (layout.decayed * (self.weight_decay * rate)).astype(self._computed)

    # --- state and configuration ----------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Return what, with the slots, training goes on from; JSON can hold it."""
        state: dict[str, Any] = {"iterations": self._steps_done()}
        if self.gradient_accumulation_steps:
            state["batches"] = self.batches
        if isinstance(self._learning_rate, float):
            state["learning_rate"] = self._learning_rate
        if self.average_in_weights:
            state["average_in_weights"] = True
        if self._excluded:
            state["excluded_from_weight_decay"] = self._excluded.get_state()
        if self._own_variables:
            state["variables"] = self._own_state()
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
        every = self.gradient_accumulation_steps or 1
        batches = state.get("batches", iterations * every)
        if not isinstance(batches, int) or batches // every != iterations:
            raise ValueError(
                f"{self.name}: expected {iterations} steps of {every} batches each, got "
                f"{batches!r} batches; make the optimizer with the same gradient_accumulation_steps"
            )
        if "learning_rate" in state and isinstance(self._learning_rate, float):
            self._set_learning_rate(state["learning_rate"])
        if "excluded_from_weight_decay" in state:
            self._excluded = Excluded(**state["excluded_from_weight_decay"])
            self._segments = self._layout = None
        self._set_own_state(state.get("variables", {}))
        self.batches = batches
        self.average_in_weights = bool(state.get("average_in_weights", False))
        if batches:
            self._unfilled = ()  # the slots that belong to the state are set beside it

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
            "use_ema": self.use_ema,
            "ema_momentum": self.ema_momentum,
            "ema_overwrite_frequency": self.ema_overwrite_frequency,
            "loss_scale_factor": self.loss_scale_factor,
            "gradient_accumulation_steps": self.gradient_accumulation_steps,
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
