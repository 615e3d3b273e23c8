"""Arrays from NumPy's files; it must not know about checkpoints of models."""

from __future__ import annotations

from typing import Any

import numpy

from minpy.array import as_ndarray, ndarray

__all__ = ["load"]


class _Archive(numpy.lib.npyio.NpzFile):
    """The arrays of an ``.npz`` file by name, read when they are asked for."""

    def __getitem__(self, key: str) -> Any:
        return _made(super().__getitem__(key))


def _made(value: Any) -> Any:
    is_array = (
        type(value) is numpy.ndarray and not value.dtype.hasobject and value.dtype.names is None
    )
    return as_ndarray(value) if is_array and value.dtype.kind in "biufc" else value


def load(
    file: Any,
    mmap_mode: str | None = None,
    allow_pickle: bool = False,
    fix_imports: bool = True,
    encoding: str = "ASCII",
    *,
    max_header_size: int = 10_000,
) -> ndarray | Any:
    """Return what a file of `numpy.save`, `numpy.savez` or pickle holds, as `numpy.load`.

    Parameters
    ----------
    file
        A path or an open binary file.
    mmap_mode
        As in NumPy; the memory of the array is then the file's.
    allow_pickle, fix_imports, encoding, max_header_size
        As in NumPy.

    Returns
    -------
    ndarray or mapping
        Arrays have the dtype that they were stored with, whatever the default one is.

    Examples
    --------
    >>> import io, minpy.numpy as np
    >>> file = io.BytesIO()
    >>> np.savez(file, weights=np.ones(2))
    >>> _ = file.seek(0)
    >>> np.load(file)['weights']
    array([1., 1.])
    """
    found = numpy.load(
        file, mmap_mode, allow_pickle, fix_imports, encoding, max_header_size=max_header_size
    )
    if isinstance(found, numpy.lib.npyio.NpzFile):
        found.__class__ = _Archive
        return found
    if isinstance(found, numpy.memmap):
        return as_ndarray(found.view(numpy.ndarray))
    return _made(found)
