"""``minpy.nn.layers`` of minpy 0.3.4: the layer functions."""

from minpy.layers.functions import *  # noqa: F403
from minpy.layers.functions import __all__  # noqa: F401
