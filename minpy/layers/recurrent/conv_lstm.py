"""Long short-term memories whose products are convolutions."""

from __future__ import annotations

import math
from typing import Any

import numpy

from minpy import activations, initializers
from minpy.arguments import also_by_place
from minpy.array import as_ndarray
from minpy.errors import ShapeError
from minpy.layers.functions import conv
from minpy.layers.functions.windows import one_per_axis
from minpy.layers.images import (
    data_format_of,
    expect_images,
    from_channels_first,
    one_of,
    spatial,
    to_channels_first,
)
from minpy.layers.recurrent.cell import LAYER_ARGUMENTS, LAYER_FLAGS, RecurrentCell
from minpy.layers.recurrent.fused_rnn import FusedRNN
from minpy.layers.recurrent.lstm import UnitForgetBias
from minpy.layers.recurrent.rnn import flat_steps
from minpy.numpy.shaping import expand_dims, reshape

__all__ = ["ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"]


class _ChannelsLast:
    """An initializer that sees a kernel's shape as Keras lays it out: (…, channels, filters)."""

    def __init__(self, rule: Any) -> None:
        self.rule = rule

    def __call__(self, shape: Any, dtype: Any = None) -> numpy.ndarray:
        values = initializers.make(self.rule, (*shape[2:], shape[1], shape[0]), dtype)
        return numpy.moveaxis(values, (-1, -2), (0, 1))


class ConvLSTMCell(RecurrentCell):
    """One step of a long short-term memory on signals, images or volumes."""

    gates = 4

    def __init__(
        self,
        rank: int,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        unit_forget_bias: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters, activation, **kwargs)
        self.rank = rank
        self.filters = self.units
        kind = f"ConvLSTM{rank}D"
        self.kernel_size = one_per_axis(kernel_size, rank, f"{kind}: kernel_size")
        self.strides = one_per_axis(strides, rank, f"{kind}: strides")
        self.padding = one_of(padding, ("valid", "same"), f"{kind}: padding")
        self.data_format = data_format_of(data_format, kind)
        self.dilation_rate = one_per_axis(dilation_rate, rank, f"{kind}: dilation_rate")
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(f"{kind}: expected strides or dilation_rate above 1, not both")
        self.recurrent_activation = activations.get(recurrent_activation)
        self.unit_forget_bias = bool(unit_forget_bias)

    @property
    def state_size(self) -> list[int]:
        """Filters of output and cell."""
        return [self.filters, self.filters]

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless the input is a batch of known size that the window fits."""
        expect_images(self, shape)
        if None in shape[1:]:
            raise ShapeError(
                f"ConvLSTM{self.rank}D: expected known sizes and channels, got {shape[1:]} a step"
            )
        self.compute_output_shape(shape)

    def build(self, input_shape: Any) -> None:
        """Make kernel, recurrent kernel and bias."""
        first = self.data_format == "channels_first"
        self._step_shape = tuple(input_shape[1:])
        channels = input_shape[1] if first else input_shape[-1]
        for name, depth in (("kernel", channels), ("recurrent_kernel", self.filters)):
            kind = name.removesuffix("_kernel")
            weight = self.add_weight(
                name,
                (4 * self.filters, depth, *self.kernel_size),
                _ChannelsLast(getattr(self, f"{kind}_initializer")),
                regularizer=getattr(self, f"{kind}_regularizer"),
                constraint=getattr(self, f"{kind}_constraint"),
            )
            setattr(self, name, weight)
        self.bias = None
        if self.use_bias:
            rule = self.bias_initializer
            self.bias = self.add_weight(
                "bias",
                (4 * self.filters,),
                UnitForgetBias(rule) if self.unit_forget_bias else rule,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """Return the state before the first step: zeros."""
        shape = self.compute_output_shape((batch_size, *self._step_shape))
        return [as_ndarray(numpy.zeros(shape, self.__dict__["dtype"])) for _ in range(2)]

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output of a step."""
        return spatial(
            self,
            input_shape,
            self.kernel_size,
            self.strides,
            self.padding,
            self.dilation_rate,
            self.filters,
        )

    def project(self, inputs: Any) -> Any:
        """Return what the input adds to the gates, with channels first."""
        x = to_channels_first(inputs, self.data_format)
        return conv(x, self.kernel, self.bias, self.strides, self.padding, self.dilation_rate)

    def step(self, projected: Any, states: Any, training: bool) -> tuple[Any, list[Any]]:
        """Compute output and new states of a step whose input is projected already."""
        h, c = states
        if training and self.recurrent_dropout:
            h = h * self.mask("recurrent_dropout", h)
        h, c = (to_channels_first(state, self.data_format) for state in (h, c))
        # As matrices: MXNet doesn't cut channels out of some of oneDNN's layouts.
        samples, shape = h.shape[0], h.shape
        size = math.prod(shape[1:])
        y = conv(h, self.recurrent_kernel, None, 1, "same")
        z = reshape(projected, (samples, 4 * size)) + reshape(y, (samples, 4 * size))
        gate = self.recurrent_activation
        i, f, o = (gate(z[:, k * size : (k + 1) * size]) for k in (0, 1, 3))
        c = f * reshape(c, (samples, size)) + i * self.activation(z[:, 2 * size : 3 * size])
        h = o * self.activation(c)
        h, c = (from_channels_first(reshape(s, shape), self.data_format) for s in (h, c))
        return h, [h, c]

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, list[Any]]:
        """Compute output and new states of a step."""
        if training and self.dropout:
            inputs = inputs * self.mask("dropout", inputs)
        return self.step(self.project(inputs), states, training)

    def fuses(self, training: bool) -> bool:
        """Say that there is no kernel for whole sequences."""
        return False

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal cell."""
        config = super().get_config()
        config.pop("units")
        return {
            **config,
            "filters": self.filters,
            "kernel_size": list(self.kernel_size),
            "strides": list(self.strides),
            "padding": self.padding,
            "data_format": self.data_format,
            "dilation_rate": list(self.dilation_rate),
            "recurrent_activation": activations.serialize(self.recurrent_activation),
            "unit_forget_bias": self.unit_forget_bias,
        }


class _ConvLSTM(FusedRNN):
    rank: int
    cell_class = ConvLSTMCell
    cell_name = "conv_lstm_cell"

    @also_by_place(
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        unit_forget_bias=True,
        **LAYER_ARGUMENTS,
        seed=None,
        **LAYER_FLAGS,
    )
    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            {
                "rank": self.rank,
                "filters": filters,
                "kernel_size": kernel_size,
                "strides": strides,
                "padding": padding,
                "data_format": data_format,
                "dilation_rate": dilation_rate,
                "activation": activation,
                "recurrent_activation": recurrent_activation,
            },
            **kwargs,
        )

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless the input has time steps of the right number of axes."""
        if not isinstance(shape, tuple) or len(shape) != self.rank + 3:
            axes = ("(batch, time, channels, …)", "(batch, time, …, channels)")
            raise ShapeError(
                f"{type(self).__name__} {self.name!r}: expected {self.rank + 3} axes, "
                f"{axes[self.cell.data_format != 'channels_first']}, got {shape}"
            )
        self.cell.check_input((shape[0], *shape[2:]))

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        """Return the shape of the output, and those of the states where they are returned."""
        shape = self.cell.compute_output_shape((sequences_shape[0], *sequences_shape[2:]))
        output = (
            (shape[0], sequences_shape[1], *shape[1:]) if self.return_sequences else tuple(shape)
        )
        return (output, tuple(shape), tuple(shape)) if self.return_state else output

    def _prepared(self, sequences: Any, training: bool) -> Any:
        # One convolution over all steps: the recurrence needs only the other one.
        cell = self.cell
        samples, steps, *one = sequences.shape
        if training and cell.dropout:
            flat = flat_steps(sequences)
            flat = flat * expand_dims(cell.mask("dropout", flat[:, 0]), 1)
            sequences = reshape(flat, sequences.shape)
        projected = cell.project(reshape(sequences, (samples * steps, *one)))
        return reshape(projected, (samples, steps, math.prod(projected.shape[1:])))

    def _step(self, x: Any, states: Any, training: bool) -> tuple[Any, Any]:
        return self.cell.step(x, states, training)


