"""``keras.backend``: settings and the session, by the names that Keras keeps for them.

>>> from minpy import backend
>>> backend.floatx(), backend.image_data_format()
('float32', 'channels_first')
"""

from __future__ import annotations

from minpy.config import (
    backend,
    epsilon,
    floatx,
    image_data_format,
    set_floatx,
    set_image_data_format,
)
from minpy.utils.session import clear_session, is_keras_tensor

__all__ = [
    "backend",
    "clear_session",
    "epsilon",
    "floatx",
    "image_data_format",
    "is_keras_tensor",
    "set_floatx",
    "set_image_data_format",
]
