"""Turns pixels into a PNG file's bytes; must not scale or colour them."""

from __future__ import annotations

import struct
import zlib

import numpy as np

_GRAYSCALE, _TRUECOLOUR = 0, 2


def encode_png(pixels: np.ndarray) -> bytes:
    r"""Return pixels as a PNG (ISO/IEC 15948), without an imaging library.

    Parameters
    ----------
    pixels : ndarray of uint8
        Shape (height, width) for grey, (height, width, 3) for red, green and blue.

    Returns
    -------
    bytes
        The whole file.

    Raises
    ------
    ValueError
        If dtype or shape are others.

    Examples
    --------
    >>> encode_png(np.zeros((2, 3), np.uint8))[:8]
    b'\x89PNG\r\n\x1a\n'
    """
    colour = pixels.ndim == 3 and pixels.shape[2] == 3
    if pixels.dtype != np.uint8 or not (colour or pixels.ndim == 2) or not pixels.size:
        raise ValueError(
            f"encode_png: expected uint8 of shape (height, width) or (height, width, 3), got "
            f"{pixels.dtype} of shape {pixels.shape}"
        )
    height, width = pixels.shape[:2]
    header = struct.pack(
        ">IIBBBBB", width, height, 8, _TRUECOLOUR if colour else _GRAYSCALE, 0, 0, 0
    )
    rows = pixels.reshape(height, -1)
    unfiltered = np.concatenate([np.zeros((height, 1), np.uint8), rows], axis=1)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(unfiltered.tobytes()))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
