"""Dropout: of elements, and of whole feature maps."""

from __future__ import annotations

from typing import Any

from minpy.arguments import also_by_place
from minpy.config import image_data_format
from minpy.layers.functions import dropout
from minpy.layers.functions.dropout import shape_of_noise
from minpy.layers.layer import Layer, expect_axes
from minpy.layers.regularization.seeded import SeededLayer, step_seed

__all__ = ["Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"]


def checked_noise_shape(noise_shape: Any, who: str) -> tuple[int | None, ...] | None:
    """Return a noise shape as a tuple; raise `ValueError` for what is none."""
    if noise_shape is None:
        return None
    found = tuple(noise_shape) if isinstance(noise_shape, list | tuple) else ()
    if not found or not all(n is None or (isinstance(n, int) and n > 0) for n in found):
        raise ValueError(
            f"{who}: expected noise_shape to be lengths of axes, positive numbers or None, "
            f"got {noise_shape!r}"
        )
    return found


def check_noise(layer: Layer, shape: Any, noise_shape: Any) -> None:
    """Raise `ShapeError` if noise of a shape doesn't broadcast to an input."""
    if noise_shape is not None and isinstance(shape, tuple):
        known = tuple(t or 1 if n is None else n for n, t in zip(shape, noise_shape, strict=False))
        who = f"{type(layer).__name__} {layer.name!r}"
        shape_of_noise(who, known if len(known) == len(shape) else shape, noise_shape)


class Dropout(SeededLayer):
    """Sets a random part of the input to zero while training, and scales up the rest.

    Parameters
    ----------
    rate
        The part that is set to zero, from 0 to 1 (excluded).
    noise_shape
        The shape of the random numbers: where it has 1, an element is dropped along the whole axis;
        None is the input's length.
    seed
        Draw from this seed, and not from the training run's.

    Notes
    -----
    Inverted dropout (Srivastava et al., 2014): the rest is divided by ``1 - rate``, so nothing
    changes at test time. Which elements go is a function of the seed and the training step.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Dropout
    >>> Dropout(0.5)(np.ones(3))
    array([1., 1., 1.])
    """

    def __init__(
        self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        if isinstance(rate, bool) or not 0 <= rate <= 1:
            raise ValueError(f"{type(self).__name__}: expected a rate from 0 to 1, got {rate!r}")
        self.rate = float(rate)
        self.noise_shape = checked_noise_shape(noise_shape, type(self).__name__)

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless the noise broadcasts to the input."""
        check_noise(self, shape, self.noise_shape)

    def call(self, x: Any, training: bool = False) -> Any:
        """Compute the output."""
        if not training or not self.rate:
            return x
        return dropout(x, self.rate, "train", step_seed(self.seed), self._noise_shape(x.ndim))

    def _noise_shape(self, ndim: int) -> tuple[int | None, ...] | None:
        return self.noise_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        shape = self.noise_shape
        config = {**super().get_config(), "rate": self.rate}
        return config if shape is None else {**config, "noise_shape": list(shape)}


class _SpatialDropout(Dropout):
    """Drops whole feature maps."""

    _rank = 0

    @also_by_place(name=None, dtype=None)
    def __init__(
        self, rate: float, data_format: str | None = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(rate, seed=seed, **kwargs)
        if data_format not in (None, "channels_first", "channels_last"):
            raise ValueError(
                f"{type(self).__name__}: expected data_format 'channels_first' or 'channels_last', "
                f"got {data_format!r}"
            )
        self.data_format = data_format or image_data_format()

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless there are as many axes as there should be."""
        first = self.data_format == "channels_first"
        names = ["length"] if self._rank == 1 else ["depth", "height", "width"][-self._rank :]
        names = ["channels", *names] if first else [*names, "channels"]
        expect_axes(self, shape, self._rank + 2, f"(batch, {', '.join(names)})")

    def _noise_shape(self, ndim: int) -> tuple[int | None, ...]:
        maps = (1,) * self._rank
        return (None, None, *maps) if self.data_format == "channels_first" else (None, *maps, None)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "data_format": self.data_format}


class SpatialDropout1D(_SpatialDropout):
    """Drops whole features of sequences, (batch, length, channels), while training.

    Parameters
    ----------
    rate
        The part that is set to zero, from 0 to 1 (excluded).
    seed
        Draw from this seed, and not from the training run's.

    Notes
    -----
    Tompson et al., 2015.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import SpatialDropout1D
    >>> y = SpatialDropout1D(0.5, seed=1)(np.ones((2, 9, 3)), training=True)
    >>> bool((y == y[:, :1]).all())
    True
    """

    _rank = 1

    @also_by_place(name=None, dtype=None)
    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, data_format="channels_last", seed=seed, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        config = super().get_config()
        del config["data_format"]
        return config


class SpatialDropout2D(_SpatialDropout):
    """Drops whole channels of images while training; Tompson et al., 2015.

    Parameters
    ----------
    rate
        The part that is set to zero, from 0 to 1 (excluded).
    data_format
        ``'channels_first'`` or ``'channels_last'``; `minpy.config.image_data_format` by default.
    seed
        Draw from this seed, and not from the training run's.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import SpatialDropout2D
    >>> y = SpatialDropout2D(0.5, seed=1)(np.ones((2, 3, 4, 4)), training=True)
    >>> bool((y == y[:, :, :1, :1]).all())
    True
    """

    _rank = 2


class SpatialDropout3D(_SpatialDropout):
    """Drops whole channels of volumes while training; Tompson et al., 2015.

    Parameters
    ----------
    rate
        The part that is set to zero, from 0 to 1 (excluded).
    data_format
        ``'channels_first'`` or ``'channels_last'``; `minpy.config.image_data_format` by default.
    seed
        Draw from this seed, and not from the training run's.
    """

    _rank = 3
