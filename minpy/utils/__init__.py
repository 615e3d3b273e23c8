"""Keras' functions beside models and data, and ``minpy.utils`` of minpy 0.3.4.

The latter is in modules: a check of gradients, a profiler by blocks, a logger.

>>> from minpy.utils import to_categorical
>>> to_categorical([1, 0])
array([[0., 1.],
       [1., 0.]], dtype=float32)
"""

from __future__ import annotations

import importlib
from typing import Any

# Name → the module that has it; each is imported when it is first asked for.
_HOMES = {
    **dict.fromkeys(
        ("array_to_img", "img_to_array", "load_img", "save_img", "smart_resize"),
        "minpy.utils.images",
    ),
    **dict.fromkeys(
        ("clear_session", "get_source_inputs", "is_keras_tensor", "set_random_seed"),
        "minpy.utils.session",
    ),
    **dict.fromkeys(
        (
            "disable_interactive_logging",
            "enable_interactive_logging",
            "is_interactive_logging_enabled",
        ),
        "minpy.config",
    ),
    "Config": "minpy.utils.config",
    "FeatureSpace": "minpy.utils.feature_space",
    "audio_dataset_from_directory": "minpy.utils.labelled_files",
    "text_dataset_from_directory": "minpy.utils.labelled_files",
    "PyDataset": "minpy.data",
    "Sequence": "minpy.data",
    "get_file": "minpy.utils.files",
    "image_dataset_from_directory": "minpy.utils.data_sets",
    "model_to_dot": "minpy.models",
    "normalize": "minpy.utils.targets",
    "pack_x_y_sample_weight": "minpy.data.streams",
    "pad_sequences": "minpy.utils.sequences",
    "plot_model": "minpy.models",
    "split_dataset": "minpy.utils.data_sets",
    "timeseries_dataset_from_array": "minpy.utils.data_sets",
    "to_categorical": "minpy.utils.targets",
    "unpack_x_y_sample_weight": "minpy.data",
    **dict.fromkeys(
        (
            "CustomObjectScope",
            "custom_object_scope",
            "deserialize_keras_object",
            "get_custom_objects",
            "get_registered_name",
            "get_registered_object",
            "register_keras_serializable",
            "serialize_keras_object",
        ),
        "minpy.saving",
    ),
}
_THERE = {"Sequence": "PyDataset"}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), _THERE.get(name, name))
    raise AttributeError(f"module 'minpy.utils' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
