"""``minpy.core`` of minpy 0.3.4: gradients of functions."""

from minpy.autograd import grad, grad_and_loss

__all__ = ["grad", "grad_and_loss"]
