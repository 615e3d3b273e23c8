"""Names of minpy 0.3.4: ``minpy.nn.model.ModelBase`` and ``minpy.nn.layers``."""

from minpy.nn import layers, model

__all__ = ["layers", "model"]
