"""``numpy.polynomial.hermite`` on minpy arrays."""

from minpy.numpy.polynomial.series import family

_functions, __getattr__, __dir__ = family("hermite", "herm")
globals().update(_functions)
