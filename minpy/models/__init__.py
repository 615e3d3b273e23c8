"""Models: stacks of layers, models of one's own, the original minpy's `ModelBase`."""

from minpy.layers.serialization import add_builtin
from minpy.models.cloning import clone_model
from minpy.models.from_json import model_from_json
from minpy.models.functional import Functional
from minpy.models.model import Model
from minpy.models.model_base import ModelBase
from minpy.models.plotting import model_to_dot, plot_model, to_dot
from minpy.models.saving import load_model
from minpy.models.sequential import Sequential

add_builtin(Functional)
add_builtin(Sequential)

__all__ = [
    "Functional",
    "Model",
    "ModelBase",
    "Sequential",
    "clone_model",
    "load_model",
    "model_from_json",
    "model_to_dot",
    "plot_model",
    "to_dot",
]
