"""What all metrics share: sums that grow batch by batch, and a result; knows no formula.

Metrics aren't differentiated: they take minpy arrays and NumPy arrays alike and compute in NumPy.
Sums are float64, so that a result over many batches is exact to float32.
"""

from __future__ import annotations

import copy
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy

from minpy.array import ndarray, read_value
from minpy.by_name import snake_case
from minpy.errors import ShapeError

__all__ = ["Mean", "MeanMetricWrapper", "Metric", "Sum", "Variable"]


def value_of(x: Any) -> numpy.ndarray:
    """Return an array as NumPy's; a trace, which would count once for all steps, refuses."""
    return read_value(x) if type(x) is ndarray else numpy.asarray(x)


class Variable:
    """A sum that a metric of a user's keeps, with Keras' way of writing to it.

    Parameters
    ----------
    shape
        Length of each axis; a number without any.
    name
        Kept for Keras' sake.
    """

    __slots__ = ("name", "value")

    def __init__(self, shape: Any = (), name: str | None = None) -> None:
        self.value = numpy.zeros(shape, numpy.float64)
        self.name = name

    def assign(self, value: Any) -> None:
        """Set the value."""
        self.value = numpy.broadcast_to(value_of(value), self.value.shape).astype(numpy.float64)

    def take(self, value: numpy.ndarray) -> None:
        """Set the value, of any shape: some sums have one only after the first batch."""
        self.value = value

    def assign_add(self, value: Any) -> None:
        """Add to the value."""
        self.assign(self.value + value_of(value))

    def assign_sub(self, value: Any) -> None:
        """Subtract from the value."""
        self.assign(self.value - value_of(value))

    def numpy(self) -> numpy.ndarray:
        """Return a copy of the value."""
        return self.value.copy()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> numpy.ndarray:
        return numpy.array(self.value, dtype)

    def __float__(self) -> float:
        return float(self.value)

    def __add__(self, other: Any) -> Any:
        return self.value + value_of(other)

    def __sub__(self, other: Any) -> Any:
        return self.value - value_of(other)

    def __mul__(self, other: Any) -> Any:
        return self.value * value_of(other)

    def __truediv__(self, other: Any) -> Any:
        return self.value / value_of(other)

    __radd__ = __add__
    __rmul__ = __mul__


class _Sum(Variable):
    """A sum that a metric keeps as a plain number or array, seen as a variable."""

    __slots__ = ("_metric",)

    def __init__(self, metric: Any, name: str) -> None:
        self._metric, self.name = metric, name

    @property
    def value(self) -> numpy.ndarray:
        return numpy.asarray(getattr(self._metric, self.name), numpy.float64)

    def assign(self, value: Any) -> None:
        given = numpy.broadcast_to(value_of(value), self.value.shape)
        setattr(self._metric, self.name, given.astype(numpy.float64)[()])

    def take(self, value: numpy.ndarray) -> None:
        setattr(self._metric, self.name, value[()])


