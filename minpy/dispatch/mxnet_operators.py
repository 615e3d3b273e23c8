"""MXNet's operators under ``minpy.numpy``, where minpy 0.3.4 had them; knows their names alone.

What they compute and how they are differentiated is MXNet's, once: there are no second
derivatives. NumPy's names are NumPy's functions. Left out are operators that hold state, draw
numbers, write to what they are given, or have a derivative that MXNet doesn't know;
`minpy.layers`, `minpy.numpy.random` and `minpy.optimizers` do what those did.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy

from minpy import runtime
from minpy.array import ndarray
from minpy.dispatch.symbols import Function

__all__ = ["NAMES", "operator"]

# Those of MXNet 1.9.1. They are listed so that asking for another name doesn't import MXNet.
NAMES = frozenset(
    """
    Activation BilinearSampler BlockGrad CTCLoss Cast Concat Convolution Correlation Crop
    Deconvolution ElementWiseSum Embedding Flatten FullyConnected GridGenerator GroupNorm
    InstanceNorm L2Normalization LRN LayerNorm LinearRegressionOutput LogisticRegressionOutput
    MAERegressionOutput MakeLoss Pad Pooling ROIPooling Reshape SVMOutput SequenceLast SequenceMask
    SequenceReverse SliceChannel SoftmaxActivation SoftmaxOutput SpatialTransformer SwapAxis
    UpSampling add_n argmax_channel batch_dot broadcast_add broadcast_axes
    broadcast_axis broadcast_div broadcast_equal broadcast_greater broadcast_greater_equal
    broadcast_hypot broadcast_lesser broadcast_lesser_equal broadcast_like broadcast_logical_and
    broadcast_logical_or broadcast_logical_xor broadcast_maximum broadcast_minimum broadcast_minus
    broadcast_mod broadcast_mul broadcast_not_equal broadcast_plus broadcast_power broadcast_sub
    choose_element_0index col2im concat crop ctc_loss depth_to_space elemwise_add elemwise_div
    elemwise_mul elemwise_sub erf erfinv flatten gamma gammaln gather_nd
    hard_sigmoid im2col linalg_det linalg_extractdiag linalg_extracttrian linalg_gelqf
    linalg_gemm linalg_gemm2 linalg_inverse linalg_makediag linalg_maketrian linalg_potrf
    linalg_potri linalg_slogdet linalg_sumlogdiag linalg_syrk linalg_trmm linalg_trsm log_softmax
    make_loss max_axis min_axis moments norm one_hot pick rcbrt relu reshape_like reverse rsqrt
    scatter_nd shape_array sigmoid size_array slice slice_axis slice_like smooth_l1 softmax
    softmax_cross_entropy softmin softsign space_to_depth stop_gradient sum_axis topk
    """.split()  # noqa: SIM905
)

# Their derivative is zero, which MXNet has to be told.
_CONSTANT = ("argmax_channel",)
_NOT_SETTINGS = ("out", "name", "attr")


@functools.cache
def operator(name: str) -> Callable[..., Any]:
    """Return one of MXNet's operators as a function of minpy arrays.

    Parameters
    ----------
    name
        One of `NAMES`.

    Returns
    -------
    function
        Takes the operator's arrays and settings, by position or by name, as ``mxnet.nd`` does.

    Examples
    --------
    With mxnet installed::

        np.slice_axis(np.ones((3, 2)), axis=1, begin=1, end=2).shape     # (3, 1)
    """
    named = inspect.signature(getattr(runtime.library().nd, name)).parameters
    takes_any_number = next(iter(named.values())).kind is inspect.Parameter.VAR_POSITIONAL
    order = [
        n
        for n, p in named.items()
        if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD and n not in _NOT_SETTINGS
    ]

    def call(*args: Any, **kwargs: Any) -> Any:
        if takes_any_number:
            given = {f"arg{i}": value for i, value in enumerate(args)} | kwargs
        else:
            if len(args) > len(order):
                raise TypeError(f"{name}: takes {', '.join(order)}, got {len(args)} arguments")
            given = dict(zip(order, args, strict=False)) | kwargs
        arrays = {k: v for k, v in given.items() if _is_array(v)}
        settings = [
            (k, tuple(v) if isinstance(v, list) else v) for k, v in given.items() if k not in arrays
        ]
        return _function(name, takes_any_number, tuple(arrays), tuple(settings))(**arrays)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"MXNet's operator ``{name}``, on minpy arrays."
    return call


def _is_array(value: Any) -> bool:
    return isinstance(value, ndarray | numpy.ndarray) or runtime.is_ndarray(value)


@functools.lru_cache(maxsize=256)
def _function(name: str, by_position: bool, arrays: tuple[str, ...], settings: tuple) -> Function:
    symbols = runtime.library().sym
    variables = {k: symbols.Variable(k) for k in arrays}
    make = getattr(symbols, name)
    options = {"name": name, **dict(settings)}
    made = make(*variables.values(), **options) if by_position else make(**variables, **options)
    return Function(symbols.BlockGrad(made) if name in _CONSTANT else made, name=name)
