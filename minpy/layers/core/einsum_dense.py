"""The densely connected layer whose axes are named by an equation."""

from __future__ import annotations

import math
from typing import Any

from minpy.arguments import also_by_place
from minpy.errors import ShapeError
from minpy.layers.functions.contraction import contract, parse_equation
from minpy.layers.weighted import KernelLayer

__all__ = ["EinsumDense"]


class EinsumDense(KernelLayer):
    """Densely connected layer of any rank: ``activation(einsum(equation, x, kernel) + bias)``.

    Parameters
    ----------
    equation
        ``'ab,bc->ac'``: letters of the input's axes, the kernel's and the output's. An ellipsis
        stands for any axes: ``'...b,bc->...c'``.
    output_shape
        Of a sample: without the batch axis, and without what an ellipsis stands for. None where an
        axis is as long as the input's.
    activation
        Name or function; None is the identity.
    bias_axes
        The output's letters that the bias has; None for no bias.
    kernel_initializer, bias_initializer
        How the weights start.
    kernel_regularizer, bias_regularizer, activity_regularizer
        Loss terms of the weights and of the output.
    kernel_constraint, bias_constraint
        What is done to the weights after each step.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import EinsumDense
    >>> layer = EinsumDense('abc,cde->abde', output_shape=(None, 2, 4), bias_axes='de')
    >>> layer(np.ones((5, 7, 3))).shape, layer.kernel.shape, layer.bias.shape
    ((5, 7, 2, 4), (3, 2, 4), (2, 4))
    """

    @also_by_place(
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
    )
    def __init__(
        self,
        equation: str,
        output_shape: Any,
        activation: Any = None,
        bias_axes: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activation=activation, use_bias=bias_axes is not None, **kwargs)
        self.equation = equation
        self._told_shape = (output_shape,) if isinstance(output_shape, int) else tuple(output_shape)
        self.bias_axes = bias_axes
        of_x = equation.split(",")[0].replace(".", "") if isinstance(equation, str) else ""
        _, _, of_out = parse_equation(equation, len(of_x))
        missing = sorted(set(bias_axes or "") - set(of_out))
        if missing:
            raise ValueError(
                f"EinsumDense: bias_axes {bias_axes!r} has {missing[0]!r}, which is not an axis of "
                f"the output of {equation!r}"
            )

    def _lengths(self, shape: Any) -> tuple[dict[str, int | None], tuple[str, str, str]]:
        """Return the length of each letter's axis, and the letters with those of an ellipsis."""
        letters = parse_equation(self.equation, len(shape))
        of_x, of_y, of_out = letters
        lengths: dict[str, int | None] = dict(zip(of_x, shape, strict=True))
        told = list(self._told_shape)
        named = self.equation.replace(" ", "").split("->")[1].replace(".", "")
        if self.equation.replace(" ", "").startswith("..."):
            # The ellipsis starts with the batch axis.
            own = named if len(told) == len(named) else named[1:]
        else:
            own = named[1:]
        if len(told) != len(own):
            raise ShapeError(
                f"EinsumDense {self.name!r}: equation {self.equation!r} expects an output_shape of "
                f"{len(own)} numbers, one for each of {own!r}, got {self._told_shape}"
            )
        for letter, length in zip(own, told, strict=True):
            known = lengths.get(letter)
            if known is not None and length is not None and known != length:
                raise ShapeError(
                    f"EinsumDense {self.name!r}: axis {letter!r} has length {known} in the input "
                    f"and {length} in output_shape {self._told_shape}"
                )
            lengths[letter] = known if length is None else length
        for letter in of_y:
            if lengths.get(letter) is None:
                raise ShapeError(
                    f"EinsumDense {self.name!r}: the length of axis {letter!r} of the kernel must "
                    f"be known, from the input's shape {shape} or from output_shape "
                    f"{self._told_shape}"
                )
        return lengths, (of_x, of_y, of_out)

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless the input's axes fit the equation."""
        self._lengths(shape)

    def build(self, input_shape: Any) -> None:
        """Make kernel and bias."""
        lengths, (_, of_y, of_out) = self._lengths(input_shape)
        shape = tuple(lengths[c] for c in of_y)
        fans = (
            math.prod(lengths[c] for c in of_y if c not in of_out),
            math.prod(lengths[c] for c in of_y if c in of_out),
        )
        self.kernel = self.add_weight(
            "kernel",
            shape,
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            fans=fans,
        )
        self.bias = None
        if self.bias_axes is not None:
            first = min(of_out.index(c) for c in self.bias_axes)
            bias_shape = tuple(lengths[c] if c in self.bias_axes else 1 for c in of_out[first:])
            if None in bias_shape:
                raise ShapeError(
                    f"EinsumDense {self.name!r}: bias_axes {self.bias_axes!r} names an axis whose "
                    f"length isn't known, input shape {input_shape}"
                )
            self.bias = self.add_weight(
                "bias",
                bias_shape,
                self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    def call(self, x: Any) -> Any:
        """Compute the output."""
        letters = parse_equation(self.equation, x.ndim)
        of_x, of_y, of_out = letters
        kernel, bias = self.kernel, self.bias
        for length, expected, letter in (
            (x.shape[of_x.index(c)], kernel.shape[i], c) for i, c in enumerate(of_y) if c in of_x
        ):
            if length != expected:
                raise ShapeError(
                    f"EinsumDense {self.name!r}: expected {expected} for axis {letter!r} of "
                    f"{self.equation!r}, got an input of shape {x.shape}"
                )
        if bias is None:
            return self._finish(contract(x, kernel, letters))
        # The affine map adds the bias in the product's own pass, where it is one of the columns'.
        columns = "".join(c for c in of_y if c not in of_x)
        at_the_end = of_out.endswith(columns) and not any(c in of_out for c in of_y if c in of_x)
        if (
            columns
            and at_the_end
            and bias.shape == tuple(kernel.shape[of_y.index(c)] for c in columns)
        ):
            return self._finish(contract(x, kernel, letters, bias))
        return self._finish(contract(x, kernel, letters) + bias)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        lengths, (_, _, of_out) = self._lengths(input_shape)
        return tuple(lengths[c] for c in of_out)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        config = super().get_config()
        del config["use_bias"]
        return {
            **config,
            "equation": self.equation,
            "output_shape": list(self._told_shape),
            "bias_axes": self.bias_axes,
        }
