"""Steps on weights that lie on a GPU: the rows of the table as MXNet's update operators.

What MXNet has an operator for is one pass over the memory there; every other row, those of one's
own too, runs as it stands in `minpy.optimizers.rules`, on arrays of the device. The results are the
table's to float32 rounding. This module must not know models; of MXNet it knows the operators'
names.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy

from minpy import runtime
from minpy.array import wrap_nd
from minpy.context import Context
from minpy.errors import ShapeError
from minpy.optimizers.lamb import Lamb
from minpy.optimizers.norms import norm
from minpy.optimizers.optimizer import AVERAGE, Optimizer
from minpy.optimizers.rules import rules

__all__ = ["OnDevice", "operators"]

_ACCUMULATOR = "gradient_accumulator"


# --- the table ------------------------------------------------------------------------------------
#
# A row's name → what changes w and the slots in place, in the order of the row. `s` are the row's
# scalars, `shared` the factor on the gradient and the limit of its elements, which the operators
# use in that order too. False is returned where the scalars are such that the operator doesn't fit.


def _run(name: str, inputs: Sequence[Any], output: Any, **attrs: Any) -> None:
    runtime.eager.into(name, inputs, [output], **attrs)


def _sgd(s: Mapping, shared: Mapping, w: Any, g: Any) -> None:
    _run("sgd_update", [w, g], w, lr=s["rate"], **shared)


def _sgd_momentum(s: Mapping, shared: Mapping, w: Any, g: Any, momentum: Any) -> None:
    _run("sgd_mom_update", [w, g, momentum], w, lr=s["rate"], momentum=s["decay"], **shared)


def _sgd_nesterov(s: Mapping, shared: Mapping, w: Any, g: Any, momentum: Any) -> None:
    _run("nag_mom_update", [w, g, momentum], w, lr=s["rate"], momentum=s["decay"], **shared)


def _adam(s: Mapping, shared: Mapping, w: Any, g: Any, momentum: Any, velocity: Any) -> None:
    beta_2, off = _kept(s["rest_2"])
    _run(
        "adam_update",
        [w, g, momentum, velocity],
        w,
        lr=s["rate"] * off,
        beta1=1.0 - s["rest_1"],
        beta2=beta_2,
        epsilon=s["epsilon"] * off,
        **shared,
    )


def _lamb(
    s: Mapping, shared: Mapping, w: Any, g: Any, momentum: Any, velocity: Any, direction: Any
) -> None:
    beta_2, off = _kept(s["rest_2"])
    # m·c₁ / (√(v·c₂) + ε) is c₁/√c₂ times m / (√v + ε/√c₂): the corrections stand outside.
    root = math.sqrt(s["correction_2"])
    _run(
        "lamb_update_phase1",
        [w, g, momentum, velocity],
        direction,
        beta1=1.0 - s["rest_1"],
        beta2=beta_2,
        epsilon=s["epsilon"] / root * off,
        t=1,
        bias_correction=False,
        **shared,
    )
    _scale(direction, s["correction_1"] / root * off)


def _rmsprop(s: Mapping, shared: Mapping, w: Any, g: Any, velocity: Any) -> None:
    _run(
        "rmsprop_update",
        [w, g, velocity],
        w,
        lr=s["rate"],
        gamma1=s["rho"],
        epsilon=s["epsilon"],
        **shared,
    )


def _rmsprop_centered(
    s: Mapping, shared: Mapping, w: Any, g: Any, velocity: Any, average_gradient: Any
) -> None:
    last_step = runtime.eager("zeros_like", w)
    _run(
        "rmspropalex_update",
        [w, g, velocity, average_gradient, last_step],
        w,
        lr=s["rate"],
        gamma1=s["rho"],
        gamma2=0.0,
        epsilon=s["epsilon"],
        **shared,
    )


def _rmsprop_centered_momentum(
    s: Mapping,
    shared: Mapping,
    w: Any,
    g: Any,
    velocity: Any,
    momentum: Any,
    average_gradient: Any,
) -> None:
    # MXNet adds its step to the weights, where the table takes the momentum away: with the rate
    # turned round the slot is the table's, and the weights are changed by it afterwards.
    _run(
        "rmspropalex_update",
        [w, g, velocity, average_gradient, momentum],
        runtime.eager("zeros_like", w),
        lr=-s["rate"],
        gamma1=s["rho"],
        gamma2=s["decay"],
        epsilon=s["epsilon"],
        **shared,
    )
    _add(w, momentum, -1.0)


def _ftrl(s: Mapping, shared: Mapping, w: Any, g: Any, accumulator: Any, linear: Any) -> bool:
    if s["shrinkage"]:  # is in the sum of the gradients and not in that of their squares
        return False
    _run(
        "ftrl_update",
        [w, g, linear, accumulator],
        w,
        lr=1.0 / s["inverse_rate"],
        lamda1=s["l1"],
        beta=0.0,
        **{**shared, "wd": s["twice_l2"]},
    )
    return True


def _lion(s: Mapping, shared: Mapping, w: Any, g: Any, momentum: Any) -> None:
    g = _clipped(g, shared)
    between = runtime.eager("_mul_scalar", momentum, scalar=s["beta_1"])
    _add(between, g, s["rest_1"])
    _run("signsgd_update", [w, between], w, lr=s["rate"])
    _scale(momentum, s["beta_2"])
    _add(momentum, g, s["rest_2"])


operators: dict[str, Callable[..., bool | None]] = {
    "sgd": _sgd,
    "sgd_momentum": _sgd_momentum,
    "sgd_nesterov": _sgd_nesterov,
    "adam": _adam,
    "lamb": _lamb,
    "rmsprop": _rmsprop,
    "rmsprop_centered": _rmsprop_centered,
    "rmsprop_centered_momentum": _rmsprop_centered_momentum,
    "ftrl": _ftrl,
    "lion": _lion,
}


def _kept(rest: float) -> tuple[float, float]:
    """Return β₂, and what undoes that MXNet takes 1 − β₂ in float32, which is off by 1e-5.

    It makes v too large by a factor of f, and a rate and ε that are √f times as large make up for
    that.
    """
    beta = 1.0 - rest
    if not rest:
        return beta, 1.0
    return beta, math.sqrt(float(numpy.float32(1.0) - numpy.float32(beta)) / rest)


# --- in place, on the device ----------------------------------------------------------------------


def _scale(x: Any, factor: float) -> None:
    _run("_mul_scalar", [x], x, scalar=factor)


def _add(x: Any, y: Any, factor: float) -> None:
    """Add a multiple of `y` to `x`."""
    if x.dtype == numpy.float32:
        _run("sgd_update", [x, y], x, lr=-factor)
    else:  # the operator's rate is a float32
        _run("elemwise_add", [x, runtime.eager("_mul_scalar", y, scalar=factor)], x)


def _set(x: Any, y: Any) -> None:
    _run("_copyto", [y], x)


def _clipped(g: Any, shared: Mapping) -> Any:
    factor, limit = shared["rescale_grad"], shared["clip_gradient"]
    if factor != 1.0:
        g = runtime.eager("_mul_scalar", g, scalar=factor)
    if limit < 0:
        return g
    # Not clip, whose limits are float32.
    return runtime.eager(
        "_maximum_scalar", runtime.eager("_minimum_scalar", g, scalar=limit), scalar=-limit
    )


def _as(x: Any, dtype: Any) -> Any:
    """Return an array with another dtype, or itself."""
    return x if x.dtype == dtype else runtime.eager("Cast", x, dtype=numpy.dtype(dtype).name)


def _length(x: Any) -> float:
    found = float(runtime.eager("norm", x).asnumpy().reshape(()))
    return found if 1e-15 < found < 1e15 else norm(x.asnumpy())


# --- a step ---------------------------------------------------------------------------------------


class OnDevice:
    """An optimizer's steps on buffers of a device; its slots lie there while steps are done.

    Parameters
    ----------
    optimizer
        What the steps are those of. Counting, learning rate, clipping and options are as in
        `Optimizer.step`.
    context
        Where the buffers lie.

    Notes
    -----
    Optimizers whose steps look at whole weights in ways that MXNet has no operator for (Adafactor,
    Muon), and those that are made of others, do them on the host.

    Examples
    --------
    >>> from minpy import runtime
    >>> from minpy.context import cpu
    >>> from minpy.optimizers import SGD
    >>> if runtime.available():
    ...     sgd = OnDevice(SGD(0.5), cpu(1))
    ...     w = sgd.upload(numpy.array([1., 2.], 'float32'))
    ...     sgd.step(w, sgd.upload(numpy.array([1., -1.], 'float32')))
    ...     assert w.asnumpy().tolist() == [0.5, 2.5]
    """

    def __init__(self, optimizer: Optimizer, context: Context) -> None:
        context.check()
        self.optimizer = optimizer
        self.context = context
        self._slots: dict[str, Any] | None = None

    @property
    def on_host(self) -> bool:
        """Whether the steps are done on the host, and the weights copied there and back."""
        kind = type(self.optimizer)
        own = kind.step is not Optimizer.step or kind._update is not Optimizer._update
        own = own or self.optimizer.has_own_update
        return own and not isinstance(self.optimizer, Lamb)

    def upload(self, array: numpy.ndarray) -> Any:
        """Return a copy of an array on the device."""
        where = self.context
        return runtime.copy_to(runtime.borrow(array), where.device_type, where.device_id)

    def fetch(self) -> None:
        """Bring the slots back into the optimizer's own memory, which may be changed then."""
        if self._slots is not None:
            for name, slot in self._slots.items():
                self.optimizer.slots[name][...] = slot.asnumpy()
            self._slots = None

    def step(
        self, w: Any, g: Any, segments: Sequence[tuple] | None = None, scale: float = 1.0
    ) -> None:
        """Count one batch, as `Optimizer.step`, with MXNet's arrays for weights and gradients."""
        optimizer = self.optimizer
        if not optimizer.built:
            optimizer.build(w.size, w.dtype)
        self._check(w, g)
        if self.on_host:
            held = w.asnumpy()
            optimizer.step(held, g.asnumpy(), segments, scale)
            w[:] = held
            return
        layout = optimizer._layout_of(segments)
        if optimizer.loss_scale_factor is not None:
            scale = scale / optimizer.loss_scale_factor
        done, every = optimizer.iterations, optimizer.gradient_accumulation_steps
        keep = None if not optimizer.use_ema else optimizer.ema_momentum if done else 0.0
        waits = bool(every) and (optimizer.batches + 1) % every != 0
        rate = optimizer.learning_rate
        scalars = {} if waits else optimizer.scalars(rate, done + 1)
        # Nothing before this line changes anything.
        slots = self._bring(w)
        if every:
            accumulated = slots[_ACCUMULATOR]
            _add(accumulated, _as(g, accumulated.dtype), scale)
            g, scale = accumulated, 1.0 / every
        if not waits:
            self._update(w, g, layout, scalars, rate, scale)
            if every:
                _scale(accumulated, 0.0)
        if keep is not None:
            average = slots[AVERAGE]
            _scale(average, keep)
            _add(average, _as(w, average.dtype), 1.0 - keep)
            overwrite = optimizer.ema_overwrite_frequency
            if overwrite and (done + 1) % overwrite == 0:
                _set(w, _as(average, w.dtype))
        optimizer.batches += 1

    def _check(self, w: Any, g: Any) -> None:
        optimizer = self.optimizer
        for what, buffer in (("weights", w), ("gradients", g)):
            if buffer.shape != (optimizer._size,):
                raise ShapeError(
                    f"{optimizer.name}: expected {what} of shape ({optimizer._size},), as build() "
                    f"was told, got {buffer.shape}"
                )
            if buffer.dtype != optimizer._dtype:
                raise TypeError(
                    f"{optimizer.name}: expected {what} of {optimizer._dtype}, got "
                    f"{numpy.dtype(buffer.dtype)}"
                )

    def _bring(self, w: Any) -> dict[str, Any]:
        """Return the slots on the device."""
        if self._slots is None:
            if self.optimizer._unfilled:
                self.optimizer._fill(w.asnumpy())
            self._slots = {name: self.upload(s) for name, s in self.optimizer.slots.items()}
        return self._slots

    def _update(
        self, w: Any, g: Any, layout: Any, scalars: Mapping[str, float], rate: float, scale: float
    ) -> None:
        """Change weights and slots, a run of weights that are treated alike after the other."""
        optimizer, slots = self.optimizer, self._slots
        number = optimizer._computed
        row = rules[optimizer.rule]
        wide, g = _as(w, number), _as(g, number)
        limit = -1.0 if optimizer.clipvalue is None else float(optimizer.clipvalue)
        bounds = layout.bounds.tolist()
        scales = self._scales(g, bounds, scale)
        decays = optimizer._decays(layout, rate).tolist()
        by_length = isinstance(optimizer, Lamb)
        for start, stop, factor, decay in zip(bounds, bounds[1:], scales, decays, strict=False):
            if start == stop:
                continue
            whole = start == 0 and stop == bounds[-1]
            part = [
                x if whole else x[start:stop]
                for x in (wide, g, *[slots[name] for name in optimizer.slot_names])
            ]
            direction = runtime.eager("zeros_like", part[0]) if by_length else None
            if decay:
                _scale(part[0], 1.0 - decay)
            arrays = [*part, direction] if by_length else part
            shared = {"wd": 0.0, "rescale_grad": factor, "clip_gradient": limit}
            fitting = operators.get(row.name) if number is numpy.float32 else None
            if fitting is None or fitting(scalars, shared, *arrays) is False:
                self._as_it_stands(row, scalars, shared, arrays)
            if by_length:
                self._descend(part[0], direction, rate)
        if wide is not w:
            _set(w, _as(wide, w.dtype))

    def _scales(self, g: Any, bounds: list[int], scale: float) -> list[float]:
        """Return each run's factor on the gradient: the given one, times that of the clipping."""
        optimizer, runs = self.optimizer, len(bounds) - 1
        if optimizer.clipnorm is not None:
            parts = (g[a:b] for a, b in itertools.pairwise(bounds))
            lengths = [_length(part) * abs(scale) if part.size else 0.0 for part in parts]
            return [scale * _shorten(length, optimizer.clipnorm) for length in lengths]
        if optimizer.global_clipnorm is not None:
            scale = scale * _shorten(_length(g) * abs(scale), optimizer.global_clipnorm)
        return [scale] * runs

    def _as_it_stands(
        self, row: Any, scalars: Mapping[str, float], shared: Mapping, arrays: list[Any]
    ) -> None:
        """Run a row's own function on arrays of the device."""
        number = self.optimizer._computed
        told = {name: float(number(scalars[name])) for name in row.own_scalars}
        w, g, *slots = arrays
        found = row.update(
            *(wrap_nd(x, self.context) for x in (w, _clipped(g, shared), *slots)), **told
        )
        for array, new in zip((w, *slots), found, strict=True):
            _set(array, new._ndarray())

    @staticmethod
    def _descend(w: Any, direction: Any, rate: float) -> None:
        """Go along LAMB's direction, as far as the weight is long."""
        if w.dtype == numpy.float32:
            lengths = [runtime.eager("norm", x) for x in (w, direction)]
            _run("lamb_update_phase2", [w, direction, *lengths], w, lr=rate)
            return
        length, other = _length(w), _length(direction)
        _add(w, direction, -rate * (length / other if length > 0 and other > 0 else 1.0))


def _shorten(length: float, longest: float) -> float:
    """Return the factor that brings a gradient to the longest allowed; NaN and inf stay visible."""
    if not math.isfinite(length):
        return math.nan
    return longest / length if length > longest else 1.0
