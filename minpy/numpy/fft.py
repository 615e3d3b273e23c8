"""``numpy.fft``, by the fall-back."""

from minpy.numpy.fallback import reach

__getattr__, __dir__ = reach("numpy.fft")
