"""``minpy.core`` of minpy 0.3.4: gradients, conversions, and MXNet symbols as functions."""

from minpy.dispatch.marking import (
    convert_args,
    grad,
    grad_and_loss,
    minpy_to_numpy,
    numpy_to_minpy,
    return_numpy,
)
from minpy.dispatch.symbols import Function, MXNetSymbolError

__all__ = [
    "Function",
    "MXNetSymbolError",
    "convert_args",
    "grad",
    "grad_and_loss",
    "minpy_to_numpy",
    "numpy_to_minpy",
    "return_numpy",
]
