"""minpy: write NumPy, train as in Keras, run on MXNet.

>>> import minpy, minpy.numpy as np
>>> minpy.grad(lambda x: np.sum(x ** 2))(np.array([1., 2.]))
array([2., 4.])

The packages for training (`minpy.models`, `minpy.layers`, `minpy.callbacks`, …) are imported when
they are first used.
"""

from __future__ import annotations

import importlib
from typing import Any

# First of all: it puts in place what mxnet reads when it is imported, by us or by the user.
from minpy import runtime  # isort: skip
from minpy import autograd, config, context, errors, numpy, policy, random
from minpy.autograd import (
    check_grads,
    defjvp,
    defvjp,
    elementwise_grad,
    grad,
    grad_and_aux,
    grad_and_loss,
    hessian,
    jacobian,
    make_jvp,
    make_vjp,
    primitive,
    value_and_grad,
)
from minpy.config import default_dtype, set_default_dtype
from minpy.context import cpu, current_context, gpu, num_gpus, set_context
from minpy.graph import jit
from minpy.policy import current_policy, set_global_policy, wrap_policy

__version__ = "1.0.0.dev0"

_LAZY = (
    "activations",
    "array_variants",
    "backend",
    "callbacks",
    "checkpoint",
    "constraints",
    "core",
    "datasets",
    "dispatch",
    "info",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "mixed_precision",
    "models",
    "nn",
    "ops",
    "optimizers",
    "regularizers",
    "saving",
    "scipy",
    "utils",
    "visualization",
    "wrappers",
)

# Keras' names beside its modules, and the modules that have them here.
_KERAS = {
    "Initializer": "minpy.initializers",
    "Input": "minpy.layers",
    "InputSpec": "minpy.layers",
    "KerasTensor": "minpy.layers.symbolic",
    "Layer": "minpy.layers",
    "Loss": "minpy.losses",
    "Metric": "minpy.metrics",
    "Model": "minpy.models",
    "Optimizer": "minpy.optimizers",
    "Regularizer": "minpy.regularizers",
    "Sequential": "minpy.models",
    "Variable": "minpy.layers.parameter",
}

# Names that minpy up to 0.3.4 had here, not in ``__all__``.
_POLICIES = (
    "AutoBlacklistPolicy",
    "OnlyMXNetPolicy",
    "OnlyNumPyPolicy",
    "PreferMXNetPolicy",
)

__all__ = [
    "autograd",
    "check_grads",
    "config",
    "context",
    "cpu",
    "current_context",
    "current_policy",
    "default_dtype",
    "defjvp",
    "defvjp",
    "elementwise_grad",
    "errors",
    "get_global_policy",
    "gpu",
    "grad",
    "grad_and_aux",
    "grad_and_loss",
    "hessian",
    "jacobian",
    "jit",
    "make_jvp",
    "make_vjp",
    "num_gpus",
    "numpy",
    "policy",
    "primitive",
    "random",
    "runtime",
    "set_context",
    "set_default_dtype",
    "set_global_policy",
    "value_and_grad",
    "wrap_policy",
    *_LAZY,
    *_KERAS,
]


def get_global_policy() -> Any:
    """Return the policy in force as an object, as minpy 0.3.4 did; `current_policy` names it."""
    from minpy.dispatch import policy as objects

    return objects.create(current_policy())


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return importlib.import_module(f"minpy.{name}")
    if name in _KERAS:
        return getattr(importlib.import_module(_KERAS[name]), name)
    if name in _POLICIES:
        return getattr(importlib.import_module("minpy.dispatch.policy"), name)
    raise AttributeError(f"module 'minpy' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY, *_KERAS})