class Metric:
    """The base of metrics: `update_state` with each batch, `result` when somebody looks.

    A subclass keeps its sums in attributes made by `add_variable`.

    Parameters
    ----------
    dtype
        Kept for Keras' sake; sums are float64.
    name
        For logs; the class's by default.

    Examples
    --------
    >>> import numpy
    >>> class Positive(Metric):
    ...     def __init__(self, name='positive', dtype=None):
    ...         super().__init__(dtype, name)
    ...         self.count = self.add_variable()
    ...     def update_state(self, y_true, y_pred, sample_weight=None):
    ...         self.count.assign_add((numpy.asarray(y_pred) > 0).sum())
    ...     def result(self):
    ...         return float(self.count)
    >>> positive = Positive()
    >>> positive.update_state(None, [1., -1., 2.])
    >>> positive.result()
    2.0
    """

    # Names of the attributes that are sums, where a metric of minpy's own keeps plain numbers.
    sums: tuple[str, ...] = ()

    def __init__(self, dtype: Any = None, name: str | None = None) -> None:
        self.name = name or snake_case(type(self).__name__)
        self.dtype = dtype
        self._variables: list[Variable] = []
        for own in self.sums:
            setattr(self, own, 0.0)

    def add_variable(
        self,
        shape: Any = (),
        initializer: Any = "zeros",
        dtype: Any = None,
        name: Any = None,
        *,
        aggregation: str = "sum",
    ) -> Variable:
        """Make a sum that starts at zero and goes back to it in `reset_state`.

        Parameters
        ----------
        shape
            Length of each axis.
        initializer
            ``'zeros'``.
        dtype
            Kept for Keras' sake; sums are float64.
        name
            For whoever looks at `variables`.
        aggregation
            Kept for Keras' sake: how replicas' sums become one, and there is one here.
        """
        if getattr(initializer, "__name__", type(initializer).__name__).lower() == "zeros":
            initializer = "zeros"
        if initializer not in ("zeros", None):
            raise ValueError(f"{self.name}: sums start at 'zeros', got {initializer!r}")
        made = Variable(shape, name)
        self._variables.append(made)
        return made

    add_weight = add_variable

    @property
    def variables(self) -> list[Any]:
        """The sums, to read and to assign to."""
        return [*(_Sum(self, own) for own in self.sums), *self._variables]

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count one batch.

        Parameters
        ----------
        y_true, y_pred
            Targets and predictions, the batch first.
        sample_weight
            What each sample counts; 1 if not given.
        """
        raise NotImplementedError(f"{type(self).__name__} has no update_state")

    def result(self) -> Any:
        """Return the value over all batches since the last reset."""
        raise NotImplementedError(f"{type(self).__name__} has no result")

    def reset_state(self) -> None:
        """Forget all batches."""
        for own in self.sums:
            setattr(self, own, numpy.zeros_like(getattr(self, own))[()])
        for variable in self._variables:
            variable.assign(0.0)

    def stateless_update_state(
        self, metric_variables: Sequence[Any], *args: Any, **kwargs: Any
    ) -> list[numpy.ndarray]:
        """Return what sums become by counting a batch; the metric's own stay as they are.

        Parameters
        ----------
        metric_variables
            An array for each of `variables`.
        *args, **kwargs
            What `update_state` is called with.

        Examples
        --------
        >>> mean = Mean()
        >>> sums = mean.stateless_update_state(mean.stateless_reset_state(), [1., 3.])
        >>> mean.stateless_result(sums), mean.result()
        (2.0, 0.0)
        """
        twin = self._with_variables(metric_variables, "stateless_update_state")
        twin.update_state(*args, **kwargs)
        return [variable.numpy() for variable in twin.variables]

    def stateless_result(self, metric_variables: Sequence[Any]) -> Any:
        """Return the value that sums make, an array for each of `variables`."""
        return self._with_variables(metric_variables, "stateless_result").result()

    def stateless_reset_state(self) -> list[numpy.ndarray]:
        """Return what `variables` are before any batch."""
        twin = copy.deepcopy(self)
        twin.reset_state()
        return [variable.numpy() for variable in twin.variables]

    def _with_variables(self, values: Sequence[Any], by: str) -> Metric:
        """Return an equal metric with other sums."""
        values = list(values)
        twin = copy.deepcopy(self)
        own = twin.variables
        if len(own) != len(values):
            raise ValueError(
                f"{by}: {self.name!r} has {len(own)} variables, got {len(values)} values"
            )
        for variable, value in zip(own, values, strict=True):
            variable.take(numpy.array(value_of(value), numpy.float64))
        return twin

    def get_state(self) -> dict[str, Any]:
        """Return the sums, as JSON can hold them."""
        named = {own: numpy.asarray(getattr(self, own)).tolist() for own in self.sums}
        named.update({f"variable_{i}": v.value.tolist() for i, v in enumerate(self._variables)})
        return named

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `get_state` returned."""
        for own in self.sums:
            setattr(self, own, numpy.asarray(state[own], numpy.float64)[()])
        for i, variable in enumerate(self._variables):
            variable.assign(state[f"variable_{i}"])

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Count one batch and return the result so far."""
        self.update_state(*args, **kwargs)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal metric, without its sums."""
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Metric:
        """Make a metric of what `get_config` returned."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"


# --- sums and means -------------------------------------------------------------------------------


def _per_sample(
    values: numpy.ndarray, weights: Any, reduce: Callable[..., Any]
) -> tuple[numpy.ndarray, numpy.ndarray | None]:
    """Bring values down to one a sample, and weight them."""
    if weights is not None:
        weights = value_of(weights).astype(numpy.float64)
        if weights.ndim == values.ndim + 1 and weights.shape[-1] == 1:
            weights = weights[..., 0]
        elif values.ndim == weights.ndim + 1 and values.shape[-1] == 1:
            values = values[..., 0]
        if values.ndim > weights.ndim:
            values = reduce(values, axis=tuple(range(weights.ndim, values.ndim)))
        try:
            weights = numpy.broadcast_to(weights, values.shape)
        except ValueError:
            raise ShapeError(
                f"sample_weight: expected one weight for each of the values of shape "
                f"{values.shape}, got shape {weights.shape}"
            ) from None
        values = values * weights
        if weights.ndim > 1:
            weights = reduce(weights, axis=tuple(range(1, weights.ndim)))
    if values.ndim > 1:
        values = reduce(values, axis=tuple(range(1, values.ndim)))
    return values, weights


class Sum(Metric):
    """Adds up all values.

    Parameters
    ----------
    name, dtype
        As of `Metric`.

    Examples
    --------
    >>> total = Sum()
    >>> total.update_state([1., 3.])
    >>> total.result()
    4.0
    """

    sums = ("total",)

    def __init__(self, name: str = "sum", dtype: Any = None) -> None:
        super().__init__(dtype, name)

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Add the values of one batch."""
        values, _ = _per_sample(value_of(values), sample_weight, numpy.sum)
        self.total += float(values.sum(dtype=numpy.float64))

    def result(self) -> float:
        """Return the sum."""
        return float(self.total)


