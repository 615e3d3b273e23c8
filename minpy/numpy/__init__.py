"""The NumPy namespace: every function a primitive or a composition of primitives.

``import minpy.numpy as np`` and go on as with NumPy. What isn't here by name is NumPy's own
function, reached through the fall-back: it gets NumPy arrays and its result becomes a minpy array.
"""

from numpy import __version__  # for programs that ask which NumPy they have

from minpy.array import ndarray
from minpy.numpy import (
    applying,
    broadcasting,
    calculus,
    coefficients,
    conversion,
    counting,
    creation,
    dtypes,
    elementwise,
    fallback,
    fft,
    files,
    indexing,
    linalg,
    methods,
    padding,
    products,
    protocols,
    random,
    reductions,
    scimath,
    sets,
    shaping,
    sorting,
    statistics,
    strides,
    windows,
)
from minpy.numpy.applying import *
from minpy.numpy.broadcasting import *
from minpy.numpy.calculus import *
from minpy.numpy.coefficients import *
from minpy.numpy.conversion import *
from minpy.numpy.counting import *
from minpy.numpy.creation import *
from minpy.numpy.dtypes import *
from minpy.numpy.elementwise import *
from minpy.numpy.files import *
from minpy.numpy.indexing import *
from minpy.numpy.padding import *
from minpy.numpy.products import *
from minpy.numpy.reductions import *
from minpy.numpy.sets import *
from minpy.numpy.shaping import *
from minpy.numpy.sorting import *
from minpy.numpy.statistics import *
from minpy.numpy.windows import *
from minpy.primitives import recorded

__all__ = ["fft", "linalg", "ndarray", "random"]
for _module in (
    applying,
    broadcasting,
    calculus,
    coefficients,
    conversion,
    counting,
    creation,
    dtypes,
    elementwise,
    files,
    indexing,
    padding,
    products,
    reductions,
    sets,
    shaping,
    sorting,
    statistics,
    windows,
):
    __all__ += _module.__all__

# Functions written in others of these, which symbolic tensors see as one.
for _name in [
    "append",
    "array_split",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "broadcast_arrays",
    "clip",
    "column_stack",
    "compress",
    "concatenate",
    "dsplit",
    "dstack",
    "einsum",
    "full_like",
    "hsplit",
    "hstack",
    "meshgrid",
    "nan_to_num",
    "row_stack",
    "select",
    "sort",
    "split",
    "stack",
    "vsplit",
    "vstack",
    "where",
]:
    globals()[_name] = recorded(globals()[_name])

_fall_back, __dir__ = fallback.reach("numpy", __all__)


def __getattr__(name):
    try:
        return _fall_back(name)
    except AttributeError:
        from minpy.dispatch import mxnet_names  # what minpy 0.3.4 had here beyond NumPy

        found = mxnet_names.find(name)
        if found is None:
            raise
        return found
