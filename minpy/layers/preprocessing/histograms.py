"""Layers that spread the values of pixels evenly: histogram equalization, whole and by tiles."""

from __future__ import annotations

from typing import Any

from minpy.layers.convolutional.base import positive
from minpy.layers.functions.histograms import equalized, equalized_by_tiles
from minpy.layers.preprocessing.tones import Unseeded

__all__ = ["ContrastLimitedAdaptiveHistogramEqualization", "Equalization"]


class Equalization(Unseeded):
    """Spreads the values of each channel of a batch evenly, except at test time.

    Parameters
    ----------
    value_range
        The lowest and the highest value of pixels.
    bins
        How many values are told apart.
    data_format
        As in `Conv2D`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Equalization
    >>> Equalization()(np.array([[[[100., 101., 102.]]]]), training=True)
    array([[[[  0., 128., 255.]]]])
    """

    def __init__(
        self,
        value_range: Any = (0, 255),
        bins: int = 256,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(value_range, data_format, **kwargs)
        self.bins = positive(bins, "Equalization: bins")

    def _at_test(self, images: Any) -> Any:
        return images

    def _applied(self, images: Any, transformation: Any) -> Any:
        return self._from_bytes(equalized(self._as_bytes(images), self.bins))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "bins": self.bins}


class ContrastLimitedAdaptiveHistogramEqualization(Unseeded):
    """Spreads the values around each pixel evenly, but no further than a limit; at test time too.

    Parameters
    ----------
    value_range
        The lowest and the highest value of pixels.
    clip_limit
        A tile's histogram is cut at so many times its mean; no limit at 0.
    tile_grid_size
        How many tiles an image has, down and across.
    data_format
        As in `Conv2D`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import ContrastLimitedAdaptiveHistogramEqualization
    >>> layer = ContrastLimitedAdaptiveHistogramEqualization(clip_limit=0, tile_grid_size=(1, 1))
    >>> layer(np.array([[[[100., 101., 102., 103.]]]])).round(2)
    array([[[[ 63.75, 127.5 , 191.25, 255.  ]]]])
    """

    def __init__(
        self,
        value_range: Any = (0, 255),
        clip_limit: float = 4.0,
        tile_grid_size: Any = (8, 8),
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(value_range, data_format, **kwargs)
        by = type(self).__name__
        self.clip_limit = float(clip_limit)
        self.tile_grid_size = tuple(positive(n, f"{by}: tile_grid_size") for n in tile_grid_size)
        if len(self.tile_grid_size) != 2:
            raise ValueError(f"{by}: expected two numbers of tiles, got {tile_grid_size!r}")

    def _applied(self, images: Any, transformation: Any) -> Any:
        spread = equalized_by_tiles(self._as_bytes(images), self.clip_limit, self.tile_grid_size)
        return self._from_bytes(spread)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {
            **super().get_config(),
            "clip_limit": self.clip_limit,
            "tile_grid_size": list(self.tile_grid_size),
        }
