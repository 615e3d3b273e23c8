"""What arrays a layer function takes: brings its operands to one float dtype, or says why not.

It must not know any layer function.
"""

from __future__ import annotations

from typing import Any

import numpy

from minpy import runtime
from minpy.array import as_ndarray, ndarray
from minpy.primitives import registry

__all__ = [
    "array_of_floats",
    "as_float",
    "floats",
    "is_float32",
    "refuse_all_but_float32",
    "refuse_unsupported",
    "training",
]

_FLOAT32 = numpy.dtype("float32")


def array_of_floats(x: Any, by: str, name: str = "x") -> ndarray:
    """Return `x` as an array of floats.

    Raises
    ------
    TypeError
        If it holds integers, booleans or anything else.
    """
    x = as_ndarray(x)
    if x.dtype.kind != "f":
        raise TypeError(
            f"{by}: expected {name} of a float dtype, got {x.dtype}; "
            f"convert it first, {name}.astype('float32')"
        )
    return x


def floats(by: str, **operands: Any) -> list[ndarray | None]:
    """Return operands as arrays of the one float dtype that NumPy would promote them to.

    Parameters
    ----------
    by
        Name of the layer function, for messages.
    operands
        Arrays by name; None stays None.
    """
    arrays = [
        None if value is None else array_of_floats(value, by, name)
        for name, value in operands.items()
    ]
    dtypes = {a.dtype for a in arrays if a is not None}
    if len(dtypes) == 1:
        return arrays
    common = numpy.result_type(*dtypes)
    astype = registry["astype"]
    return [a if a is None or a.dtype == common else astype(a, common) for a in arrays]


def as_float(x: Any) -> ndarray:
    """Return an array of floats, of the default dtype where integers were given."""
    from minpy.config import settings

    x = as_ndarray(x)
    return registry["astype"](x, settings.float_dtype) if x.dtype.kind in "iub" else x


def is_float32(x: Any) -> bool:
    """Say whether an operand is a float32 array: what oneDNN's kernels are fast for."""
    return type(x) is ndarray and x.dtype == _FLOAT32


def refuse_all_but_float32(x: Any) -> None:
    """Raise `minpy.runtime.Unsupported` unless `x` is float32: where MXNet rounds to it anyway."""
    refuse_unsupported(x)
    if x.dtype != numpy.float32:
        raise runtime.Unsupported("MXNet's operator computes in float32")


def refuse_unsupported(*arrays: Any) -> None:
    """Raise `minpy.runtime.Unsupported` for arrays that MXNet's layer operators can't take."""
    for a in arrays:
        if a is None:
            continue
        # On the CPU they have no float16, and no operator of theirs takes an empty array.
        if a.dtype not in (numpy.float32, numpy.float64):
            raise runtime.Unsupported(f"MXNet's layer operators take no {numpy.dtype(a.dtype)}")
        if 0 in a.shape:
            raise runtime.Unsupported("MXNet's layer operators take no empty arrays")


class training:
    """Runs operators of MXNet's in training mode, in a ``with`` block, where they run at once.

    Outside of it oneDNN puts the weights that it is given into a layout of its own, in place and
    for good: NumPy, which shares the memory, would read them scrambled. A graph sets the mode
    itself when it runs.
    """

    __slots__ = ("autograd", "before")

    def __init__(self, F: Any) -> None:
        self.autograd = None if F.symbolic else runtime.library().autograd

    def __enter__(self) -> None:
        if self.autograd is not None:
            self.before = self.autograd.set_training(True)

    def __exit__(self, *exc: object) -> None:
        if self.autograd is not None:
            self.autograd.set_training(self.before)
