"""Layers: classes with weights, and the pure functions under them.

>>> from minpy import layers
>>> layers.Dense(10, activation='relu')
<Dense 'dense'>
"""

from minpy.layers import functions, serialization
from minpy.layers.activations.activation import Activation, ReLU, Softmax
from minpy.layers.convolutional.conv2d import Conv2D
from minpy.layers.core.dense import Dense
from minpy.layers.core.input_layer import Input, InputLayer
from minpy.layers.functions import *
from minpy.layers.layer import Layer
from minpy.layers.normalization.batch_normalization import BatchNormalization
from minpy.layers.parameter import Parameter
from minpy.layers.pooling.global_pooling2d import GlobalAveragePooling2D, GlobalMaxPooling2D
from minpy.layers.pooling.pooling2d import AveragePooling2D, MaxPooling2D
from minpy.layers.regularization.dropout import Dropout
from minpy.layers.reshaping.flatten import Flatten
from minpy.layers.reshaping.reshape import Reshape
from minpy.layers.serialization import register_serializable

_CLASSES = [
    Activation,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    InputLayer,
    MaxPooling2D,
    ReLU,
    Reshape,
    Softmax,
]
for _kind in _CLASSES:
    serialization.add_builtin(_kind)

__all__ = [
    *functions.__all__,
    *(kind.__name__ for kind in _CLASSES),
    "Input",
    "Layer",
    "Parameter",
    "functions",
    "register_serializable",
]
