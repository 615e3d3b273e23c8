"""SciPy's functions as kernels, imported when they are first called; knows none by name."""

from __future__ import annotations

import importlib
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy

from minpy.numpy.fallback import Fallback
from minpy.primitives import registry

__all__ = ["Kernel", "ScipyFallback", "reach", "scipy_module"]


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


class ScipyFallback(Fallback):
    """A function of SciPy's without a derivative, on minpy arrays.

    Parameters
    ----------
    path
        How one writes it: ``'scipy.linalg.logm'``.
    kernel
        The function.
    """

    @property
    def path(self) -> str:
        """How one writes it."""
        return self.name

    def __reduce__(self) -> Any:
        return (_by_path, (self.name,))


def _by_path(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(f"minpy.{module}"), name)


_FUNCTIONS = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    numpy.ufunc,
)


def reach(path: str, own: Sequence[str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` for a module that has some of SciPy's functions.

    The others are SciPy's own, on minpy arrays, without derivatives.

    Parameters
    ----------
    path
        Below ``scipy``: ``'linalg'``, ``'stats.norm'``.
    own
        The names that minpy's module has by itself.
    """

    def __getattr__(name: str) -> Any:
        missing = AttributeError(f"module 'minpy.scipy.{path}' has no attribute {name!r}")
        if name.startswith("_"):
            raise missing
        full = f"scipy.{path}.{name}"
        if full in registry:
            return registry[full]
        value = getattr(_found(path, name), name, None)
        if value is None:
            raise missing
        return ScipyFallback(full, value) if isinstance(value, _FUNCTIONS) else value

    def __dir__() -> list[str]:
        there = dir(_found(path, "__dir__"))
        return sorted({*own, *(name for name in there if not name.startswith("_"))})

    return __getattr__, __dir__


def _found(path: str, name: str) -> Any:
    """Return SciPy's module, or its distribution, of a path."""
    module, _, inside = path.partition(".")
    found = scipy_module(module, f"{path}.{name}")
    return getattr(found, inside) if inside else found