class Mean(Metric):
    """Takes the mean of all values, weighted if asked for.

    Parameters
    ----------
    name, dtype
        As of `Metric`.

    Examples
    --------
    >>> mean = Mean()
    >>> mean.update_state([1., 3.])
    >>> mean.update_state([8.])
    >>> mean.result()
    4.0
    """

    sums = ("total", "count")

    def __init__(self, name: str = "mean", dtype: Any = None) -> None:
        super().__init__(dtype, name)

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Count the values of one batch, a sample's own ones as their mean."""
        values = value_of(values)
        if sample_weight is None:
            if values.dtype == bool:
                total = float(numpy.count_nonzero(values))
            else:
                total = float(values.sum(dtype=numpy.float64))
            if values.ndim == 0:
                self.total += total
                self.count += 1
            elif values.size:
                samples = values.shape[0]
                # A mean over the other axes, without rounding a number for each sample.
                self.total += total * samples / values.size if values.ndim > 1 else total
                self.count += samples
            return
        values, weights = _per_sample(values, sample_weight, numpy.mean)
        self.total += float(values.sum(dtype=numpy.float64))
        self.count += float(weights.sum(dtype=numpy.float64))

    def result(self) -> float:
        """Return the mean; 0 if nothing was counted."""
        return float(self.total / self.count) if self.count else 0.0


class MeanMetricWrapper(Mean):
    """The mean of a function of targets and predictions.

    Parameters
    ----------
    fn
        ``fn(y_true, y_pred, **kwargs)`` returns a value for each sample.
    name, dtype
        As of `Metric`.
    **kwargs
        Passed on to the function.

    Examples
    --------
    >>> import numpy
    >>> metric = MeanMetricWrapper(lambda y, p: numpy.abs(y - p), name='distance')
    >>> metric.update_state(numpy.array([1., 2.]), numpy.array([1., 5.]))
    >>> metric.result()
    1.5
    """

    def __init__(
        self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(name or getattr(fn, "__name__", type(fn).__name__), dtype)
        self._function = fn
        self._options = kwargs

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count one batch."""
        values = self._function(y_true, y_pred, **self._options)
        if type(values) is tuple:  # values, and which of them count
            values, counts = values
            counts = value_of(counts)
            sample_weight = counts if sample_weight is None else value_of(sample_weight) * counts
        super().update_state(values, sample_weight)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal metric."""
        return {**super().get_config(), **self._options}


def metric_class(
    function: Callable[..., Any],
    name: str,
    default_name: str | None = None,
    options: tuple[str, ...] = (),
    first: tuple[str, ...] = (),
) -> type:
    """Return the class of the mean of a function.

    Parameters
    ----------
    function
        Of targets, predictions and options.
    name
        Of the class.
    default_name
        Of its objects; the function's if not given.
    options
        The function's arguments that the class takes too, behind ``name`` and ``dtype`` as in
        Keras.
    first
        Those that Keras has before them.
    """
    known = inspect.signature(function).parameters
    shared = [
        inspect.Parameter("name", _EITHER, default=default_name or function.__name__),
        inspect.Parameter("dtype", _EITHER, default=None),
    ]
    signature = inspect.Signature(
        [*(known[o] for o in first), *shared, *(known[o] for o in options)]
    )

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{name}: {error}; expected {name}{signature}") from None
        bound.apply_defaults()
        MeanMetricWrapper.__init__(self, function, **bound.arguments)
        for option in (*first, *options):
            setattr(self, option, bound.arguments[option])

    __init__.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter("self", _EITHER), *signature.parameters.values()]
    )
    line = inspect.cleandoc(function.__doc__ or "").split("\n")[0]
    return type(
        name,
        (MeanMetricWrapper,),
        {
            "__init__": __init__,
            "__doc__": f"{line}\n\nThe mean over all samples of `{function.__name__}`, which has "
            "the formula and the options; `name` and `dtype` are as of `Metric`.",
            "__module__": sys._getframe(1).f_globals["__name__"],
        },
    )


_EITHER = inspect.Parameter.POSITIONAL_OR_KEYWORD


def metrics_in(value: Any) -> list[Any]:
    """Return the metrics that an attribute of a layer is or holds."""
    if isinstance(value, Metric):
        return [value]
    if isinstance(value, dict):  # other mappings may compute what they hold
        value = list(value.values())
    if type(value) in (list, tuple):
        return [part for part in value if isinstance(part, Metric)]
    return []
