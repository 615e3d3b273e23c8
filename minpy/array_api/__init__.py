"""The Python array API standard, version 2023.12: its names over minpy.numpy; no operation is new.

``x.__array_namespace__()`` returns this module. Where the standard and NumPy name or shape things
in another way, the standard's way is here: ``concat``, ``permute_dims``, ``unique_all``.
Operators promote as those of minpy.numpy do, which is NumPy 1.26's way: an array without axes
counts as a number there. The functions promote it like any other array.

Examples
--------
>>> import minpy.array_api as xp
>>> x = xp.asarray([[1.0, 2.0], [3.0, 4.0]])
>>> xp.permute_dims(x, (1, 0))
array([[1., 3.],
       [2., 4.]])
>>> x.__array_namespace__() is xp
True
"""

from __future__ import annotations

from minpy.array_api import fft, linalg
from minpy.array_api.arrays import *
from minpy.array_api.arrays import __all__ as _of_arrays
from minpy.array_api.dtypes import *
from minpy.array_api.dtypes import __all__ as _of_dtypes
from minpy.array_api.functions import *
from minpy.array_api.functions import __all__ as _of_functions
from minpy.array_api.inspection import __array_namespace_info__

__array_api_version__ = "2023.12"

__all__ = ["__array_namespace_info__", "fft", "linalg", *_of_arrays, *_of_dtypes, *_of_functions]
