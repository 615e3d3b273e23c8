"""What all losses share: shapes that have to fit, sample weights, reductions; knows no formula."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy

import minpy.numpy as np
from minpy.array import as_ndarray, ndarray
from minpy.by_name import snake_case
from minpy.config import settings
from minpy.errors import ShapeError

__all__ = ["FunctionLoss", "Loss", "match_ranks", "prepare", "reduce"]

_REDUCTIONS = ("sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none", None)


def match_ranks(x: ndarray, y: ndarray) -> tuple[ndarray, ndarray]:
    """Add or drop a last axis of length one, so that ``(n,)`` and ``(n, 1)`` go together."""
    for _ in range(2):
        if x.ndim == y.ndim + 1 and x.shape[-1] == 1:
            if y.ndim == 1:
                y = np.reshape(y, (*y.shape, 1))
            else:
                x = np.reshape(x, x.shape[:-1])
        x, y = y, x
    return x, y


def prepare(name: str, y_true: Any, y_pred: Any) -> tuple[ndarray, ndarray]:
    """Return targets and predictions as arrays of one shape and of the predictions' dtype.

    Raises
    ------
    ShapeError
        If the shapes differ by more than a last axis of length one.
    """
    y_pred = as_ndarray(y_pred)
    if y_pred.dtype.kind != "f":
        y_pred = y_pred.astype(settings.float_dtype)
    y_true = as_ndarray(y_true)
    if y_true.shape != y_pred.shape:
        y_true, y_pred = match_ranks(y_true, y_pred)
        if y_true.shape != y_pred.shape:
            raise ShapeError(_advice(name, y_true.shape, y_pred.shape))
    if y_true.dtype != y_pred.dtype:
        y_true = y_true.astype(y_pred.dtype)
    return y_true, y_pred


def _advice(name: str, true: tuple[int, ...], predicted: tuple[int, ...]) -> str:
    text = f"{name}: expected y_true of shape {predicted}, as y_pred has, got {true}"
    if true[:1] != predicted[:1]:
        return f"{text}; the number of samples differs"
    if true == predicted[:-1] or true == (*predicted[:-1], 1):
        if "categorical" in name:
            return (
                f"{text}; for integer labels use 'sparse_{name}', or turn them into one-hot rows "
                f"of length {predicted[-1]}"
            )
        return (
            f"{text}; the model has {predicted[-1]} outputs a sample and there is one target: end "
            "the model with one unit, or use 'sparse_categorical_crossentropy' if the targets are "
            "labels"
        )
    return f"{text}; give the model's last layer as many units as a target has values"


# --- reductions -----------------------------------------------------------------------------------


def reduce(values: ndarray, weights: Any, reduction: str | None, mask: Any = None) -> ndarray:
    """Weight the losses of samples and bring them together.

    Parameters
    ----------
    values
        A loss a sample (or a sample and time step), or one number for all of them.
    weights
        Of the same shape, of fewer axes, or None. One number is multiplied by their mean, or sum.
    reduction
        ``'sum_over_batch_size'`` and ``'mean'`` divide the weighted sum by the number of values,
        ``'mean_with_sample_weight'`` by the sum of the weights; ``'sum'`` and ``'none'``.
    mask
        Which values count, or None: the others neither add to the sum nor to the number.
    """
    if mask is not None:
        counted = mask.astype(values.dtype)
        if reduction in ("sum_over_batch_size", "mean"):
            counted = counted * (mask.size / np.maximum(np.sum(counted), 1.0))
        weights = counted if weights is None else _fit(weights, counted)[0] * counted
    if weights is not None:
        weights, values = _fit(weights, values)
        values = values * weights
    if reduction in (None, "none") or values.ndim == 0:
        return values
    if reduction == "mean_with_sample_weight" and weights is not None:
        total = np.sum(weights)
        # Nothing that counts: no loss, rather than 0 / 0.
        return np.sum(values) / np.where(total == 0, 1.0, total)
    if reduction == "sum":
        return np.sum(values)
    return np.mean(values) if values.size else np.sum(values)


def _fit(weights: Any, values: ndarray) -> tuple[ndarray, ndarray]:
    weights = as_ndarray(weights)
    if weights.dtype != values.dtype:
        weights = weights.astype(values.dtype)
    if weights.shape == values.shape or not values.ndim:
        return weights, values  # a loss of all samples together counts once with each weight
    weights, values = match_ranks(weights, values)
    missing = values.ndim - weights.ndim
    if missing > 0 and weights.ndim:
        # One weight a sample, several values each.
        weights = np.reshape(weights, weights.shape + (1,) * missing)
    if weights.ndim > values.ndim or any(
        n not in (1, m) for n, m in zip(weights.shape[::-1], values.shape[::-1], strict=False)
    ):
        raise ShapeError(
            f"sample_weight: expected shape {values.shape} or one weight a sample, "
            f"got {weights.shape}"
        )
    return weights, values


# --- classes --------------------------------------------------------------------------------------


class Loss:
    """The base of losses: a function of targets and predictions with one number as its result.

    A subclass writes ``call(y_true, y_pred)``, which returns a loss for each sample.

    Parameters
    ----------
    name
        For logs; the class's by default.
    reduction
        How the samples' losses become one: ``'sum_over_batch_size'`` (their mean), ``'sum'``,
        ``'mean'``, ``'mean_with_sample_weight'`` or ``'none'``.
    dtype
        Dtype of the computation; that of the predictions if not given.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> class Worst(Loss):
    ...     def call(self, y_true, y_pred):
    ...         return np.max(np.absolute(y_true - y_pred), axis=-1)
    >>> float(Worst()(np.array([[1., 2.]]), np.array([[1., 5.]])))
    3.0
    """

    def __init__(
        self,
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        dtype: Any = None,
    ) -> None:
        if reduction not in _REDUCTIONS:
            raise ValueError(
                f"{type(self).__name__}: expected reduction to be one of "
                f"{', '.join(map(repr, _REDUCTIONS))}, got {reduction!r}"
            )
        self.name = name or snake_case(type(self).__name__)
        self.reduction = reduction
        self.dtype = dtype

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> ndarray:
        """Return the loss of a batch.

        Parameters
        ----------
        y_true
            Targets.
        y_pred
            Predictions, the batch first.
        sample_weight
            A factor for each sample, or for each of its losses.
        """
        y_pred = as_ndarray(y_pred)
        mask = getattr(y_pred, "_keras_mask", None)  # what a layer says about its time steps
        if self.dtype is not None:
            y_pred = y_pred.astype(self.dtype)
        values = self.call(as_ndarray(y_true), y_pred)
        if type(values) is tuple:  # losses, and which of them count
            values, counted = values
            if mask is not None:
                counted = counted.astype(values.dtype)
                counted = counted * np.reshape(mask.astype(values.dtype), counted.shape)
            mask = counted
        return reduce(values, sample_weight, self.reduction, mask)

    def call(self, y_true: ndarray, y_pred: ndarray) -> Any:
        """Return the losses of the samples."""
        raise NotImplementedError(f"{type(self).__name__} has no call(y_true, y_pred)")

    def check_targets(self, y_true: numpy.ndarray, shape: tuple | None) -> None:
        """Raise `ValueError` if no model could be trained on such targets.

        `fit` asks before its first step, so that a wrong label isn't found epochs later.

        Parameters
        ----------
        y_true
            Those of all samples.
        shape
            Of the predictions, None for lengths that aren't known, and where nothing is.
        """

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal loss."""
        return {"name": self.name, "reduction": self.reduction}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Loss:
        """Make a loss of what `get_config` returned."""
        return cls(**config)

    def __repr__(self) -> str:
        told = ", ".join(f"{k}={v!r}" for k, v in self.get_config().items())
        return f"{type(self).__name__}({told})"


