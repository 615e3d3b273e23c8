"""``minpy.primitive`` of minpy 0.3.4, which is a module, beside the function of that name.

``from minpy.primitive import customop`` finds the module; from then on ``minpy.primitive`` is
that module, which can be called as the function can.

>>> import minpy, minpy.primitive
>>> @minpy.primitive
... def cube(x):
...     return x ** 3
>>> float(cube(2.0))
8.0
"""

from __future__ import annotations

import sys
import types
from typing import Any

from minpy.dispatch.custom import CustomOperation, NoGradientFuncError, customop
from minpy.primitives import Primitive
from minpy.primitives import primitive as _primitive

__all__ = ["CustomOperation", "NoGradientFuncError", "Primitive", "customop"]


class _CallableModule(types.ModuleType):
    """The module, which is the decorator too."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _primitive(*args, **kwargs)

    @property
    def __signature__(self) -> Any:
        import inspect

        return inspect.signature(_primitive)


sys.modules[__name__].__class__ = _CallableModule
