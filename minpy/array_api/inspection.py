"""What the standard lets a program ask a library: dtypes, devices, capabilities."""

from __future__ import annotations

from typing import Any

import numpy

from minpy import runtime
from minpy.array_api import dtypes
from minpy.array_api.devices import context_of
from minpy.config import settings
from minpy.context import Context, cpu, current_context, gpu

__all__ = ["__array_namespace_info__"]


class __array_namespace_info__:
    """Answers about minpy; see the standard's page on inspection.

    Examples
    --------
    >>> import minpy.array_api as xp
    >>> xp.__array_namespace_info__().default_dtypes()['real floating']
    dtype('float32')
    """

    def capabilities(self) -> dict[str, Any]:
        """Say which optional behaviour there is."""
        return {"boolean indexing": True, "data-dependent shapes": True}

    def default_device(self) -> Context:
        """Return the current context."""
        return current_context()

    def default_dtypes(self, *, device: Any = None) -> dict[str, numpy.dtype]:
        """Return the dtypes of arrays that nobody chose one for."""
        context_of(device)
        return {
            "real floating": numpy.dtype(settings.float_dtype),
            "complex floating": numpy.dtype(settings.complex_dtype),
            "integral": numpy.dtype("int64"),
            "indexing": numpy.dtype("int64"),
        }

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, numpy.dtype]:
        """Return the dtypes of a kind, or of several, by name."""
        context_of(device)
        every = {name: numpy.dtype(name) for name in dtypes._NAMES}
        if kind is None:
            return every
        return {name: d for name, d in every.items() if dtypes.isdtype(d, kind)}

    def devices(self) -> list[Context]:
        """Return the host and the GPUs."""
        count = runtime.num_gpus() if runtime.installed() else 0
        return [cpu(), *[gpu(i) for i in range(count)]]
