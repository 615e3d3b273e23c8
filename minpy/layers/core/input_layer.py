"""The declaration of a model's input: a layer in a stack, a symbolic tensor in a graph."""

from __future__ import annotations

import warnings
from typing import Any

import numpy

from minpy.layers.layer import Layer
from minpy.layers.symbolic import KerasTensor, Node

__all__ = ["Input", "InputLayer"]


class InputLayer(Layer):
    """Declares the shape of a model's input, so that its weights exist before any data.

    Parameters
    ----------
    shape
        Shape of one sample, without the batch axis; None where a length isn't known.
    batch_size
        The number of samples in each batch, if it is always the same.
    dtype
        Element type of the input; data of other types are cast to it.
    sparse, ragged
        Must be False or None: arrays are dense.
    batch_shape
        The shape with the batch axis, in the place of `shape` and `batch_size`.
    input_tensor
        A symbolic tensor whose shape and dtype it has, and which is its output if no layer made it.
    optional
        Whether None may be given in its place; the layers behind then get None.
    name
        The input's name, by which data in a dict are told apart.

    Examples
    --------
    >>> from minpy.models import Sequential
    >>> from minpy.layers import Dense, InputLayer
    >>> Sequential([InputLayer((4,)), Dense(2)]).count_params()
    10
    """

    def __init__(
        self,
        shape: Any = None,
        batch_size: int | None = None,
        dtype: Any = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Any = None,
        input_tensor: KerasTensor | None = None,
        optional: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        for what, given in (("sparse", sparse), ("ragged", ragged)):
            if given:
                raise ValueError(f"Input: {what}=True isn't there; arrays are dense")
        if "input_shape" in kwargs and shape is None and batch_shape is None:
            warnings.warn("InputLayer: input_shape is now called shape", stacklevel=2)
            shape = kwargs.pop("input_shape")
        if input_tensor is not None:
            _check_tensor(input_tensor, shape, batch_size, dtype, batch_shape)
            shape, batch_size, batch_shape = None, None, input_tensor.shape
            dtype = input_tensor.dtype
        super().__init__(name=name, dtype=dtype, **kwargs)
        self.optional = bool(optional)
        self.sparse = self.ragged = False
        if batch_shape is not None:
            if shape is not None or batch_size is not None:
                raise ValueError("Input: give shape and batch_size, or batch_shape, not both")
            batch_size, *rest = batch_shape
            shape = tuple(rest)
        elif shape is None:
            raise ValueError("Input: expected shape=(…), the shape of one sample; () for a number")
        if isinstance(shape, int):
            shape = (shape,)
        try:
            self.shape = tuple(None if n is None else int(n) for n in shape)
        except (TypeError, ValueError):
            raise ValueError(
                f"Input: expected a shape of integers and None, got {shape!r}"
            ) from None
        if any(n is not None and n < 0 for n in self.shape):
            raise ValueError(f"Input: expected lengths of 0 or more, got {self.shape}")
        self.batch_size = None if batch_size is None else int(batch_size)
        self._declared_shape = (self.batch_size, *self.shape)
        self.input_shape = self.output_shape = self._declared_shape
        self.built = True
        if input_tensor is None or input_tensor._node is not None:
            input_tensor = KerasTensor(self._declared_shape, self.__dict__["dtype"])
        Node(self, (), {}, input_tensor)

    _handles_masks = False

    @property
    def batch_shape(self) -> tuple[int | None, ...]:
        """The shape with the batch axis."""
        return (self.batch_size, *self.shape)

    def call(self, x: Any = None) -> Any:
        """Return the input."""
        return x

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        config = super().get_config()
        config.pop("input_shape", None)
        config["shape"] = list(self.shape)
        if self.batch_size is not None:
            config["batch_size"] = self.batch_size
        if self.optional:
            config["optional"] = True
        return config


def _check_tensor(tensor: Any, shape: Any, batch_size: Any, dtype: Any, batch_shape: Any) -> None:
    """Raise ValueError unless a tensor is symbolic, and as the other arguments say, if they do."""
    if type(tensor) is not KerasTensor:
        raise ValueError(
            f"Input: expected input_tensor to be a symbolic tensor, got {type(tensor).__name__}"
        )
    told = {
        "shape": (shape if shape is None else tuple(shape), tensor.shape[1:]),
        "batch_size": (batch_size, tensor.shape[0]),
        "batch_shape": (batch_shape if batch_shape is None else tuple(batch_shape), tensor.shape),
        "dtype": (dtype if dtype is None else numpy.dtype(dtype), tensor.dtype),
    }
    for name, (given, has) in told.items():
        if given is not None and given != has:
            raise ValueError(f"Input: {name} is {given}, and that of input_tensor {has}")


def Input(
    shape: Any = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Any = None,
    name: str | None = None,
    tensor: Any = None,
    optional: bool = False,
) -> KerasTensor:
    """Return a symbolic tensor that stands for a model's input.

    Parameters
    ----------
    shape, batch_size, dtype, sparse, ragged, batch_shape, name, optional
        As of `InputLayer`.
    tensor
        A symbolic tensor to use as it is.

    Returns
    -------
    KerasTensor
        To call layers on; `Sequential` takes it as its first element too.

    Raises
    ------
    ValueError
        If the shape is none.

    Examples
    --------
    >>> from minpy.layers import Dense, Input
    >>> from minpy.models import Model, Sequential
    >>> x = Input(shape=(784,))
    >>> y = Dense(10, activation='softmax')(Dense(32, activation='relu')(x))
    >>> Model(x, y).count_params()
    25450
    >>> Sequential([Input((4,)), Dense(2)]).count_params()
    10
    """
    if tensor is not None:
        if type(tensor) is not KerasTensor:
            raise ValueError(f"Input: expected a symbolic tensor, got {type(tensor).__name__}")
        return tensor
    if dtype is not None:
        dtype = numpy.dtype(dtype)
    layer = InputLayer(shape, batch_size, dtype, sparse, ragged, batch_shape, None, optional, name)
    return layer.output
