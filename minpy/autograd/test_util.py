"""HIPS autograd's ``test_util``, under its name."""

from minpy.autograd.check import check_grads

__all__ = ["check_grads"]
