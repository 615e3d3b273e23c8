"""Models of what ``model.to_json()`` wrote; knows no files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from minpy.layers.serialization import deserialize

__all__ = ["model_from_json"]


def model_from_json(text: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Make a model, with weights that start anew, of what ``model.to_json()`` returned.

    Parameters
    ----------
    text
        JSON.
    custom_objects
        Classes and functions of your own that it refers to, by name.

    Raises
    ------
    ValueError
        If it is no model, or refers to a class that isn't known.

    Examples
    --------
    >>> from minpy.models import Sequential, model_from_json
    >>> from minpy.layers import Dense
    >>> model = Sequential([Dense(2, input_shape=(3,))])
    >>> model_from_json(model.to_json()).count_params()
    8
    """
    try:
        config = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"expected what model.to_json() returns: {error}") from None
    return deserialize(config, custom_objects)
