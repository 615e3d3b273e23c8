"""Reads the IDX format of MNIST; knows about files and NumPy arrays, not about any data set.

The format, by Y. LeCun: two zero bytes, a byte for the type of number, one for the count of
dimensions, the dimensions as big-endian uint32, then the numbers, big-endian, in C order.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from minpy.errors import DatasetError

__all__ = ["read_idx"]

# The third byte of a file, and the numbers that follow the header.
_NUMBERS = {
    0x08: np.dtype("u1"),
    0x09: np.dtype("i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}

# Deflate can't shrink by more: a file that declares more is damaged, and gets no memory.
_MOST_COMPRESSION = 1032

_CHUNK = 1 << 20


def read_idx(path: str | os.PathLike[str]) -> np.ndarray:
    """Read an array from an IDX file, compressed by gzip or not.

    Parameters
    ----------
    path : str or path
        The file. Whether it is compressed is seen from its first bytes, not from its name.

    Returns
    -------
    ndarray
        Any number of dimensions; uint8, int8, int16, int32, float32 or float64, in this machine's
        byte order.

    Raises
    ------
    DatasetError
        When the file can't be read, is no IDX file, is damaged, too short or too long.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "labels-idx1-ubyte"
    ...     _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]))
    ...     read_idx(path)
    array([7, 2, 1], dtype=uint8)
    """
    path = Path(path)
    try:
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            compressed = stream.read(2) == b"\x1f\x8b"
            stream.seek(0)
            if not compressed:
                return _parse(stream, size, path)
            with gzip.open(stream) as unpacked:
                return _parse(unpacked, size * _MOST_COMPRESSION, path)
    except DatasetError:
        raise
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DatasetError(f"{path}: damaged gzip file ({error}); fetch it again") from error
    except OSError as error:
        raise DatasetError(f"{path}: can't be read: {error.strerror or error}") from error


def _parse(stream: BinaryIO, most: int, path: Path) -> np.ndarray:
    """Read header and numbers; `most` is the number of bytes that the stream can have at most."""
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _NUMBERS:
        raise DatasetError(
            f"{path}: no IDX file: it must begin with 00 00, a type in 08 … 0e and the number of "
            f"dimensions, got {magic.hex(' ') or 'nothing'}"
        )
    dtype, ndim = _NUMBERS[magic[2]], magic[3]
    header = stream.read(4 * ndim)
    if len(header) < 4 * ndim:
        raise DatasetError(f"{path}: ends in its header, after {4 + len(header)} bytes")
    if ndim > 32:
        raise DatasetError(f"{path}: declares {ndim} dimensions, more than an array can have")
    shape = struct.unpack(f">{ndim}I", header)
    expected = math.prod(shape) * dtype.itemsize
    if expected > most:
        raise DatasetError(
            f"{path}: declares an array of shape {shape}, {expected} bytes, more than the file "
            "can hold; it is damaged or truncated"
        )
    content = bytearray()
    # By pieces, as a file that declares much and has little must not cost much memory.
    while len(content) < expected:
        chunk = stream.read(min(_CHUNK, expected - len(content)))
        if not chunk:
            raise DatasetError(
                f"{path}: truncated: shape {shape} needs {expected} bytes, got {len(content)}"
            )
        content += chunk
    # Reading on to the end also makes gzip compare its checksum.
    if stream.read(1):
        raise DatasetError(f"{path}: goes on after the {expected} bytes that shape {shape} needs")
    array = np.frombuffer(content, dtype).reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False)
