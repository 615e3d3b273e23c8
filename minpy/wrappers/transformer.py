"""Models as scikit-learn's transformers."""

from __future__ import annotations

from typing import Any

import numpy
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import validate_data

from minpy.wrappers.estimator import Estimator

__all__ = ["Transformer"]


class Transformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Estimator):
    """A model whose outputs are the features of the next step.

    Parameters
    ----------
    model
        A compiled `Model`, of which each `fit` trains a copy with weights that start anew, or a
        function ``model(X, y, **model_kwargs)`` that returns a compiled one.
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
    >>> from minpy.layers import Dense
    >>> from minpy.models import Sequential
    >>> from minpy.wrappers import Transformer
    >>> model = Sequential([Dense(2)])
    >>> model.compile('adam', 'mse')
    >>> Transformer(model).fit(numpy.ones((8, 3)), numpy.ones((8, 2))).transform(
    ...     numpy.ones((4, 3))).shape
    (4, 2)
    """

    def fit(self, X: Any, y: Any = None, **kwargs: Any) -> Transformer:
        """Train; without `y` the model learns to give its inputs back.

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
        Transformer
            Itself.
        """
        reset = not self._goes_on()
        if y is None:
            X = y = validate_data(self, X, reset=reset, allow_nd=True)
        else:
            X, y = validate_data(
                self, X, y, reset=reset, multi_output=True, y_numeric=True, allow_nd=True
            )
        self._train(X, y.reshape(len(y), 1) if y.ndim == 1 else y, kwargs)
        self._n_features_out = int(self.model_.predict(X[:1], verbose=0).shape[-1])
        return self

    def transform(self, X: Any) -> numpy.ndarray:
        """Return what the model computes for inputs."""
        return self._outputs(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags
