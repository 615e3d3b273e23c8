"""Library-wide settings: the default float dtype and the image layout; knows about nothing else."""

from __future__ import annotations

import os
from typing import Any

import numpy

__all__ = [
    "backend",
    "default_dtype",
    "disable_interactive_logging",
    "disable_traceback_filtering",
    "enable_interactive_logging",
    "enable_traceback_filtering",
    "epsilon",
    "floatx",
    "image_data_format",
    "is_interactive_logging_enabled",
    "is_traceback_filtering_enabled",
    "jit_enabled",
    "max_epochs",
    "max_steps_per_epoch",
    "set_default_dtype",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "set_jit",
    "set_max_epochs",
    "set_max_steps_per_epoch",
]

_FLOATS = ("float16", "float32", "float64")
_COMPLEX = {"float16": "complex64", "float32": "complex64", "float64": "complex128"}


def _from_environment(name: str) -> int | None:
    """Return the limit that an environment variable sets, None where it sets none."""
    given = os.environ.get(name)
    return _limit(given and int(given), name) if given is None or given.isdigit() else None


def _limit(value: int | None, what: str) -> int | None:
    """Return a limit that is checked: a positive number, or None for no limit."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise ValueError(f"{what}: got {value!r}; give a whole number, 1 or more, or None")
    return value


class _Settings:
    """What the other modules read; one object, so that a change is seen everywhere at once."""

    __slots__ = (
        "complex_dtype",
        "epsilon",
        "float_dtype",
        "image_data_format",
        "interactive_logging",
        "jit",
        "max_epochs",
        "max_steps_per_epoch",
        "narrows",
        "products",
        "traceback_filtering",
    )

    def __init__(self) -> None:
        self.image_data_format = "channels_first"
        self.interactive_logging = True
        self.jit = True
        self.epsilon = 1e-7
        self.max_epochs = _from_environment("KERAS_MAX_EPOCHS")
        self.max_steps_per_epoch = _from_environment("KERAS_MAX_STEPS_PER_EPOCH")
        self.traceback_filtering = False
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
    """Return the number that losses, metrics and layers keep away from zero by; 1e-7 at first."""
    return settings.epsilon


def set_epsilon(value: float) -> None:
    """Set the number that losses, metrics and layers keep away from zero by.

    A compiled step keeps the number that held when it was made.

    Raises
    ------
    ValueError
        If it isn't a number from 0 on.

    Examples
    --------
    >>> import minpy
    >>> minpy.config.set_epsilon(1e-5)
    >>> minpy.config.epsilon()
    1e-05
    >>> minpy.config.set_epsilon(1e-7)
    """
    if isinstance(value, bool) or not isinstance(value, int | float | numpy.number) or value < 0:
        raise ValueError(f"set_epsilon: got {value!r}; give a small number, 0 or more")
    settings.epsilon = float(value)


def max_epochs() -> int | None:
    """Return how many epochs any call of ``fit`` runs at most, None for as many as it is told.

    The environment variable KERAS_MAX_EPOCHS sets it before minpy is imported: to try a long
    program out.
    """
    return settings.max_epochs


def set_max_epochs(max_epochs: int | None) -> None:
    """Limit the epochs of every call of ``fit``, which warns when it runs fewer.

    Examples
    --------
    >>> import minpy
    >>> minpy.config.set_max_epochs(1)
    >>> minpy.config.max_epochs()
    1
    >>> minpy.config.set_max_epochs(None)
    """
    settings.max_epochs = _limit(max_epochs, "set_max_epochs")


def max_steps_per_epoch() -> int | None:
    """Return how many batches an epoch, an evaluation or a prediction has at most, or None.

    The environment variable KERAS_MAX_STEPS_PER_EPOCH sets it before minpy is imported.
    """
    return settings.max_steps_per_epoch


def set_max_steps_per_epoch(max_steps_per_epoch: int | None) -> None:
    """Limit the batches of every epoch, evaluation and prediction.

    Examples
    --------
    >>> import minpy
    >>> minpy.config.set_max_steps_per_epoch(10)
    >>> minpy.config.max_steps_per_epoch()
    10
    >>> minpy.config.set_max_steps_per_epoch(None)
    """
    settings.max_steps_per_epoch = _limit(max_steps_per_epoch, "set_max_steps_per_epoch")


def enable_traceback_filtering() -> None:
    """Note that tracebacks may be shortened; they are shown whole, which Keras' programs bear."""
    settings.traceback_filtering = True


def disable_traceback_filtering() -> None:
    """Ask for whole tracebacks, which minpy always shows.

    Examples
    --------
    >>> import minpy
    >>> minpy.config.disable_traceback_filtering()
    >>> minpy.config.is_traceback_filtering_enabled()
    False
    """
    settings.traceback_filtering = False


def is_traceback_filtering_enabled() -> bool:
    """Say whether `enable_traceback_filtering` was called last."""
    return settings.traceback_filtering


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
