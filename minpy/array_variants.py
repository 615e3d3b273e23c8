"""``minpy.array_variants`` of minpy 0.3.4: names of the two implementations of an operation."""

from __future__ import annotations

__all__ = ["ArrayType", "variants", "variants_repr"]


class ArrayType:
    """The implementations."""

    NUMPY = 0
    MXNET = 1


variants = {"numpy": ArrayType.NUMPY, "mxnet": ArrayType.MXNET}
variants_repr = {ArrayType.NUMPY: "NumPy", ArrayType.MXNET: "MXNet"}
