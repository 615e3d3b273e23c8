"""Models as scikit-learn's regressors."""

from __future__ import annotations

from typing import Any

import numpy
from sklearn.base import RegressorMixin
from sklearn.utils.validation import validate_data

from minpy.wrappers.estimator import Estimator
from minpy.wrappers.small_network import small_network

__all__ = ["Regressor"]


class Regressor(RegressorMixin, Estimator):
    """A model that predicts numbers, one or several a sample.

    Parameters
    ----------
    model
        A compiled `Model`, of which each `fit` trains a copy with weights that start anew; a
        function ``model(X, y, **model_kwargs)`` that returns a compiled one; or None for a small
        network. The function gets `y` with two axes.
    warm_start
        Whether `fit` goes on training the model of the last one.
    model_kwargs
        Arguments for `model`, where it is a function.
    fit_kwargs
        Arguments for ``Model.fit``. It prints nothing unless they have ``verbose``.
    random_state
        An integer or NumPy ``RandomState`` that initial weights, shuffling and dropout follow from;
        None goes on with minpy's own seed.

    Attributes
    ----------
    model_ : Model
        The trained one.
    history_ : dict
        Each log of the last `fit` and its values, an epoch each.

    Examples
    --------
    >>> import numpy
    >>> from minpy.wrappers import Regressor
    >>> X = numpy.linspace(-1, 1, 64).reshape(-1, 1)
    >>> Regressor(random_state=0).fit(X, X[:, 0] ** 2).score(X, X[:, 0] ** 2) > 0.9
    True
    """

    def fit(self, X: Any, y: Any, **kwargs: Any) -> Regressor:
        """Train.

        Parameters
        ----------
        X
            Inputs of shape (samples, features), or with more axes.
        y
            Numbers of shape (samples,) or (samples, outputs).
        kwargs
            Arguments for ``Model.fit``, before those of `fit_kwargs`; ``sample_weight`` among them.

        Returns
        -------
        Regressor
            Itself.
        """
        X, y = validate_data(
            self, X, y, reset=not self._goes_on(), multi_output=True, y_numeric=True, allow_nd=True
        )
        self._train(X, y.reshape(len(y), -1), kwargs)
        self._target_axes = y.ndim
        return self

    def predict(self, X: Any) -> numpy.ndarray:
        """Return what the model computes, of shape (samples,) where the targets had that."""
        found = self._outputs(X).astype("float64")
        return found.reshape(len(found)) if self._target_axes == 1 else found

    def _small_network(self, X: numpy.ndarray, y: numpy.ndarray) -> Any:
        return small_network(X, y, "mse", activation=None)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
