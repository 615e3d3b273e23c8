"""Layers: classes with weights, and the pure functions under them.

>>> from minpy import layers
>>> layers.Dense(10, activation='relu')
<Dense 'dense'>
"""

from minpy.layers import functions, serialization
from minpy.layers.activations.activation import ELU, Activation, LeakyReLU, ReLU, Softmax
from minpy.layers.activations.prelu import PReLU
from minpy.layers.attention.attention import AdditiveAttention, Attention
from minpy.layers.attention.group_query_attention import GroupQueryAttention
from minpy.layers.attention.multi_head_attention import MultiHeadAttention
from minpy.layers.convolutional.convolution import Conv1D, Conv2D, Conv3D
from minpy.layers.convolutional.depthwise import (
    DepthwiseConv1D,
    DepthwiseConv2D,
    SeparableConv1D,
    SeparableConv2D,
)
from minpy.layers.convolutional.transposed import Conv1DTranspose, Conv2DTranspose, Conv3DTranspose
from minpy.layers.core.dense import Dense
from minpy.layers.core.einsum_dense import EinsumDense
from minpy.layers.core.embedding import Embedding
from minpy.layers.core.identity import Identity
from minpy.layers.core.input_layer import Input, InputLayer
from minpy.layers.core.lambda_layer import Lambda
from minpy.layers.core.masking import Masking
from minpy.layers.core.operation import Operation
from minpy.layers.core.pipeline import Pipeline
from minpy.layers.core.reversible_embedding import ReversibleEmbedding
from minpy.layers.core.wrapper import Wrapper
from minpy.layers.functions import *
from minpy.layers.input_spec import InputSpec
from minpy.layers.layer import Layer
from minpy.layers.merging.concatenate import Concatenate, concatenate
from minpy.layers.merging.dot import Dot, dot
from minpy.layers.merging.elementwise import (
    Add,
    Average,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    maximum,
    minimum,
    multiply,
    subtract,
)
from minpy.layers.normalization.batch_normalization import BatchNormalization
from minpy.layers.normalization.group_normalization import GroupNormalization
from minpy.layers.normalization.layer_normalization import LayerNormalization, RMSNormalization
from minpy.layers.normalization.spectral_normalization import SpectralNormalization
from minpy.layers.normalization.unit_normalization import UnitNormalization
from minpy.layers.parameter import Parameter
from minpy.layers.pooling.adaptive import (
    AdaptiveAveragePooling1D,
    AdaptiveAveragePooling2D,
    AdaptiveAveragePooling3D,
    AdaptiveMaxPooling1D,
    AdaptiveMaxPooling2D,
    AdaptiveMaxPooling3D,
)
from minpy.layers.pooling.global_pooling import (
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
)
from minpy.layers.pooling.pooling import (
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
)
from minpy.layers.preprocessing.blurs import RandomGaussianBlur, RandomSharpness
from minpy.layers.preprocessing.category_encoding import CategoryEncoding
from minpy.layers.preprocessing.colours import (
    RandomColorDegeneration,
    RandomGrayscale,
    RandomHue,
    RandomSaturation,
)
from minpy.layers.preprocessing.discretization import Discretization
from minpy.layers.preprocessing.erasing import RandomErasing
from minpy.layers.preprocessing.hashing import HashedCrossing, Hashing
from minpy.layers.preprocessing.histograms import (
    ContrastLimitedAdaptiveHistogramEqualization,
    Equalization,
)
from minpy.layers.preprocessing.lookup import IntegerLookup, StringLookup
from minpy.layers.preprocessing.mixing import CutMix, MixUp
from minpy.layers.preprocessing.normalization import Normalization
from minpy.layers.preprocessing.policies import AugMix, RandAugment, RandomColorJitter
from minpy.layers.preprocessing.random_images import (
    RandomBrightness,
    RandomContrast,
    RandomCrop,
    RandomFlip,
    RandomRotation,
    RandomTranslation,
    RandomZoom,
)
from minpy.layers.preprocessing.rescaling import Rescaling
from minpy.layers.preprocessing.resizing import CenterCrop, Resizing
from minpy.layers.preprocessing.spectrograms import MelSpectrogram, STFTSpectrogram
from minpy.layers.preprocessing.text_vectorization import TextVectorization
from minpy.layers.preprocessing.tones import (
    AutoContrast,
    RandomInvert,
    RandomPosterization,
    Solarization,
)
from minpy.layers.preprocessing.warps import (
    RandomElasticTransform,
    RandomPerspective,
    RandomShear,
)
from minpy.layers.recurrent.bidirectional import Bidirectional
from minpy.layers.recurrent.conv_lstm import ConvLSTM1D, ConvLSTM2D, ConvLSTM3D
from minpy.layers.recurrent.gru import GRU, GRUCell
from minpy.layers.recurrent.lstm import LSTM, LSTMCell
from minpy.layers.recurrent.rnn import RNN
from minpy.layers.recurrent.simple_rnn import SimpleRNN, SimpleRNNCell
from minpy.layers.recurrent.stacked_rnn_cells import StackedRNNCells
from minpy.layers.recurrent.time_distributed import TimeDistributed
from minpy.layers.regularization.activity_regularization import ActivityRegularization
from minpy.layers.regularization.dropout import (
    Dropout,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from minpy.layers.regularization.noise import AlphaDropout, GaussianDropout, GaussianNoise
from minpy.layers.reshaping.cropping import Cropping1D, Cropping2D, Cropping3D
from minpy.layers.reshaping.flatten import Flatten
from minpy.layers.reshaping.permute import Permute
from minpy.layers.reshaping.repeat_vector import RepeatVector
from minpy.layers.reshaping.reshape import Reshape
from minpy.layers.reshaping.up_sampling import UpSampling1D, UpSampling2D, UpSampling3D
from minpy.layers.reshaping.zero_padding import ZeroPadding1D, ZeroPadding2D, ZeroPadding3D
from minpy.layers.serialization import deserialize, register_serializable, serialize

_CLASSES = [
    Activation,
    ActivityRegularization,
    AdaptiveAveragePooling1D,
    AdaptiveAveragePooling2D,
    AdaptiveAveragePooling3D,
    AdaptiveMaxPooling1D,
    AdaptiveMaxPooling2D,
    AdaptiveMaxPooling3D,
    Add,
    AdditiveAttention,
    AlphaDropout,
    Attention,
    AugMix,
    AutoContrast,
    Average,
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    BatchNormalization,
    Bidirectional,
    CategoryEncoding,
    CenterCrop,
    Concatenate,
    ContrastLimitedAdaptiveHistogramEqualization,
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Conv3DTranspose,
    ConvLSTM1D,
    ConvLSTM2D,
    ConvLSTM3D,
    Cropping1D,
    Cropping2D,
    Cropping3D,
    CutMix,
    Dense,
    DepthwiseConv1D,
    DepthwiseConv2D,
    Discretization,
    Dot,
    Dropout,
    ELU,
    EinsumDense,
    Embedding,
    Equalization,
    Flatten,
    GRU,
    GRUCell,
    GaussianDropout,
    GaussianNoise,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
    GroupNormalization,
    GroupQueryAttention,
    HashedCrossing,
    Hashing,
    Identity,
    InputLayer,
    IntegerLookup,
    LSTM,
    LSTMCell,
    Lambda,
    LayerNormalization,
    LeakyReLU,
    Masking,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
    Maximum,
    MelSpectrogram,
    Minimum,
    MixUp,
    MultiHeadAttention,
    Multiply,
    Normalization,
    Operation,
    PReLU,
    Permute,
    Pipeline,
    RMSNormalization,
    RNN,
    RandAugment,
    RandomBrightness,
    RandomColorDegeneration,
    RandomColorJitter,
    RandomContrast,
    RandomCrop,
    RandomElasticTransform,
    RandomErasing,
    RandomFlip,
    RandomGaussianBlur,
    RandomGrayscale,
    RandomHue,
    RandomInvert,
    RandomPerspective,
    RandomPosterization,
    RandomRotation,
    RandomSaturation,
    RandomSharpness,
    RandomShear,
    RandomTranslation,
    RandomZoom,
    ReLU,
    RepeatVector,
    Rescaling,
    Reshape,
    Resizing,
    ReversibleEmbedding,
    STFTSpectrogram,
    SeparableConv1D,
    SeparableConv2D,
    SimpleRNN,
    SimpleRNNCell,
    Softmax,
    Solarization,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
    SpectralNormalization,
    StackedRNNCells,
    StringLookup,
    Subtract,
    TextVectorization,
    TimeDistributed,
    UnitNormalization,
    UpSampling1D,
    UpSampling2D,
    UpSampling3D,
    Wrapper,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
]
for _kind in _CLASSES:
    serialization.add_builtin(_kind)

# Keras' other names of the same classes.
_ALIASES = {
    f"{short}{axes}{end}": globals()[f"{long}{axes}{end}"]
    for short, long, ends in (
        ("AvgPool", "AveragePooling", ("",)),
        ("Convolution", "Conv", ("", "Transpose")),
        ("GlobalAvgPool", "GlobalAveragePooling", ("",)),
        ("GlobalMaxPool", "GlobalMaxPooling", ("",)),
        ("MaxPool", "MaxPooling", ("",)),
        ("SeparableConvolution", "SeparableConv", ("",)),
    )
    for axes in ("1D", "2D", "3D")
    for end in ends
    if f"{long}{axes}{end}" in globals()
}
globals().update(_ALIASES)

__all__ = [
    *functions.__all__,
    *(kind.__name__ for kind in _CLASSES),
    *_ALIASES,
    "Input",
    "InputSpec",
    "Layer",
    "Parameter",
    "add",
    "average",
    "concatenate",
    "deserialize",
    "dot",
    "functions",
    "maximum",
    "minimum",
    "multiply",
    "register_serializable",
    "serialize",
    "subtract",
]
