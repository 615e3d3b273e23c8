"""``keras.ops.linalg``: the operations on matrices of `minpy.ops`, as a module of their own."""

import minpy.ops as _ops

__all__ = sorted({*_ops._LINALG, "norm", "solve_triangular"} - {"slogdet"})
globals().update({name: getattr(_ops, name) for name in __all__})
