"""HIPS autograd's ``misc``, under its name: flattening, optimisers, fixed points.

As there, `flatten` is the function, which hides the module it is in: that one is imported from.
"""

from minpy.autograd.misc import fixed_points, optimizers
from minpy.autograd.misc.flatten import flatten

__all__ = ["fixed_points", "flatten", "optimizers"]
