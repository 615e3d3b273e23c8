"""``numpy.polynomial.laguerre`` on minpy arrays."""

from minpy.numpy.polynomial.series import family

_functions, __getattr__, __dir__ = family("laguerre", "lag")
globals().update(_functions)
