"""Where batches come from: arrays in memory and in files, generators, data sets of many kinds."""

from minpy.data.arrays import ArrayBatches
from minpy.data.batch import Batch, Layout
from minpy.data.dataset import Dataset
from minpy.data.prefetch import prefetched
from minpy.data.source import Casting, Source, class_weights
from minpy.data.sources import refuse_stream, source_of
from minpy.data.streams import PyDataset, unpack_x_y_sample_weight
from minpy.data.validation_split import split_validation

__all__ = [
    "ArrayBatches",
    "Batch",
    "Casting",
    "Dataset",
    "Layout",
    "PyDataset",
    "Source",
    "class_weights",
    "prefetched",
    "refuse_stream",
    "source_of",
    "split_validation",
    "unpack_x_y_sample_weight",
]
