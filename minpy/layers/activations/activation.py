"""Activation functions without weights, as layers."""

from __future__ import annotations

from typing import Any

from minpy import activations
from minpy.errors import ShapeError
from minpy.layers.functions.attention import masked_softmax
from minpy.layers.layer import Layer
from minpy.numpy.shaping import reshape, transpose

__all__ = ["ELU", "Activation", "LeakyReLU", "ReLU", "Softmax"]


class _Elementwise(Layer):
    supports_masking = True

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return input_shape


class Activation(_Elementwise):
    """Applies an activation function.

    Parameters
    ----------
    activation
        Its name, or a function of an array.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Activation
    >>> Activation('relu')(np.array([-1., 2.]))
    array([0., 2.])
    """

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, x: Any) -> Any:
        """Compute the output."""
        return self.activation(x)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output: that of the input; ``glu`` halves the features."""
        if self.activation is not activations.glu or input_shape[-1] is None:
            return input_shape
        return (*input_shape[:-1], input_shape[-1] // 2)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "activation": activations.serialize(self.activation)}


class ReLU(_Elementwise):
    """Rectified linear unit, with Keras' three variations.

    Parameters
    ----------
    max_value
        Upper limit; None for none.
    negative_slope
        Slope below the threshold.
    threshold
        Below it the unit is off.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import ReLU
    >>> ReLU(max_value=6)(np.array([-1., 2., 9.]))
    array([0., 2., 6.])
    """

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        told = {"negative_slope": negative_slope, "threshold": threshold}
        if max_value is not None:
            told["max_value"] = max_value
        for name, value in told.items():
            if value is None or not value >= 0:
                raise ValueError(f"ReLU: expected {name} from 0, got {value!r}")
        self.max_value = max_value
        self.negative_slope = negative_slope
        self.threshold = threshold

    def call(self, x: Any) -> Any:
        """Compute the output."""
        return activations.relu(x, self.negative_slope, self.max_value, self.threshold)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {
            **super().get_config(),
            "max_value": self.max_value,
            "negative_slope": self.negative_slope,
            "threshold": self.threshold,
        }


class LeakyReLU(_Elementwise):
    """Rectified linear unit that lets a part of what is negative pass; Maas et al., 2013.

    Parameters
    ----------
    negative_slope
        Slope below 0.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import LeakyReLU
    >>> LeakyReLU()(np.array([-1., 2.]))
    array([-0.3,  2. ])
    """

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if negative_slope is None or not negative_slope >= 0:
            raise ValueError(f"LeakyReLU: expected negative_slope from 0, got {negative_slope!r}")
        self.negative_slope = float(negative_slope)

    def call(self, x: Any) -> Any:
        """Compute the output."""
        return activations.leaky_relu(x, self.negative_slope)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "negative_slope": self.negative_slope}


class ELU(_Elementwise):
    """Exponential linear unit; Clevert et al., 2015.

    Parameters
    ----------
    alpha
        Minus the value that the result tends to where the input is very negative.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import ELU
    >>> ELU(2.)(np.array([-100., 2.]))
    array([-2.,  2.])
    """

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = float(alpha)

    def call(self, x: Any) -> Any:
        """Compute the output."""
        return activations.elu(x, self.alpha)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "alpha": self.alpha}


class Softmax(_Elementwise):
    """Softmax along one axis, or along several together.

    Parameters
    ----------
    axis
        Along which the outputs sum to 1.

    Notes
    -----
    Called with a mask that broadcasts to the input, elements that it leaves out are 0.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Softmax
    >>> Softmax()(np.array([[0., 0.]]))
    array([[0.5, 0.5]])
    >>> Softmax()(np.array([[0., 0., 0.]]), mask=np.array([[True, False, True]]))
    array([[0.5, 0. , 0.5]])
    """

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        several = isinstance(axis, list | tuple) and len(axis) > 0
        if not isinstance(axis, int) and not (several and all(isinstance(a, int) for a in axis)):
            raise ValueError(
                f"Softmax: expected axis to be a number or a list of them, got {axis!r}"
            )
        self.axis = axis if isinstance(axis, int) else list(axis)

    def _axes(self, ndim: int) -> tuple[int, ...]:
        told = (self.axis,) if isinstance(self.axis, int) else tuple(self.axis)
        if any(not -ndim <= a < ndim for a in told):
            raise ShapeError(
                f"Softmax {self.name!r}: axis {self.axis} is no axis of an input with {ndim} axes"
            )
        return tuple(sorted({a % ndim for a in told}))

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless the axes are there."""
        if isinstance(shape, tuple):
            self._axes(len(shape))

    def call(self, x: Any, mask: Any = None) -> Any:
        """Compute the output."""
        axes = self._axes(x.ndim)
        if mask is None and len(axes) == 1:
            return activations.softmax(x, axes[0])
        if mask is not None:
            fits = zip(mask.shape[::-1], x.shape[::-1], strict=False)
            if mask.ndim > x.ndim or any(m not in (1, n) for m, n in fits):
                raise ShapeError(
                    f"Softmax {self.name!r}: expected a mask that broadcasts to the input's shape "
                    f"{x.shape}, got {mask.shape}"
                )
            if mask.dtype.kind != "b":
                mask = mask > 0.5
            if mask.ndim < x.ndim:
                mask = reshape(mask, (*[1] * (x.ndim - mask.ndim), *mask.shape))
        order = (*(a for a in range(x.ndim) if a not in axes), *axes)
        kept = x.ndim - len(axes)
        turned = transpose(x, order)
        if mask is not None:
            mask = transpose(mask, order)
            if len(axes) > 1:
                # A mask may be of length 1 along axes that are to become one.
                full = tuple(turned.shape[kept:])
                if tuple(mask.shape[kept:]) != full:
                    mask = (mask.astype("float32") + turned * 0.0) != 0
                mask = reshape(mask, (*mask.shape[:kept], -1))
        rows = reshape(turned, (*turned.shape[:kept], -1)) if len(axes) > 1 else turned
        out = reshape(masked_softmax(rows, mask), turned.shape)
        return transpose(out, tuple(sorted(range(x.ndim), key=order.__getitem__)))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "axis": self.axis}
