"""``numpy.polynomial``, by the fall-back: classes as they are, functions on minpy arrays."""

from minpy.numpy.fallback import reach

__getattr__, __dir__ = reach("numpy.polynomial")
