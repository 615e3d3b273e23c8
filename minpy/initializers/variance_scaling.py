"""Initializers whose deviation follows from the fans: Glorot, He, LeCun."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from minpy.errors import ShapeError
from minpy.initializers.initializer import RandomInitializer, float_of
from minpy.initializers.random_values import truncated_normal

__all__ = [
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "LecunNormal",
    "LecunUniform",
    "VarianceScaling",
]

# Standard deviation of the standard normal distribution cut at ±2.
_CUT_DEVIATION = 0.87962566103423978
_MODES = ("fan_in", "fan_out", "fan_avg")
_DISTRIBUTIONS = ("truncated_normal", "untruncated_normal", "uniform")


class VarianceScaling(RandomInitializer):
    """Draws with a variance of `scale` over the number of inputs, of outputs, or their mean.

    Parameters
    ----------
    scale
        Positive factor.
    mode
        ``'fan_in'``, ``'fan_out'`` or ``'fan_avg'``.
    distribution
        ``'truncated_normal'`` (also called ``'normal'``), ``'untruncated_normal'`` or
        ``'uniform'``.
    seed
        See `RandomInitializer`.
    input_axes, output_axes
        Axes of the weight whose lengths multiply to the number of inputs, and of outputs; from the
        shape or the layer if not given. Both or none.

    Raises
    ------
    ValueError
        If an argument is none of those.

    Examples
    --------
    >>> VarianceScaling(2., 'fan_in', seed=1)((800, 100)).std()
    0.05
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        super().__init__(seed)
        if (input_axes is None) != (output_axes is None):
            raise ValueError(
                f"{type(self).__name__}: expected input_axes and output_axes together, got "
                f"{input_axes!r} and {output_axes!r}"
            )
        self.input_axes = None if input_axes is None else [int(a) for a in input_axes]
        self.output_axes = None if output_axes is None else [int(a) for a in output_axes]
        mode, distribution = mode.lower(), distribution.lower()
        if distribution == "normal":
            distribution = "truncated_normal"
        if scale <= 0:
            raise ValueError(f"{type(self).__name__}: expected scale > 0, got {scale}")
        for name, value, known in (
            ("mode", mode, _MODES),
            ("distribution", distribution, _DISTRIBUTIONS),
        ):
            if value not in known:
                raise ValueError(
                    f"{type(self).__name__}: expected {name} to be one of {', '.join(known)}, "
                    f"got {value!r}"
                )
        self.scale = scale
        self.mode = mode
        self.distribution = distribution

    def draw(self, shape: Any, dtype: Any, fans: Any, generator: Any) -> Any:
        """Return the values."""
        fan_in, fan_out = fans if self.input_axes is None else self._fans(shape)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        deviation = math.sqrt(self.scale / max(1.0, fan))
        generator = self.generator(generator)
        own = float_of(dtype)
        if self.distribution == "truncated_normal":
            return truncated_normal(generator, shape, own) * (deviation / _CUT_DEVIATION)
        if self.distribution == "untruncated_normal":
            return generator.standard_normal(shape, own) * deviation
        limit = math.sqrt(3.0) * deviation
        return generator.random(shape, own) * (2 * limit) - limit

    def _fans(self, shape: Any) -> tuple[int, int]:
        """Return the lengths' products over the axes of inputs and of outputs."""
        try:
            return tuple(
                max(1, math.prod(shape[a] for a in axes))
                for axes in (self.input_axes, self.output_axes)
            )
        except IndexError:
            raise ShapeError(
                f"{type(self).__name__}: a weight of shape {tuple(shape)} has no axes "
                f"{self.input_axes} and {self.output_axes}"
            ) from None

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal initializer."""
        axes = {"input_axes": self.input_axes, "output_axes": self.output_axes}
        axes = axes if self.input_axes is not None else {}
        if type(self) is not VarianceScaling:
            return {"seed": self.seed, **axes}
        return {
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            "seed": self.seed,
            **axes,
        }


# name → scale, mode, distribution, where it comes from
_NAMED = {
    "GlorotUniform": (1.0, "fan_avg", "uniform", "Glorot and Bengio, 2010, equation 16"),
    "GlorotNormal": (1.0, "fan_avg", "truncated_normal", "Glorot and Bengio, 2010, section 4.2"),
    "HeUniform": (2.0, "fan_in", "uniform", "He et al., 2015, section 2.2"),
    "HeNormal": (2.0, "fan_in", "truncated_normal", "He et al., 2015, section 2.2"),
    "LecunUniform": (1.0, "fan_in", "uniform", "LeCun et al., 1998, section 4.6"),
    "LecunNormal": (1.0, "fan_in", "truncated_normal", "LeCun et al., 1998, section 4.6"),
}


def _named(name: str, scale: float, mode: str, distribution: str, source: str) -> type:
    def __init__(
        self: Any,
        seed: int | None = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        VarianceScaling.__init__(self, scale, mode, distribution, seed, input_axes, output_axes)

    shown = "uniform" if distribution == "uniform" else "truncated normal"
    fan = {"fan_in": "fan-in", "fan_avg": "the mean of fan-in and fan-out"}[mode]
    doc = f"""Draws from a {shown} distribution of variance {scale:g} / ({fan}).

    Parameters
    ----------
    seed
        See `RandomInitializer`.
    input_axes, output_axes
        As of `VarianceScaling`.

    Notes
    -----
    {source}.
    """
    return type(
        name, (VarianceScaling,), {"__init__": __init__, "__doc__": doc, "__module__": __name__}
    )


GlorotUniform = _named("GlorotUniform", *_NAMED["GlorotUniform"])
GlorotNormal = _named("GlorotNormal", *_NAMED["GlorotNormal"])
HeUniform = _named("HeUniform", *_NAMED["HeUniform"])
HeNormal = _named("HeNormal", *_NAMED["HeNormal"])
LecunUniform = _named("LecunUniform", *_NAMED["LecunUniform"])
LecunNormal = _named("LecunNormal", *_NAMED["LecunNormal"])
