"""Flush-to-zero for the threads that compute, for the time of a ``with`` block.

Arithmetic on denormal numbers (below 1.2e-38 in float32) takes up to a hundred times as long as on
others. Trained weights get there: an L2 penalty drives unused ones towards zero, a saturated
softmax gives such gradients. The processor can count them as zero; its control register belongs to
a thread and is inherited by those that the thread starts. It must not know models.

The C library reads and writes that register as a part of the floating-point environment
(``fegetenv``, ``fesetenv``), on x86-64 its last four bytes. OpenMP's threads are reached by having
them call ``fesetenv`` in a parallel region of the OpenMP library that MXNet is linked to.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy

from minpy import runtime

__all__ = ["flushed_denormals"]

# fenv_t of the x86-64 GNU C library: 28 bytes of the x87 unit, then MXCSR.
_ENVIRONMENT, _MXCSR = 32, 28
# Bits of MXCSR: results that are denormal become zero, operands that are count as zero.
_FLUSH = 0x8000 | 0x0040

_functions: tuple[Any, Any] | None = None


def _environment_functions() -> tuple[Any, Any]:
    """Return ``fegetenv`` and ``fesetenv``; None, None where this platform has others."""
    global _functions
    if _functions is None:
        _functions = (None, None)
        for kind in (numpy.float32, numpy.float64):
            numpy.finfo(kind).smallest_subnormal  # noqa: B018  (kept; measured later, it would warn)
        if platform.machine().lower() in ("x86_64", "amd64") and platform.system() == "Linux":
            with suppress(OSError, AttributeError):
                mathematics = ctypes.CDLL("libm.so.6")
                _functions = (mathematics.fegetenv, mathematics.fesetenv)
                for function in _functions:
                    function.argtypes = [ctypes.c_void_p]
    return _functions


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Count denormal numbers as zero, in this thread and in OpenMP's, inside of a ``with`` block.

    Afterwards each of these threads is as this one was before. Where the platform offers no way
    the block runs as it is.

    Examples
    --------
    >>> import numpy
    >>> from minpy.models.denormals import flushed_denormals
    >>> small = numpy.full(4, 1e-30, 'float32')
    >>> with flushed_denormals():
    ...     inside = (small * small.dtype.type(1e-10)).any()
    >>> bool(inside), bool((small * small.dtype.type(1e-10)).any())
    (False, True)
    """
    get, set_to = _environment_functions()
    if get is None:
        yield
        return
    before = ctypes.create_string_buffer(_ENVIRONMENT)
    get(before)
    flushing = ctypes.create_string_buffer(before.raw, _ENVIRONMENT)
    bits = ctypes.c_uint32.from_buffer(flushing, _MXCSR)
    bits.value |= _FLUSH
    _everywhere(set_to, flushing)
    try:
        yield
    finally:
        _everywhere(set_to, before)


def _everywhere(set_to: Any, environment: Any) -> None:
    set_to(environment)
    threads, parallel = runtime.threads(), runtime.parallel_region()
    if threads > 1 and parallel is not None:
        parallel(ctypes.cast(set_to, ctypes.c_void_p), environment, threads, 0)
