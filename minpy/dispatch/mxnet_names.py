"""What ``minpy.numpy`` of 0.3.4 had beyond NumPy of today.

Statistics of operations, MXNet's operators, and names that NumPy 1.24 removed, such as ``np.int``.
"""

from __future__ import annotations

from typing import Any

from minpy import runtime
from minpy.array import as_ndarray, ndarray, numpy_value
from minpy.dispatch import mxnet_operators, policy
from minpy.policy import current_policy, reset_operation_counts, set_global_policy

__all__ = [
    "find",
    "onehot_encode",
    "record_op_stat",
    "set_policy",
    "show_op_stat",
    "softmax_output",
]


_REMOVED = {"bool": bool, "complex": complex, "float": float, "int": int, "object": object}


def find(name: str) -> Any:
    """Return what a name of ``minpy.numpy`` stood for in 0.3.4, or None."""
    if name in __all__ and name != "find":
        return globals()[name]
    if name in mxnet_operators.NAMES and runtime.available():
        return mxnet_operators.operator(name)
    return _REMOVED.get(name)


def record_op_stat() -> None:
    """Start to count operations anew; they are always counted."""
    reset_operation_counts()


def show_op_stat() -> None:
    """Print how often each operation ran on MXNet and on NumPy."""
    policy.create(current_policy()).show_op_stat()


def set_policy(plc: Any) -> None:
    """Choose which kernels run; the same as `minpy.set_global_policy`."""
    set_global_policy(plc)


def onehot_encode(indices: Any, out: ndarray) -> ndarray:
    """Write the one-hot vectors of class numbers into `out`, of shape (batch, classes).

    Examples
    --------
    >>> import minpy.numpy as np
    >>> np.onehot_encode(np.array([1, 0]), np.zeros((2, 3)))
    array([[0., 1., 0.],
           [1., 0., 0.]])
    """
    numbers = numpy_value(as_ndarray(indices)).astype(int).reshape(-1)
    rows, classes = out.shape
    if len(numbers) != rows or (rows and not 0 <= numbers.min() <= numbers.max() < classes):
        raise ValueError(
            f"onehot_encode: expected {rows} class numbers from 0 to {classes - 1}, got "
            f"{len(numbers)}" + (f" from {numbers.min()} to {numbers.max()}" if rows else "")
        )
    out[...] = 0
    out[range(rows), numbers] = 1
    return out


def softmax_output(x: Any, label: Any) -> ndarray:
    """Return the softmax of scores, of shape (batch, classes); `label` is accepted for its place.

    0.3.4 gave this the gradient of the cross-entropy with `label`; here it has its own.
    """
    from minpy.layers.functions import softmax

    return softmax(as_ndarray(x))
