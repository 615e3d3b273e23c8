"""``keras.ops.numpy``: the operations that NumPy has too, as a module of their own."""

import minpy.ops as _ops

_BESIDE = ("divide_no_nan", "get_item", "nan_to_num", "slogdet", "view")

__all__ = sorted({*_ops._NUMPY, *_ops._OTHER, *_BESIDE, *_ops.reductions.__all__})
globals().update({name: getattr(_ops, name) for name in __all__})
