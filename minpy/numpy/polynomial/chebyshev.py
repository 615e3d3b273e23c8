"""``numpy.polynomial.chebyshev`` on minpy arrays."""

from minpy.numpy.polynomial.series import family

_functions, __getattr__, __dir__ = family("chebyshev", "cheb")
globals().update(_functions)