class ConvLSTM1D(_ConvLSTM):
    """Long short-term memory on signals: its products are convolutions.

    Parameters
    ----------
    filters, kernel_size, strides, padding, data_format, dilation_rate, activation, …
        As in `ConvLSTM2D`, with one axis.

    Notes
    -----
    Input ``(batch, time, channels, steps)``, or with the channels last.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import ConvLSTM1D
    >>> ConvLSTM1D(4, 3)(np.zeros((2, 3, 1, 8))).shape
    (2, 4, 6)
    """

    rank = 1


class ConvLSTM2D(_ConvLSTM):
    """Long short-term memory on images: its products are convolutions.

    Parameters
    ----------
    filters
        Number of output channels.
    kernel_size, strides, padding, data_format, dilation_rate
        Of the convolution of the input, as in `Conv2D`; that of the state has strides of 1 and
        padding ``'same'``.
    activation, recurrent_activation, use_bias, unit_forget_bias, …
        As in `LSTM`.
    return_sequences, return_state, go_backwards, stateful, zero_output_for_mask
        As in `RNN`.

    Notes
    -----
    Shi et al., "Convolutional LSTM network", 2015. Input ``(batch, time, channels, height,
    width)``, or with the channels last. The kernel is ``(4 * filters, channels, height, width)`` in
    either data format: input gate, forget gate, cell, output gate. Dropout is the same for all
    gates. The input's convolution is done for all steps at once.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import ConvLSTM2D
    >>> ConvLSTM2D(4, 3)(np.zeros((2, 3, 1, 8, 6))).shape
    (2, 4, 6, 4)
    """

    rank = 2


class ConvLSTM3D(_ConvLSTM):
    """Long short-term memory on volumes: its products are convolutions.

    Parameters
    ----------
    filters, kernel_size, strides, padding, data_format, dilation_rate, activation, …
        As in `ConvLSTM2D`, with three axes.

    Notes
    -----
    Input ``(batch, time, channels, depth, height, width)``, or with the channels last.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import ConvLSTM3D
    >>> ConvLSTM3D(4, 3)(np.zeros((2, 3, 1, 8, 6, 5))).shape
    (2, 4, 6, 4, 3)
    """

    rank = 3
