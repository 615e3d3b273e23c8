"""Functions of SciPy's with derivatives: special functions, distributions, linear algebra, ODEs.

SciPy does the work and is imported when the first function is called; it is an optional dependency.
What isn't here has no derivative: call ``scipy``'s own function, which takes minpy arrays.

>>> import minpy
>>> from minpy.scipy import special
>>> round(float(minpy.grad(special.expit)(0.0)), 6)
0.25
"""

from minpy.scipy import special

__all__ = ["special"]
