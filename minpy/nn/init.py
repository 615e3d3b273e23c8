"""``minpy.nn.init`` of minpy 0.3.4: rules by which parameters start.

A rule is a function of a shape and a dict of settings. `Solver.init` finds it by its name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import minpy.numpy as np
from minpy import initializers
from minpy.array import as_ndarray, ndarray
from minpy.config import settings

__all__ = ["constant", "custom", "find_rule", "gaussian", "xavier"]


def _drawn(rule: Any, shape: Any) -> ndarray:
    return as_ndarray(rule(tuple(shape), settings.float_dtype))


def xavier(shape: Any, config: Any = None) -> ndarray:
    """Draw from a normal distribution of variance 6 / (fan-in + fan-out).

    Parameters
    ----------
    shape
        Length of each axis: the first counts as fan-out, the others together as fan-in.
    config
        Not used.
    """
    shape = tuple(shape)
    fans = shape[0] + (math.prod(shape[1:]) if len(shape) > 1 else 0)
    return np.random.randn(*shape) * math.sqrt(6.0 / max(fans, 1))


def constant(shape: Any, config: dict[str, Any] | None = None) -> ndarray:
    """Return one value everywhere: ``config['value']``, by default 0."""
    return np.ones(tuple(shape)) * (config or {}).get("value", 0.0)


def gaussian(shape: Any, config: dict[str, Any] | None = None) -> ndarray:
    """Draw from a normal distribution: ``config['mu']``, ``['stdvar']``, by default 0, 0.001."""
    config = config or {}
    return np.random.randn(*shape) * config.get("stdvar", 0.001) + config.get("mu", 0.0)


def custom(shape: Any, config: dict[str, Any] | None = None) -> ndarray:
    """Ask ``config['function']``, which gets the shape; zeros without one."""
    return as_ndarray((config or {}).get("function", np.zeros)(shape))


def find_rule(name: Any) -> Callable[[Any, Any], ndarray]:
    """Return a rule by its name; any of Keras' initializers will do too.

    Raises
    ------
    ValueError
        If there is no such rule.

    Examples
    --------
    >>> find_rule('constant')((2,), {'value': 3.0})
    array([3., 3.])
    """
    if isinstance(name, str) and name in ("constant", "custom", "gaussian", "xavier"):
        return globals()[name]
    try:
        initializers.get_rule(name, None)
    except (ValueError, TypeError) as error:
        raise ValueError(f"init_rule: {error}") from None

    def rule(shape: Any, config: Any) -> ndarray:
        return _drawn(initializers.get_rule(name, dict(config) if config else None), shape)

    return rule
