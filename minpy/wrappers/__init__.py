"""Models as scikit-learn's estimators: `Classifier`, `Regressor`, `Transformer`.

Scikit-learn is an optional dependency, imported when the first of them is asked for; Keras' names
`SKLearnClassifier`, `SKLearnRegressor` and `SKLearnTransformer` are the same classes.

>>> from minpy.wrappers import Classifier
>>> Classifier(fit_kwargs={'epochs': 5}).get_params()['fit_kwargs']
{'epochs': 5}
"""

from __future__ import annotations

import importlib
from typing import Any

# Name → the module that has it and its name there.
_HOMES = {
    "Classifier": ("minpy.wrappers.classifier", "Classifier"),
    "Regressor": ("minpy.wrappers.regressor", "Regressor"),
    "SKLearnClassifier": ("minpy.wrappers.classifier", "Classifier"),
    "SKLearnRegressor": ("minpy.wrappers.regressor", "Regressor"),
    "SKLearnTransformer": ("minpy.wrappers.transformer", "Transformer"),
    "Transformer": ("minpy.wrappers.transformer", "Transformer"),
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'minpy.wrappers' has no attribute {name!r}")
    _require_scikit_learn(name)
    module, there = _HOMES[name]
    return getattr(importlib.import_module(module), there)


def _require_scikit_learn(needed_by: str) -> None:
    try:
        # 1.6 brought both: the check of data as a function, and tags as objects.
        from sklearn.utils import Tags
        from sklearn.utils.validation import validate_data
    except ImportError as error:
        raise ImportError(
            f"minpy.wrappers.{needed_by} needs scikit-learn 1.6 or later, which can't be imported "
            f"here ({error}); pip install 'scikit-learn>=1.6'"
        ) from error


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
