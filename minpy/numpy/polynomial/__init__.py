"""``numpy.polynomial``: functions on minpy arrays, with derivatives; classes are NumPy's own."""

from minpy.numpy.fallback import reach

__getattr__, __dir__ = reach("numpy.polynomial")
