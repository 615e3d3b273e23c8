"""Sum, difference, product, mean, largest and smallest of several arrays, element by element."""

from __future__ import annotations

from typing import Any

from minpy.layers.functions.masks import either
from minpy.layers.merging.merge import Merge, merged
from minpy.numpy.elementwise import maximum as larger
from minpy.numpy.elementwise import minimum as smaller
from minpy.numpy.elementwise import where
from minpy.numpy.shaping import expand_dims

__all__ = [
    "Add",
    "Average",
    "Maximum",
    "Minimum",
    "Multiply",
    "Subtract",
    "add",
    "average",
    "maximum",
    "minimum",
    "multiply",
    "subtract",
]


def _over_features(mask: Any, x: Any) -> Any:
    """Return a mask with an axis for an array's features."""
    return expand_dims(mask, -1) if mask.ndim < x.ndim else mask


class Add(Merge):
    """Adds a list of arrays.

    Notes
    -----
    Arrays with fewer axes than others get axes of length 1 behind the batch's, and axes of length 1
    are stretched.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Add
    >>> Add()([np.ones((1, 2)), np.ones((1, 2))])
    array([[2., 2.]])
    """

    def _merge(self, inputs: list[Any], masks: list[Any]) -> Any:
        total = inputs[0]
        for x in inputs[1:]:
            total = total + x
        return total


class Subtract(Merge):
    """Subtracts the second of two arrays from the first.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Subtract
    >>> Subtract()([np.ones((1, 2)), np.array([[0., 1.]])])
    array([[1., 0.]])
    """

    _inputs = (2, 2)

    def _merge(self, inputs: list[Any], masks: list[Any]) -> Any:
        return inputs[0] - inputs[1]


class Multiply(Merge):
    """Multiplies a list of arrays; what an array's mask leaves out counts as 1.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Multiply
    >>> Multiply()([np.array([[2., 3.]]), np.array([[4., 5.]])])
    array([[ 8., 15.]])
    """

    def _merge(self, inputs: list[Any], masks: list[Any]) -> Any:
        product, any_holds = None, None
        every = all(mask is not None for mask in masks)
        for x, mask in zip(inputs, masks, strict=True):
            if mask is not None:
                mask = _over_features(mask, x)
                x = where(mask, x, 1.0)
            product = x if product is None else product * x
            if every:
                any_holds = mask if any_holds is None else either(any_holds, mask)
        # Keras' rule: 0 where all masks leave an element out.
        return where(any_holds, product, 0.0) if every else product


class Average(Merge):
    """Averages a list of arrays.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Average
    >>> Average()([np.array([[2., 3.]]), np.array([[4., 5.]])])
    array([[3., 4.]])
    """

    def _merge(self, inputs: list[Any], masks: list[Any]) -> Any:
        total = inputs[0]
        for x in inputs[1:]:
            total = total + x
        return total / len(inputs)


class _Extreme(Merge):
    """Takes one of each place's elements; of those only that the masks don't leave out."""

    _choose: Any = None

    def _merge(self, inputs: list[Any], masks: list[Any]) -> Any:
        out, of_out = None, None
        for x, mask in zip(inputs, masks, strict=True):
            mask = None if mask is None else _over_features(mask, x)
            if out is None:
                out, of_out = x, mask
                continue
            if mask is not None:
                x = where(mask, x, out)
            if of_out is not None:
                out = where(of_out, out, x)
            of_out = either(of_out, mask)
            out = type(self)._choose(out, x)
        return out


class Maximum(_Extreme):
    """Takes the largest of each place's elements in a list of arrays.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Maximum
    >>> Maximum()([np.array([[2., 3.]]), np.array([[4., 1.]])])
    array([[4., 3.]])
    """

    _choose = staticmethod(larger)


class Minimum(_Extreme):
    """Takes the smallest of each place's elements in a list of arrays.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Minimum
    >>> Minimum()([np.array([[2., 3.]]), np.array([[4., 1.]])])
    array([[2., 1.]])
    """

    _choose = staticmethod(smaller)


def add(inputs: Any, **kwargs: Any) -> Any:
    """Return the sum of a list of arrays; see `Add`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy import layers
    >>> layers.add([np.ones((1, 2)), np.ones((1, 2))])
    array([[2., 2.]])
    """
    return merged(Add(**kwargs), inputs)


def subtract(inputs: Any, **kwargs: Any) -> Any:
    """Return the difference of two arrays; see `Subtract`."""
    return merged(Subtract(**kwargs), inputs)


def multiply(inputs: Any, **kwargs: Any) -> Any:
    """Return the product of a list of arrays; see `Multiply`."""
    return merged(Multiply(**kwargs), inputs)


def average(inputs: Any, **kwargs: Any) -> Any:
    """Return the mean of a list of arrays; see `Average`."""
    return merged(Average(**kwargs), inputs)


def maximum(inputs: Any, **kwargs: Any) -> Any:
    """Return the largest of each place's elements in a list of arrays; see `Maximum`."""
    return merged(Maximum(**kwargs), inputs)


def minimum(inputs: Any, **kwargs: Any) -> Any:
    """Return the smallest of each place's elements in a list of arrays; see `Minimum`."""
    return merged(Minimum(**kwargs), inputs)
