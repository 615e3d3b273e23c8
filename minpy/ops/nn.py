"""``keras.ops.nn``: the operations of neural networks of `minpy.ops`, as a module of their own."""

import minpy.ops as _ops

_BESIDE = ("moments", "multi_hot", "normalize", "one_hot", "polar")

__all__ = sorted(
    {*_BESIDE, *_ops.labels.__all__, *_ops.networks.__all__, *_ops.rearranging.__all__}
    - {"rearrange"}
)
globals().update({name: getattr(_ops, name) for name in __all__})
