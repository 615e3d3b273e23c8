"""Where batches come from: arrays in memory and in files, gathered ahead of the step that runs."""

from minpy.data.arrays import ArrayBatches
from minpy.data.batch import Batch, Layout
from minpy.data.class_weights import class_weights
from minpy.data.prefetch import prefetched
from minpy.data.validation_split import split_validation

__all__ = [
    "ArrayBatches",
    "Batch",
    "Layout",
    "class_weights",
    "prefetched",
    "split_validation",
]
