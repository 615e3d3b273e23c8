"""Draws a layer's weights as a picture; must not know where they come from or where it goes."""

from __future__ import annotations

import math

import numpy as np

MAX_TILES = 256
_TILE_PIXELS = 24
_ZERO = 128


def kernel_image(weight: np.ndarray) -> np.ndarray | None:
    """Tile the kernels of a first layer into one picture.

    Mid-grey is 0; the largest magnitude in all tiles is white or black (full or no red, green and
    blue where the input has three channels).

    Parameters
    ----------
    weight : ndarray
        Kernels of a convolution, shape (out, in, height, width): a tile for each output channel
        if `in` is 1 or 3, else a row of tiles for each output channel, one for each input
        channel. Or those of a dense layer, shape (in, out): a tile for each unit, if `in` is
        a square (an image in grey) or three times a square (red, green and blue planes).

    Returns
    -------
    ndarray of uint8, or None
        Shape (height, width) or (height, width, 3); None where there is no picture to draw. At
        most `MAX_TILES` tiles are drawn.

    Examples
    --------
    >>> kernel_image(np.ones((4, 1, 3, 3))).shape
    (51, 51)
    >>> kernel_image(np.ones((7, 10))) is None
    True
    """
    if not weight.size:
        return None
    columns = None
    if weight.ndim == 4:
        channels = weight.shape[1]
        tiles = weight
        if channels not in (1, 3):
            columns = min(channels, MAX_TILES)
            rows = max(1, MAX_TILES // columns)
            tiles = weight[:rows, :columns].reshape(-1, 1, *weight.shape[2:])
    elif weight.ndim == 2:
        shape = _picture_shape(weight.shape[0])
        if shape is None:
            return None
        tiles = weight.T.reshape(-1, *shape)
    else:
        return None
    tiles = np.asarray(tiles[:MAX_TILES], dtype=np.float64).transpose(0, 2, 3, 1)
    return _tile(_to_pixels(tiles), columns or math.ceil(math.sqrt(len(tiles))))


def _picture_shape(size: int) -> tuple[int, int, int] | None:
    for channels in (1, 3):
        side = math.isqrt(size // channels)
        if side > 1 and channels * side * side == size:
            return channels, side, side
    return None


def _to_pixels(tiles: np.ndarray) -> np.ndarray:
    """Map [-largest, largest] to [1, 255]; what isn't finite becomes 0."""
    finite = np.isfinite(tiles)
    largest = np.abs(tiles[finite]).max(initial=0.0) or 1.0
    scaled = _ZERO + np.round(np.where(finite, tiles, 0.0) / largest * (255 - _ZERO))
    return np.where(finite, scaled, 0.0).astype(np.uint8)


def _tile(tiles: np.ndarray, columns: int) -> np.ndarray:
    """Lay tiles of shape (n, height, width, channels) out in rows, enlarged, with gaps."""
    enlarge = max(1, _TILE_PIXELS // max(tiles.shape[1:3]))
    tiles = tiles.repeat(enlarge, axis=1).repeat(enlarge, axis=2)
    count, height, width, channels = tiles.shape
    gap = max(1, enlarge // 8)
    rows = math.ceil(count / columns)
    shape = (rows * (height + gap) + gap, columns * (width + gap) + gap, channels)
    picture = np.zeros(shape, np.uint8)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        top, left = gap + row * (height + gap), gap + column * (width + gap)
        picture[top : top + height, left : left + width] = tile
    return picture[..., 0] if channels == 1 else picture
