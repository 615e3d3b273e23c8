"""Models: stacks of layers, models of one's own, the original minpy's `ModelBase`."""

from minpy.layers.serialization import add_builtin
from minpy.models.functional import Functional
from minpy.models.model import Model
from minpy.models.model_base import ModelBase
from minpy.models.saving import load_model
from minpy.models.sequential import Sequential

add_builtin(Functional)
add_builtin(Sequential)

__all__ = ["Model", "ModelBase", "Sequential", "load_model"]
