"""SciPy's functions as kernels, imported when they are first called; knows none by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

__all__ = ["Kernel", "missing", "scipy_module"]


def scipy_module(name: str, needed_by: str) -> Any:
    """Return a module of SciPy's.

    Raises
    ------
    ImportError
        If SciPy isn't installed; the message says what to do.
    """
    try:
        return importlib.import_module(f"scipy.{name}")
    except ImportError as error:
        raise ImportError(
            f"minpy.scipy.{needed_by} needs SciPy, which can't be imported here ({error}); "
            "pip install scipy"
        ) from error


class Kernel:
    """One function of SciPy's.

    Parameters
    ----------
    path
        How one writes it below ``scipy``: ``'special.erf'``.
    nin
        The number of arrays that it takes.
    """

    nout = 1
    signature = identity = None

    def __init__(self, path: str, nin: int) -> None:
        self.module, _, self.__name__ = path.rpartition(".")
        self.nin = nin
        self.__doc__ = f"As `scipy.{path}`."
        self._found: Callable[..., Any] | None = None

    @property
    def function(self) -> Callable[..., Any]:
        """SciPy's function."""
        if self._found is None:
            module = scipy_module(self.module, f"{self.module}.{self.__name__}")
            self._found = getattr(module, self.__name__)
        return self._found

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it."""
        return self.function(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        # The methods of a ufunc.
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.function, name)

    @property
    def ntypes(self) -> int:
        """How many combinations of types a ufunc takes; 0 for another function."""
        return 0

    @property
    def types(self) -> list[str]:
        """The combinations."""
        return []


def missing(module: str) -> Callable[[str], Any]:
    """Return a module's ``__getattr__``, which says where a function without derivative is."""

    def __getattr__(name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"module 'minpy.scipy.{module}' has no attribute {name!r}")
        raise AttributeError(
            f"minpy.scipy.{module} has no {name!r}, only functions with derivatives; "
            f"scipy.{module}.{name} takes minpy arrays where no gradient is wanted, and "
            "minpy.primitive makes it one that a rule can be given to"
        )

    return __getattr__
