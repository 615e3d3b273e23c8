"""``numpy.ma``, by the fall-back: masked arrays are NumPy's own."""

from minpy.numpy.fallback import reach

__getattr__, __dir__ = reach("numpy.ma")
