"""``minpy.nn`` of minpy 0.3.4; new programs use `minpy.models` and `minpy.layers`.

========================= ========================================================================
`minpy.nn.model`          ``ModelBase``: parameters by name, a forward pass, a loss
`minpy.nn.layers`         layers as functions
`minpy.nn.solver`         ``Solver``: trains a model on data iterators
`minpy.nn.optim`          update rules
`minpy.nn.init`           how parameters start
`minpy.nn.io`             ``NDArrayIter``, and MXNet's iterators
`minpy.nn.model_builder`  models of layers that find their shapes in the first call
`minpy.nn.modules`        the layers for it
`minpy.nn.builder_layers` the layers that it had before, which the tutorials use
========================= ========================================================================
"""

import importlib
from typing import Any

from minpy.nn import layers, model

__all__ = ["init", "io", "layers", "model", "model_builder", "modules", "optim", "solver"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f"minpy.nn.{name}")
    raise AttributeError(f"module 'minpy.nn' has no attribute {name!r}")
