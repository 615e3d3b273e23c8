"""``autograd.misc.fixed_points`` of HIPS autograd."""

from minpy.autograd.fixed_points import fixed_point

__all__ = ["fixed_point"]
