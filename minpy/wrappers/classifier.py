"""Models as scikit-learn's classifiers: classes by any label, from probabilities or logits."""

from __future__ import annotations

from typing import Any

import numpy
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d, validate_data

from minpy import losses
from minpy.wrappers.estimator import Estimator
from minpy.wrappers.small_network import small_network

__all__ = ["Classifier"]


class Classifier(ClassifierMixin, Estimator):
    """A model that says which class a sample belongs to.

    Parameters
    ----------
    model
        A compiled `Model`, of which each `fit` trains a copy with weights that start anew; a
        function ``model(X, y, **model_kwargs)`` that returns a compiled one; or None for a small
        network. The function gets `y` as zeros and ones, a column for each class. The model gets
        those too; with a sparse loss the number of the class, with one output unit 0 or 1.
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
    classes_ : numpy.ndarray
        The labels, sorted.
    model_ : Model
        The trained one.
    history_ : dict
        Each log of the last `fit` and its values, an epoch each.

    Examples
    --------
    >>> import numpy
    >>> from minpy.wrappers import Classifier
    >>> X = numpy.linspace(-1, 1, 64).reshape(-1, 1)
    >>> found = Classifier(random_state=0).fit(X, numpy.where(X[:, 0] > 0, 'warm', 'cold'))
    >>> found.predict([[-0.9], [0.9]]).tolist(), found.classes_.tolist()
    (['cold', 'warm'], ['cold', 'warm'])
    """

    def fit(self, X: Any, y: Any, **kwargs: Any) -> Classifier:
        """Train.

        Parameters
        ----------
        X
            Inputs of shape (samples, features), or with more axes.
        y
            Labels of shape (samples,): numbers, strings, booleans.
        kwargs
            Arguments for ``Model.fit``, before those of `fit_kwargs`; ``sample_weight`` among them.

        Returns
        -------
        Classifier
            Itself.

        Raises
        ------
        ValueError
            If there is one class only, or `warm_start` goes on with other classes than before.
        """
        goes_on = self._goes_on()
        X, y = validate_data(self, X, y, reset=not goes_on, allow_nd=True)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        classes, numbers = numpy.unique(y, return_inverse=True)
        if goes_on:
            if not numpy.isin(classes, self.classes_).all():
                raise ValueError(
                    f"Classifier: warm_start goes on with the classes {self.classes_.tolist()}, "
                    f"got {classes.tolist()}; set warm_start=False to start anew"
                )
            classes, numbers = self.classes_, numpy.searchsorted(self.classes_, y)
        weights = {**(self.fit_kwargs or {}), **kwargs}.get("sample_weight")
        counted = numbers
        if weights is not None and numpy.shape(weights) == numbers.shape and numpy.any(weights):
            counted = numbers[numpy.asarray(weights) != 0]
        if len(numpy.unique(counted)) < 2 and not goes_on:
            left = "" if len(counted) == len(numbers) else " that sample_weight doesn't make zero"
            raise ValueError(
                f"Classifier: expected two classes or more, got one class{left}: "
                f"{classes[counted[0]]!r}"
            )
        self._train(X, numpy.eye(len(classes), dtype="float32")[numbers], kwargs)
        self.classes_ = classes
        return self

    def predict(self, X: Any) -> numpy.ndarray:
        """Return the label of the likeliest class of each sample."""
        scores = self.decision_function(X)
        chosen = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
        return self.classes_[chosen]

    def decision_function(self, X: Any) -> numpy.ndarray:
        """Return the model's outputs; for two classes how far the second one's is above.

        Returns
        -------
        numpy.ndarray
            Of shape (samples, classes), or (samples,) for two classes.
        """
        found = self._outputs(X).astype("float64")
        if found.shape[1] == 1:
            return found[:, 0] - (0.0 if _gives_logits(self.model_) else 0.5)
        return found[:, 1] - found[:, 0] if found.shape[1] == 2 else found

    def predict_proba(self, X: Any) -> numpy.ndarray:
        """Return probabilities, a column for each class.

        Raises
        ------
        ValueError
            If the model computes neither probabilities nor, by its loss, logits.
        """
        found = self._outputs(X).astype("float64")
        if _gives_logits(self.model_):
            # A single unit's logit is that of the second class over the first one's zero.
            logits = numpy.insert(found, 0, 0.0, axis=1) if found.shape[1] == 1 else found
            odds = numpy.exp(logits - logits.max(axis=1, keepdims=True))
            return odds / odds.sum(axis=1, keepdims=True)
        if found.shape[1] == 1:
            found = numpy.concatenate([1 - found, found], axis=1)
        totals = found.sum(axis=1, keepdims=True)
        if (found < 0).any() or abs(totals - 1).max() > 1e-3:
            raise ValueError(
                "Classifier: predict_proba needs a model that ends with activation='softmax' (or "
                "'sigmoid' for one unit), or a loss with from_logits=True; got outputs from "
                f"{found.min():.3g} to {found.max():.3g} with sums up to {totals.max():.3g}"
            )
        return found / totals

    def _targets_for(self, model: Any, y: numpy.ndarray) -> numpy.ndarray:
        loss = model._compile_arguments["loss"]
        name = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
        if "sparse" in name.lower():
            return y.argmax(axis=1)
        shape = model.output_shape
        if shape is not None and shape[-1] == 1:
            if y.shape[1] > 2:
                raise ValueError(
                    f"Classifier: the model has one output unit for {y.shape[1]} classes; give its "
                    f"last layer {y.shape[1]} units and a categorical loss"
                )
            return y[:, 1:]
        return y

    def _small_network(self, X: numpy.ndarray, y: numpy.ndarray) -> Any:
        return small_network(X, y, "categorical_crossentropy", activation="softmax")


def _gives_logits(model: Any) -> bool:
    loss = losses.get(model._compile_arguments["loss"])
    return bool(getattr(loss, "get_config", dict)().get("from_logits", False))
