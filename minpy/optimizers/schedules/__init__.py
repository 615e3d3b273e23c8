"""Learning rates that are functions of the step; they know no optimizer."""

from __future__ import annotations

from minpy.by_name import NameTable
from minpy.optimizers.schedules.cosine import CosineDecay, CosineDecayRestarts
from minpy.optimizers.schedules.decay import (
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
)
from minpy.optimizers.schedules.schedule import LearningRateSchedule
from minpy.optimizers.schedules.warm_up import OneCycle, WarmUp

_table = NameTable(
    "learning-rate schedule",
    [
        ExponentialDecay,
        PolynomialDecay,
        PiecewiseConstantDecay,
        InverseTimeDecay,
        CosineDecay,
        CosineDecayRestarts,
        OneCycle,
        WarmUp,
    ],
    folder="minpy.optimizers.schedules",
)

serialize = _table.serialize
deserialize = _table.deserialize
