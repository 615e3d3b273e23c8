"""``minpy.nn.optim`` of minpy 0.3.4: update rules as functions.

``rule(w, dw, config)`` gets a parameter, its gradient and a dict of settings, which also holds
what the rule remembers; it returns the new parameter and the dict. The optimizers that `fit` uses
are `minpy.optimizers`.
"""

from __future__ import annotations

from typing import Any

import minpy.numpy as np

__all__ = ["adam", "rmsprop", "sgd", "sgd_momentum"]


def _settings(config: dict[str, Any] | None, **defaults: Any) -> dict[str, Any]:
    config = {} if config is None else config
    for name, value in defaults.items():
        config.setdefault(name, value)
    return config


def sgd(w: Any, dw: Any, config: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
    """Do a step of gradient descent, in place; ``learning_rate`` is 0.01 by default.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> sgd(np.array([1.]), np.array([10.]), {'learning_rate': 0.05})[0]
    array([0.5])
    """
    config = _settings(config, learning_rate=1e-2)
    w -= config["learning_rate"] * dw
    return w, config


def sgd_momentum(
    w: Any, dw: Any, config: dict[str, Any] | None = None
) -> tuple[Any, dict[str, Any]]:
    """Do a step with momentum: ``v = momentum * v - learning_rate * dw``, ``w + v``.

    Settings are ``learning_rate`` (0.01) and ``momentum`` (0.9); it remembers ``velocity``.
    """
    config = _settings(config, learning_rate=1e-2, momentum=0.9)
    v = config.get("velocity")
    v = (0 if v is None else v * config["momentum"]) - dw * config["learning_rate"]
    config["velocity"] = v
    return w + v, config


def rmsprop(x: Any, dx: Any, config: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
    """Do a step by RMSProp (Hinton, 2012).

    Settings are ``learning_rate`` (0.01), ``decay_rate`` (0.99) and ``epsilon`` (1e-8); it
    remembers ``cache``, the moving average of squared gradients.
    """
    config = _settings(config, learning_rate=1e-2, decay_rate=0.99, epsilon=1e-8)
    decay = config["decay_rate"]
    cache = config.get("cache", 0) * decay + dx**2 * (1 - decay)
    config["cache"] = cache
    return x - config["learning_rate"] * dx / (np.sqrt(cache) + config["epsilon"]), config


def adam(x: Any, dx: Any, config: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
    """Do a step by Adam (Kingma and Ba, 2015, algorithm 1).

    Settings are ``learning_rate`` (0.001), ``beta1`` (0.9), ``beta2`` (0.999) and ``epsilon``
    (1e-8); it remembers the moments ``m`` and ``v`` and the step ``t``.
    """
    config = _settings(config, learning_rate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8, t=0)
    beta1, beta2 = config["beta1"], config["beta2"]
    t = config["t"] + 1
    m = config.get("m", 0) * beta1 + (1 - beta1) * dx
    v = config.get("v", 0) * beta2 + (1 - beta2) * dx**2
    config.update(m=m, v=v, t=t)
    step = config["learning_rate"] * (m / (1 - beta1**t))
    return x - step / (np.sqrt(v / (1 - beta2**t)) + config["epsilon"]), config
