"""How weights follow their gradients: Keras' optimizers on flat buffers, fused into one pass.

An optimizer knows buffers of numbers; models, layers and derivatives are above it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minpy.by_name import NameTable
from minpy.optimizers import schedules
from minpy.optimizers.adadelta import Adadelta
from minpy.optimizers.adafactor import Adafactor
from minpy.optimizers.adagrad import Adagrad
from minpy.optimizers.adam import Adam
from minpy.optimizers.adamax import Adamax
from minpy.optimizers.adamw import AdamW
from minpy.optimizers.ftrl import Ftrl
from minpy.optimizers.lamb import Lamb
from minpy.optimizers.layout import Segment
from minpy.optimizers.lion import Lion
from minpy.optimizers.loss_scale_optimizer import LossScaleOptimizer
from minpy.optimizers.multi_optimizer import MultiOptimizer, OptimizerMap
from minpy.optimizers.muon import Muon
from minpy.optimizers.nadam import Nadam
from minpy.optimizers.optimizer import Optimizer
from minpy.optimizers.rmsprop import RMSprop
from minpy.optimizers.schedule_free_adamw import ScheduleFreeAdamW
from minpy.optimizers.schedules.schedule import LearningRateSchedule
from minpy.optimizers.sgd import SGD

_table = NameTable(
    "optimizer",
    [
        SGD,
        RMSprop,
        Adam,
        AdamW,
        Adamax,
        Nadam,
        Adagrad,
        Adadelta,
        Adafactor,
        Lion,
        Ftrl,
        Lamb,
        Muon,
        ScheduleFreeAdamW,
        LossScaleOptimizer,
        MultiOptimizer,
    ],
    folder="minpy.optimizers",
    spell=str.lower,
)

serialize = _table.serialize
deserialize = _table.deserialize


def get(identifier: Any, custom_objects: Mapping[str, Any] | None = None) -> Optimizer:
    """Return the optimizer that an identifier stands for.

    Parameters
    ----------
    identifier
        A name (``'adam'``), a configuration as `serialize` returns it, a class or an `Optimizer`.
    custom_objects
        Classes of your own, by name.

    Raises
    ------
    ValueError
        If there is none of that name.
    TypeError
        If it is something else.

    Examples
    --------
    >>> get('adam').learning_rate
    0.001
    """
    found = _table.get(identifier, custom_objects)
    if not isinstance(found, Optimizer):
        raise TypeError(
            "expected the name of an optimizer, its configuration or an Optimizer, "
            f"got {identifier!r}"
        )
    return found