class FunctionLoss(Loss):
    """A loss made of a function of targets and predictions.

    Parameters
    ----------
    function
        ``function(y_true, y_pred, **options)`` returns a loss for each sample.
    name, reduction, dtype
        As of `Loss`.
    **options
        Passed on to the function.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> def distance(y_true, y_pred):
    ...     return np.sum(np.absolute(y_true - y_pred), axis=-1)
    >>> float(FunctionLoss(distance)(np.array([[1., 2.]]), np.array([[1., 5.]])))
    3.0
    """

    def __init__(
        self,
        function: Callable[..., Any],
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        dtype: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(name or getattr(function, "__name__", None), reduction, dtype)
        self.function = function
        self.options = options

    def call(self, y_true: ndarray, y_pred: ndarray) -> Any:
        """Return the losses of the samples."""
        return self.function(y_true, y_pred, **self.options)

    def check_targets(self, y_true: numpy.ndarray, shape: tuple | None) -> None:
        """Raise `ValueError` if the function says that no model could be trained on them."""
        check = getattr(self.function, "check_targets", None)
        if check is not None:
            check(y_true, shape, **self.options)


def loss_class(
    function: Callable[..., Any],
    name: str,
    default_name: str | None = None,
    axis_last: bool = False,
) -> type:
    """Return the class of a loss function: its options, then Keras' reduction, name and dtype.

    The class's signature and documentation follow from the function's, so that a formula, its
    options and their defaults are written once.
    """
    options = [p for p in inspect.signature(function).parameters.values() if p.name not in _TARGETS]
    shared = [
        inspect.Parameter("reduction", _EITHER, default="sum_over_batch_size"),
        inspect.Parameter("name", _EITHER, default=default_name or function.__name__),
        inspect.Parameter("dtype", _EITHER, default=None),
    ]
    # Keras has the axis of the sparse cross-entropy behind the reduction, and those of overlaps
    # behind the name.
    place = 2 if axis_last else 1 if any(p.name == "ignore_class" for p in options) else 0
    late = [p for p in options if p.name == "axis"] if place else []
    signature = inspect.Signature(
        [p for p in options if p not in late] + shared[:place] + late + shared[place:]
    )

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{name}: {error}; expected {name}{signature}") from None
        bound.apply_defaults()
        FunctionLoss.__init__(self, function, **bound.arguments)

    def get_config(self: Any) -> dict[str, Any]:
        """Return the arguments that make an equal loss."""
        return {**Loss.get_config(self), **self.options}

    __init__.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter("self", _EITHER), *signature.parameters.values()]
    )
    lines = inspect.cleandoc(function.__doc__ or "").split("\n")
    return type(
        name,
        (FunctionLoss,),
        {
            "__init__": __init__,
            "get_config": get_config,
            "__doc__": f"{lines[0]}\n\nThe class of `{function.__name__}`, which has the formula "
            "and the options; `reduction`, `name` and `dtype` are as of `Loss`.",
            "__module__": function.__module__,
        },
    )


_TARGETS = ("y_true", "y_pred")
_EITHER = inspect.Parameter.POSITIONAL_OR_KEYWORD
