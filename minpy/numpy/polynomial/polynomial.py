"""``numpy.polynomial.polynomial`` on minpy arrays."""

from minpy.numpy.polynomial.series import family

_functions, __getattr__, __dir__ = family("polynomial", "poly")
globals().update(_functions)
