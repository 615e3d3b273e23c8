"""Group normalization."""

from __future__ import annotations

from typing import Any

from minpy.arguments import also_by_place
from minpy.errors import ShapeError
from minpy.layers.functions.group_norm import group_norm
from minpy.layers.normalization.scale_and_shift import SCALE_AND_SHIFT, ScaleAndShift

__all__ = ["GroupNormalization"]


class GroupNormalization(ScaleAndShift):
    """Normalizes groups of each sample's channels, and scales and shifts each channel.

    Parameters
    ----------
    groups
        Number of groups; divides the number of channels. -1 for one channel a group.
    axis
        The channels' axis.
    epsilon
        Added to the variance.
    center, scale
        Whether a shift and a scale are learnt.
    beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer
        How the weights start, and their loss terms.
    beta_constraint, gamma_constraint
        What is done to the weights after each step.

    Notes
    -----
    Wu and He, 2018. The channels' axis is the last one by default, as in Keras; images are
    channels-first here by default, and want ``axis=1``.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import GroupNormalization
    >>> GroupNormalization(groups=2, epsilon=0.)(np.array([[1., 3., 10., 30.]]))
    array([[-1.,  1., -1.,  1.]])
    """

    @also_by_place(**SCALE_AND_SHIFT)
    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(epsilon=epsilon, center=center, scale=scale, **kwargs)
        if isinstance(groups, bool) or not isinstance(groups, int) or (groups < 1 and groups != -1):
            raise ValueError(
                f"GroupNormalization: expected a positive number of groups, or -1, got {groups!r}"
            )
        if not isinstance(axis, int):
            raise ValueError(f"GroupNormalization: expected axis to be a number, got {axis!r}")
        self.groups = groups
        self.axis = axis

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless the number of channels is a multiple of the groups'."""
        who = f"GroupNormalization {self.name!r}"
        if not isinstance(shape, tuple) or len(shape) < 2:
            raise ShapeError(f"{who}: expected input of shape (batch, …), got {shape}")
        if not -len(shape) < self.axis < len(shape) or self.axis == 0:
            raise ShapeError(f"{who}: axis {self.axis} is no axis of channels of shape {shape}")
        channels = shape[self.axis]
        if channels is None:
            raise ShapeError(
                f"{who}: the number of channels (axis {self.axis}) must be known, got {shape}"
            )
        if self.groups != -1 and channels % self.groups:
            raise ShapeError(
                f"{who}: expected a number of channels (axis {self.axis}) that is a multiple of "
                f"{self.groups} groups, got {channels} of an input of shape {shape}"
            )

    def build(self, input_shape: Any) -> None:
        """Make scale and shift."""
        self._make_weights((input_shape[self.axis],))

    def call(self, x: Any) -> Any:
        """Compute the output."""
        groups = x.shape[self.axis] if self.groups == -1 else self.groups
        return group_norm(x, groups, self.gamma, self.beta, self.axis, self.epsilon)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "groups": self.groups, "axis": self.axis}
