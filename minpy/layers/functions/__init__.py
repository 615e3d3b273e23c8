"""Layers as pure functions of arrays: what the layer classes call, and minpy 0.3.4's ``nn.layers``.

>>> import minpy.numpy as np
>>> from minpy.layers import functions
>>> functions.relu(functions.affine(np.ones((1, 2)), np.array([[1.], [-3.]])))
array([[0.]])
"""

from minpy.layers.functions.activations import *
from minpy.layers.functions.activations import __all__ as _activations
from minpy.layers.functions.affine import affine, flatten, linear
from minpy.layers.functions.attention import dot_product_attention
from minpy.layers.functions.convolution import conv, conv_transpose
from minpy.layers.functions.dropout import dropout
from minpy.layers.functions.embedding import embedding
from minpy.layers.functions.group_norm import group_norm
from minpy.layers.functions.heads import heads_attention
from minpy.layers.functions.layer_norm import layer_norm, rms_norm, unit_norm
from minpy.layers.functions.losses import (
    binary_cross_entropy,
    l2_loss,
    softmax_cross_entropy,
    softmax_loss,
    svm_loss,
)
from minpy.layers.functions.normalization import batchnorm
from minpy.layers.functions.pooling import avg_pool, global_avg_pool, global_max_pool, max_pool
from minpy.layers.functions.probabilities import log_softmax, softmax, sparsemax
from minpy.layers.functions.recurrent import gru, lstm, simple_rnn
from minpy.layers.functions.stop_gradient import stop_gradient

__all__ = [
    *_activations,
    "affine",
    "avg_pool",
    "batchnorm",
    "binary_cross_entropy",
    "conv",
    "conv_transpose",
    "dot_product_attention",
    "dropout",
    "embedding",
    "flatten",
    "global_avg_pool",
    "global_max_pool",
    "group_norm",
    "gru",
    "heads_attention",
    "l2_loss",
    "layer_norm",
    "linear",
    "log_softmax",
    "lstm",
    "max_pool",
    "rms_norm",
    "simple_rnn",
    "softmax",
    "softmax_cross_entropy",
    "softmax_loss",
    "sparsemax",
    "stop_gradient",
    "svm_loss",
    "unit_norm",
]
