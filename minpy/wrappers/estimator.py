"""What the estimators share: which model is trained, on what seed; knows no kind of target."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from minpy import random
from minpy.models import Model, clone_model

__all__ = ["Estimator"]


class Estimator(BaseEstimator):
    """A model with scikit-learn's methods; subclasses say what targets are.

    Parameters
    ----------
    model
        A compiled `Model`, of which each `fit` trains a copy with weights that start anew; a
        function ``model(X, y, **model_kwargs)`` that returns a compiled one, called with the data
        as the model will get them; or None for a small network that fits the data's shape.
    warm_start
        Whether `fit` goes on training the model of the last one.
    model_kwargs
        Arguments for `model`, where it is a function.
    fit_kwargs
        Arguments for ``Model.fit``. It prints nothing unless they have ``verbose``.
    random_state
        An integer or NumPy ``RandomState`` that initial weights, shuffling and dropout follow from;
        None goes on with minpy's own seed (`minpy.random.seed`).
    """

    # Scikit-learn passes `sample_weight` on where it was asked to, though `fit` takes it by
    # keyword only: in the signature it would promise that a weight of two is the same, to the last
    # bit, as the sample twice, which no training on batches keeps.
    __metadata_request__fit = {"sample_weight": None}  # noqa: RUF012

    def __init__(
        self,
        model: Any = None,
        warm_start: bool = False,
        model_kwargs: dict[str, Any] | None = None,
        fit_kwargs: dict[str, Any] | None = None,
        random_state: Any = None,
    ) -> None:
        self.model = model
        self.warm_start = warm_start
        self.model_kwargs = model_kwargs
        self.fit_kwargs = fit_kwargs
        self.random_state = random_state

    # --- what subclasses say --------------------------------------------------------------------

    def _small_network(self, X: numpy.ndarray, y: numpy.ndarray) -> Any:
        """Return a compiled model for data, where none was given."""
        raise ValueError(
            f"{type(self).__name__}: expected a compiled model, or a function (X, y) that returns "
            "one; got model=None"
        )

    def _targets_for(self, model: Any, y: numpy.ndarray) -> numpy.ndarray:
        """Return targets in the form that a model's loss takes."""
        return y

    # --- fitting --------------------------------------------------------------------------------

    def _goes_on(self) -> bool:
        return bool(self.warm_start) and hasattr(self, "model_")

    def _train(self, X: numpy.ndarray, y: numpy.ndarray, options: dict[str, Any]) -> None:
        """Make the model and train it; nothing of the estimator changes if that fails."""
        options = {"verbose": 0, **self._default_options(), **(self.fit_kwargs or {}), **options}
        weights = options.get("sample_weight")
        if weights is not None:
            if not numpy.any(weights):
                raise ValueError(
                    f"{type(self).__name__}: sample_weight must have a number that isn't zero"
                )
            options["sample_weight"] = _check_sample_weight(weights, X)
        with self._seeded():
            model = self.model_ if self._goes_on() else self._new_model(X, y)
            history = model.fit(X, self._targets_for(model, y), **options)
        self.model_ = model
        self.history_ = history.history

    def _default_options(self) -> dict[str, Any]:
        return {"epochs": 50} if self.model is None else {}

    @contextmanager
    def _seeded(self) -> Iterator[None]:
        if self.random_state is None:
            yield
            return
        before = random.get_state()
        random.seed(int(check_random_state(self.random_state).randint(2**31 - 1)))
        try:
            yield
        finally:
            random.set_state(before)

    def _new_model(self, X: numpy.ndarray, y: numpy.ndarray) -> Any:
        if self.model is None:
            return self._small_network(X, y)
        name = type(self).__name__
        if isinstance(self.model, Model):
            _require_compiled(self.model, f"{name}: the model")
            return _fresh(self.model)
        if not callable(self.model):
            raise TypeError(
                f"{name}: expected a compiled model, a function (X, y) that returns one, or None "
                f"as model; got {type(self.model).__name__}"
            )
        made = self.model(X=X, y=y, **(self.model_kwargs or {}))
        if not isinstance(made, Model):
            raise TypeError(
                f"{name}: expected the function given as model to return a compiled model; got "
                f"{type(made).__name__}"
            )
        _require_compiled(made, f"{name}: the model that the function returned")
        return made

    # --- using ----------------------------------------------------------------------------------

    def _outputs(self, X: Any) -> numpy.ndarray:
        """Return what the trained model computes."""
        check_is_fitted(self, "model_")
        X = validate_data(self, X, reset=False, allow_nd=True)
        return numpy.asarray(self.model_.predict(X, verbose=0))

    @property
    def epoch_(self) -> int:
        """How many epochs the last `fit` took, 0 before it."""
        return len(getattr(self, "history_", {}).get("loss", ()))


def _require_compiled(model: Any, what: str) -> None:
    if not model.compiled:
        raise ValueError(
            f"{what} isn't compiled; call compile(optimizer, loss) on it first, for example "
            "model.compile('adam', 'mse')"
        )


def _fresh(model: Any) -> Any:
    """Return a copy with weights that start anew, compiled as the model was."""
    made = clone_model(model)
    # Metrics and optimizers count; the copy's must count for themselves.
    arguments = copy.deepcopy(model._compile_arguments)
    optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
    made.compile(
        optimizer, **arguments, steps_per_execution=model._steps_per_execution, jit=model._jit
    )
    return made
