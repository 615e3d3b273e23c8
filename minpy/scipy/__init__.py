"""Functions of SciPy's with derivatives: special functions, distributions, linear algebra, ODEs.

SciPy does the work and is imported when the first function is called; it is an optional dependency.
SciPy's other functions of these modules are there too, on minpy arrays, without derivatives.

>>> import minpy
>>> from minpy.scipy.stats import norm
>>> round(float(minpy.grad(norm.logpdf)(2.0)), 6)
-2.0
"""

from minpy.scipy import integrate, linalg, optimize, signal, special, stats

__all__ = ["integrate", "linalg", "optimize", "signal", "special", "stats"]
