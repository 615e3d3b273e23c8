"""``numpy.polynomial.legendre`` on minpy arrays."""

from minpy.numpy.polynomial.series import family

_functions, __getattr__, __dir__ = family("legendre", "leg")
globals().update(_functions)
