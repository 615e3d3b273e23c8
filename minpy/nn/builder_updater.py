"""Applies the gradients of a model of `minpy.nn.model_builder` to its parameters.

It must not know where they come from.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from minpy.nn import optim

__all__ = ["Updater"]


class _Settings:
    """One parameter's settings as attributes."""

    def __init__(self, config: dict[str, Any]) -> None:
        object.__setattr__(self, "_config", config)

    def __getattr__(self, name: str) -> Any:
        try:
            return self._config[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self._config[name] = value


class Updater:
    """Applies gradients to a model's parameters by a rule of `minpy.nn.optim`.

    Parameters
    ----------
    model
        A `minpy.nn.model_builder.Model`.
    kwargs
        ``update_rule`` and its settings, for all parameters. Later they are attributes:
        ``updater.learning_rate *= 0.1``, and for one parameter ``updater['name'].learning_rate``.

    Examples
    --------
    >>> from minpy.nn import model_builder, modules
    >>> model = model_builder.Model()
    >>> model.b = modules.Variable((2,), name='b2')
    >>> updater = Updater(model, update_rule='sgd', learning_rate=0.5)
    >>> updater.learning_rate
    0.5
    """

    def __init__(self, model: Any, **kwargs: Any) -> None:
        object.__setattr__(self, "_model", model)
        object.__setattr__(self, "_configs", copy.deepcopy(model._update_configs))
        for name, value in kwargs.items():
            setattr(self, name, value)

    def __getattr__(self, name: str) -> Any:
        found = [config[name] for config in self._configs.values() if name in config]
        if not found:
            raise AttributeError(f"no parameter has the setting {name!r}")
        if any(value != found[0] for value in found):
            raise AttributeError(f"parameters differ in {name!r}; ask for one: updater['name']")
        return found[0]

    def __setattr__(self, name: str, value: Any) -> None:
        for config in self._configs.values():
            config[name] = value

    def __getitem__(self, name: str) -> _Settings:
        return _Settings(self._configs[name])

    def __setitem__(self, name: str, config: dict[str, Any]) -> None:
        self._configs[name] = dict(config)

    def keys(self) -> Any:
        """Return the parameters' names."""
        return self._configs.keys()

    def values(self) -> Any:
        """Return the parameters' settings."""
        return self._configs.values()

    def items(self) -> Any:
        """Return names and settings."""
        return self._configs.items()

    def __call__(self, grad_dict: Mapping[str, Any]) -> None:
        """Update the parameters that there are gradients for."""
        for name, g in grad_dict.items():
            config = self._configs[name]
            rule = config.get("update_rule")
            if rule not in optim.__all__:
                raise ValueError(
                    f"Updater: expected an update_rule among {', '.join(optim.__all__)} for "
                    f"{name}, got {rule!r}"
                )
            params = self._model.params
            params[name], self._configs[name] = getattr(optim, rule)(params[name], g, config)
