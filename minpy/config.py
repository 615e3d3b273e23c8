"""Library-wide settings: the default float dtype and the image layout; knows about nothing else."""

from __future__ import annotations

from typing import Any

import numpy

__all__ = [
    "backend",
    "default_dtype",
    "disable_interactive_logging",
    "enable_interactive_logging",
    "epsilon",
    "floatx",
    "image_data_format",
    "is_interactive_logging_enabled",
    "jit_enabled",
    "set_default_dtype",
    "set_floatx",
    "set_image_data_format",
    "set_jit",
]

_FLOATS = ("float16", "float32", "float64")
_COMPLEX = {"float16": "complex64", "float32": "complex64", "float64": "complex128"}


class _Settings:
    """What the other modules read; one object, so that a change is seen everywhere at once."""

    __slots__ = (
        "complex_dtype",
        "float_dtype",
        "image_data_format",
        "interactive_logging",
        "jit",
        "narrows",
        "products",
    )

    def __init__(self) -> None:
        self.image_data_format = "channels_first"
        self.interactive_logging = True
        self.jit = True
        # What large products of compiled steps are computed in; `minpy.mixed_precision` sets it.
        self.products = "float32"
        self.set_float("float32")

    def set_float(self, name: str) -> None:
        self.float_dtype = numpy.dtype(name)
        self.complex_dtype = numpy.dtype(_COMPLEX[name])
        # Whether a float64 that no operand asked for has to become the default dtype.
        self.narrows = name != "float64"


settings = _Settings()


def set_default_dtype(dtype: Any) -> None:
    """Set the float dtype of new arrays, of Python floats and of floats made from integers.

    Parameters
    ----------
    dtype
        ``'float32'`` (what minpy starts with), ``'float64'`` (as NumPy does) or ``'float16'``.

    Raises
    ------
    ValueError
        If `dtype` is not one of those.

    Examples
    --------
    >>> import minpy, minpy.numpy as np
    >>> np.zeros(2).dtype
    dtype('float32')
    >>> minpy.set_default_dtype('float64')
    >>> np.zeros(2).dtype
    dtype('float64')
    >>> minpy.set_default_dtype('float32')
    """
    try:
        name = numpy.dtype(dtype).name
    except TypeError:
        name = repr(dtype)
    if name not in _FLOATS:
        raise ValueError(f"set_default_dtype: expected one of {', '.join(_FLOATS)}, got {name}")
    settings.set_float(name)


def default_dtype() -> numpy.dtype:
    """Return the float dtype of new arrays."""
    return settings.float_dtype


def set_image_data_format(data_format: str) -> None:
    """Set the image layout that layers assume when they are not told one.

    Parameters
    ----------
    data_format
        ``'channels_first'`` (batch, channels, height, width), what minpy starts with, or
        ``'channels_last'`` (batch, height, width, channels), Keras' own default.

    Raises
    ------
    ValueError
        If `data_format` is neither.
    """
    if data_format not in ("channels_first", "channels_last"):
        raise ValueError(
            "set_image_data_format: expected 'channels_first' or 'channels_last', "
            f"got {data_format!r}"
        )
    settings.image_data_format = data_format


def image_data_format() -> str:
    """Return the image layout that layers assume when they are not told one."""
    return settings.image_data_format


def set_jit(enabled: bool) -> None:
    """Say whether functions and models may be compiled into graphs at all.

    Parameters
    ----------
    enabled
        False runs everything operation by operation, whatever `minpy.jit` and ``compile(jit=…)``
        say: for stepping through a model with a debugger. A model asks at its next ``fit``,
        ``evaluate`` or ``predict``.

    Examples
    --------
    >>> import minpy
    >>> minpy.config.set_jit(False)
    >>> minpy.config.jit_enabled()
    False
    >>> minpy.config.set_jit(True)
    """
    settings.jit = bool(enabled)


def jit_enabled() -> bool:
    """Say whether functions and models may be compiled into graphs."""
    return settings.jit


# --- Keras' names ---------------------------------------------------------------------------------


def floatx() -> str:
    """Return the name of the float dtype of new arrays and weights.

    Examples
    --------
    >>> import minpy
    >>> minpy.config.floatx()
    'float32'
    """
    return settings.float_dtype.name


set_floatx = set_default_dtype


def backend() -> str:
    """Return ``'minpy'``: what Keras' users ask to tell its backends apart."""
    return "minpy"


def epsilon() -> float:
    """Return the number that losses and metrics keep away from zero by, 1e-7."""
    return 1e-7


def enable_interactive_logging() -> None:
    """Show how far a run has come on the standard output, which is what minpy starts with."""
    settings.interactive_logging = True


def disable_interactive_logging() -> None:
    """Log a line an epoch instead: to the logger ``minpy`` of Python's `logging`, at level INFO.

    Examples
    --------
    >>> import minpy
    >>> minpy.config.disable_interactive_logging()
    >>> minpy.config.is_interactive_logging_enabled()
    False
    >>> minpy.config.enable_interactive_logging()
    """
    settings.interactive_logging = False


def is_interactive_logging_enabled() -> bool:
    """Say whether runs are shown on the standard output, and not logged."""
    return settings.interactive_logging
