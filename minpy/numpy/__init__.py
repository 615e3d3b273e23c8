"""The NumPy namespace: every function a primitive or a composition of primitives.

``import minpy.numpy as np`` and go on as with NumPy. What isn't here by name is NumPy's own function,
reached through the fall-back: it gets NumPy arrays and its result becomes a minpy array.
"""

from __future__ import annotations

from minpy.array import ndarray
from minpy.numpy.broadcasting import *  # noqa: F403
from minpy.numpy.creation import *  # noqa: F403
from minpy.numpy.elementwise import *  # noqa: F403
from minpy.numpy.indexing import *  # noqa: F403
from minpy.numpy.products import *  # noqa: F403
from minpy.numpy.reductions import *  # noqa: F403
from minpy.numpy.shaping import *  # noqa: F403
from minpy.numpy import methods as _methods  # noqa: F401, I001
