"""The matrix product of the BLAS that NumPy is linked to, as an address to call."""

from __future__ import annotations

import ctypes
import functools
from dataclasses import dataclass

import numpy

__all__ = ["Sgemm", "openblas_core", "sgemm"]

# What builds of NumPy call it, and the width of its integers.
_NAMES = (
    ("cblas_sgemm64_", 8),
    ("scipy_cblas_sgemm64_", 8),
    ("cblas_sgemm_64", 8),
    ("cblas_sgemm", 4),
    ("scipy_cblas_sgemm", 4),
)


@dataclass(frozen=True)
class Sgemm:
    """``cblas_sgemm``: where it is, and the bytes of an integer argument."""

    address: int
    integer: int


def _linked() -> ctypes.CDLL | None:
    """Return NumPy's own module, through which the names of its libraries are found."""
    try:
        from numpy.core import _multiarray_umath as linked

        return ctypes.CDLL(linked.__file__)
    except (ImportError, OSError):
        return None


def openblas_core() -> str | None:
    """Return the processor that NumPy's OpenBLAS believes to run on, None where it doesn't say."""
    library = _linked()
    for name in ("openblas_get_corename64_", "openblas_get_corename"):
        function = getattr(library, name, None)
        if function is not None:
            function.restype = ctypes.c_char_p
            return function().decode()
    return None


@functools.cache
def sgemm() -> Sgemm | None:
    """Return NumPy's single-precision matrix product, None where it shows none."""
    library = _linked()
    for name, integer in _NAMES:
        function = getattr(library, name, None)
        if function is not None and _multiplies(function, integer):
            address = ctypes.cast(function, ctypes.c_void_p).value
            return Sgemm(address or 0, integer)
    return None


def _multiplies(function: ctypes._CFuncPtr, integer: int) -> bool:
    """Say whether a function is what its name says: a wrong width of integers would not be."""
    number = ctypes.c_int64 if integer == 8 else ctypes.c_int32
    pointer = ctypes.c_void_p
    code = ctypes.c_int
    function.restype = None
    function.argtypes = [code, code, code, number, number, number, ctypes.c_float, pointer, number,
                         pointer, number, ctypes.c_float, pointer, number]  # fmt: skip
    a = numpy.arange(6, dtype="float32").reshape(2, 3)
    b = numpy.arange(12, dtype="float32").reshape(3, 4)
    c = numpy.zeros((2, 4), "float32")
    function(101, 111, 111, 2, 4, 3, 1.0, a.ctypes.data, 3, b.ctypes.data, 4, 0.0, c.ctypes.data, 4)
    return bool((c == a @ b).all())
