"""HIPS autograd's ``misc``, under its name: flattening, optimisers, fixed points."""

from minpy.autograd.misc import fixed_points, flatten, optimizers

__all__ = ["fixed_points", "flatten", "optimizers"]
