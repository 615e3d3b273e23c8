"""``numpy.polynomial.hermite_e`` on minpy arrays."""

from minpy.numpy.polynomial.series import family

_functions, __getattr__, __dir__ = family("hermite_e", "herme")
globals().update(_functions)
