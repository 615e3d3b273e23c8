"""minpy: write NumPy, train as in Keras, run on MXNet."""

from __future__ import annotations

from minpy import runtime  # noqa: F401, I001  (sets mxnet's environment up before anything else)
from minpy import autograd, config, context, errors, policy
from minpy.autograd import *  # noqa: F403
from minpy.config import default_dtype, set_default_dtype
from minpy.context import cpu, current_context, gpu, num_gpus, set_context
from minpy.policy import current_policy, set_global_policy, wrap_policy
from minpy import numpy

__version__ = "1.0.0.dev0"
