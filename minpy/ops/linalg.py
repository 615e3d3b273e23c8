"""``keras.ops.linalg``: the operations on matrices of `minpy.ops`, as a module of their own."""

import minpy.ops as _ops

_BESIDE = ("cholesky_inverse", "jvp", "lu_factor", "norm", "solve_triangular")

__all__ = sorted({*_ops._LINALG, *_BESIDE} - {"slogdet"})
globals().update({name: getattr(_ops, name) for name in __all__})
