"""``minpy.nn.model`` of minpy 0.3.4: the models."""

from minpy.models import Model, ModelBase, Sequential

__all__ = ["Model", "ModelBase", "Sequential"]
