"""``keras.ops`` by its names: what layers, losses and metrics of one's own are written with.

Most are NumPy's functions, and are those of `minpy.numpy`; the rest is in the modules of this
package. They take arrays and symbolic tensors, and derivatives follow them.

>>> from minpy import ops
>>> from minpy.layers import Layer
>>> class Standardized(Layer):
...     def call(self, x):
...         return (x - ops.mean(x, -1, keepdims=True)) * ops.rsqrt(ops.var(x, -1, keepdims=True))
>>> Standardized()(ops.convert_to_tensor([[1.0, 3.0]]))
array([[-1., 1.]])
"""

from __future__ import annotations

import minpy.numpy as _np
from minpy.ops import (
    arrays,
    control,
    image,
    labels,
    matrices,
    networks,
    rearranging,
    reductions,
    segments,
    spectra,
)
from minpy.ops.arrays import *
from minpy.ops.control import *
from minpy.ops.labels import *
from minpy.ops.matrices import *
from minpy.ops.networks import *
from minpy.ops.rearranging import *
from minpy.ops.reductions import *
from minpy.ops.segments import *
from minpy.ops.spectra import *

# Names of `minpy.numpy`, with NumPy's meaning.
_NUMPY_TEXT = """
    abs absolute add allclose angle append arange arccos arccosh arcsin arcsinh arctan arctan2
    arctanh argpartition argsort array array_split average bartlett bincount bitwise_and
    bitwise_not bitwise_or bitwise_xor blackman broadcast_to cbrt ceil clip concatenate conj
    conjugate copy corrcoef correlate cos cosh cross cumprod cumsum deg2rad diag diagflat
    diagonal diff digitize divide dot dsplit dstack einsum empty empty_like equal exp exp2
    expand_dims expm1 eye fabs flip fliplr flipud floor floor_divide fmax fmin fmod full
    full_like gcd geomspace greater greater_equal hamming hanning heaviside histogram hsplit
    hstack hypot i0 identity imag inner isclose isfinite isin isinf isnan isneginf isposinf
    isreal kaiser kron lcm ldexp left_shift less less_equal linspace log log10 log1p log2
    logaddexp logaddexp2 logical_and logical_not logical_or logical_xor logspace matmul
    maximum meshgrid minimum mod moveaxis multiply nancumprod nancumsum ndim negative
    nextafter nonzero not_equal ones ones_like outer pad power ptp rad2deg ravel real
    reciprocal repeat reshape right_shift roll rot90 round searchsorted select sign signbit
    sin sinc sinh size sort split sqrt square squeeze stack subtract swapaxes take
    take_along_axis tan tanh tensordot tile trace transpose tri tril triu true_divide trunc
    unique unravel_index vander vdot vectorize vsplit vstack where zeros zeros_like
"""
_NUMPY = _NUMPY_TEXT.split()
_LINALG = [
    "cholesky",
    "det",
    "eig",
    "eigh",
    "inv",
    "lstsq",
    "matrix_rank",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
]
_OTHER = {
    "bitwise_invert": _np.bitwise_not,
    "bitwise_left_shift": _np.left_shift,
    "bitwise_right_shift": _np.right_shift,
    "trapezoid": _np.trapz,
}

globals().update({name: getattr(_np, name) for name in _NUMPY})
globals().update({name: getattr(_np.linalg, name) for name in _LINALG})
globals().update(_OTHER)


def solve_triangular(a: object, b: object, lower: bool = False) -> object:
    """Return `x` of ``a @ x = b`` for a triangular matrix, the upper one unless told otherwise."""
    from minpy.scipy import linalg as scipy_linalg

    return scipy_linalg.solve_triangular(a, b, lower=lower)


def logdet(x: object) -> object:
    """Return the logarithm of a matrix' determinant, which must be positive."""
    return _np.linalg.slogdet(x)[1]


__all__ = sorted(
    {
        *_NUMPY,
        *_LINALG,
        *_OTHER,
        "logdet",
        *arrays.__all__,
        *control.__all__,
        "image",
        *labels.__all__,
        "linalg",
        "nn",
        "numpy",
        *matrices.__all__,
        *networks.__all__,
        *rearranging.__all__,
        *reductions.__all__,
        *segments.__all__,
        "solve_triangular",
        *spectra.__all__,
    }
)

# Keras has most of them in modules too.
from minpy.ops import linalg, nn, numpy  # noqa: E402
