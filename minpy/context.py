"""Devices: which one an array lies on and which one new arrays are made on; knows no arrays.

>>> from minpy.context import cpu, current_context
>>> with cpu():
...     current_context()
cpu(0)
"""

from __future__ import annotations

import threading
from typing import Any

from minpy import runtime
from minpy.errors import ContextError

__all__ = ["Context", "cpu", "current_context", "gpu", "num_gpus", "set_context"]


class Context:
    """A device: the CPU, or one of the GPUs.

    Parameters
    ----------
    device_type
        ``'cpu'`` or ``'gpu'``; or another context, to make one like it.
    device_id
        Which one, from 0.

    Notes
    -----
    Used as ``with gpu(0): …``, a context makes new arrays on its device; contexts nest, and each
    thread has its own.

    ``cpu(0)`` is the host: its arrays lie where NumPy sees them. ``cpu(1)``, ``cpu(2)`` … are
    devices apart from it that happen to be the same processor, as in MXNet: arrays are copied
    there and back, and operations on them run on MXNet's kernels. Programs for several devices
    can be tried on them without a GPU.
    """

    __slots__ = ("device_id", "device_type", "on_host")

    def __init__(self, device_type: str | Context, device_id: int = 0) -> None:
        if isinstance(device_type, Context):
            device_type, device_id = device_type.device_type, device_type.device_id
        if device_type not in ("cpu", "gpu"):
            raise ValueError(f"Context: expected device type 'cpu' or 'gpu', got {device_type!r}")
        if isinstance(device_id, bool) or not isinstance(device_id, int) or device_id < 0:
            raise ValueError(f"Context: expected a device number from 0, got {device_id!r}")
        self.device_type = device_type
        self.device_id = device_id
        self.on_host = device_type == "cpu" and device_id == 0

    def as_mxnet_context(self) -> Any:
        """Return MXNet's context of the device, for a program that uses both."""
        return runtime.library().Context(self.device_type, self.device_id)

    def check(self) -> None:
        """Raise `ContextError` if the device can't be used here, saying what is missing."""
        if self.on_host:
            return
        if self.device_type == "cpu":
            if not runtime.available():
                raise ContextError(
                    f"{self!r} can't be used: {runtime.why_unavailable()}; cpu(0) can"
                )
            return
        found = runtime.num_gpus()
        if self.device_id < found:
            return
        if runtime.build() is None:
            reason = "mxnet is not installed; install minpy[gpu] (mxnet-cu117) on Linux x86-64"
        elif runtime.build() == "cpu":
            reason = (
                "the installed mxnet is the CPU build; `pip uninstall mxnet` and "
                "`pip install 'minpy[gpu]'` for the CUDA 11 build (GPUs from Maxwell to Ada, "
                "compute capability 5.0 to 8.9)"
            )
        elif found == 0:
            reason = runtime.why_unavailable() or (
                "the CUDA build of mxnet is installed but it sees no GPU; "
                "check the driver with nvidia-smi"
            )
        else:
            reason = f"this machine has {found}, numbered from 0"
        raise ContextError(f"{self!r} can't be used: {reason}")

    def __enter__(self) -> Context:
        self.check()
        _state.stack.append(self)
        return self

    def __exit__(self, *exc: object) -> None:
        _state.stack.pop()

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Context)
            and self.device_type == other.device_type
            and self.device_id == other.device_id
        )

    def __hash__(self) -> int:
        return hash((self.device_type, self.device_id))

    def __repr__(self) -> str:
        return f"{self.device_type}({self.device_id})"


class _State(threading.local):
    """Each thread's contexts, the current one last; a thread starts on the CPU."""

    def __init__(self) -> None:
        self.stack = [CPU]


CPU = Context("cpu", 0)
_state = _State()


def cpu(device_id: int = 0) -> Context:
    """Return the context of the CPU: the host, or with a number above 0 a device on its own."""
    return CPU if device_id == 0 else Context("cpu", device_id)


def gpu(device_id: int = 0) -> Context:
    """Return the context of a GPU; it fails where it is entered if there is no such GPU."""
    return Context("gpu", device_id)


def set_context(context: Context) -> None:
    """Make `context` the current one of this thread, until it is set again or a block ends.

    Raises
    ------
    ContextError
        If the device can't be used here; the current context stays what it was.
    """
    if not isinstance(context, Context):
        raise TypeError(f"set_context: expected cpu() or gpu(i), got {context!r}")
    context.check()
    _state.stack[-1] = context


def current_context() -> Context:
    """Return the context that new arrays are made on in this thread."""
    return _state.stack[-1]


def num_gpus() -> int:
    """Return the number of GPUs that can be used."""
    return runtime.num_gpus()
