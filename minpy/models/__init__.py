"""Models: stacks of layers, models of one's own, the original minpy's `ModelBase`."""

from minpy.models.model import Model
from minpy.models.model_base import ModelBase
from minpy.models.saving import load_model
from minpy.models.sequential import Sequential

__all__ = ["Model", "ModelBase", "Sequential", "load_model"]
