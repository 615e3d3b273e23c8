"""The base of all layers: weights, building, calling, configuration; knows no particular layer."""

from __future__ import annotations

import contextlib
import inspect
import re
import threading
from collections.abc import Iterator
from typing import Any

import numpy

from minpy import initializers
from minpy.array import as_ndarray, ndarray
from minpy.autograd.containers import flatten, map_leaves
from minpy.config import settings
from minpy.errors import ShapeError
from minpy.layers.parameter import Parameter

__all__ = ["Layer", "call_context", "snake_case"]


class _CallContext(threading.local):
    """What holds for a whole forward pass: training or not, and the loss terms that layers add."""

    training: bool = False
    losses: list[Any] | None = None


call_context = _CallContext()


@contextlib.contextmanager
def forward_pass(training: bool) -> Iterator[list[Any]]:
    """Run a forward pass in a mode; yields the list of loss terms that layers add."""
    before = call_context.training, call_context.losses
    call_context.training, call_context.losses = training, []
    try:
        yield call_context.losses
    finally:
        call_context.training, call_context.losses = before


def snake_case(name: str) -> str:
    """Return a class's name as Keras names its layers: ``Conv2D`` → ``conv2d``."""
    name = re.sub(r"([a-z0-9])([A-Z][a-z])", r"\1_\2", name)
    name = re.sub(r"([a-z])([A-Z])", r"\1_\2", name)
    return name.lower()


class Layer:
    """A part of a model: weights, and the function of them and of an input.

    A subclass stores its settings in ``__init__``, makes its weights in ``build(input_shape)`` with
    `add_weight`, and computes in ``call(x)``, which may take ``training`` too. Weights read as
    arrays: ``self.kernel`` in ``call`` is a minpy array.

    Parameters
    ----------
    name
        Unique inside a model; made from the class's name if not given.
    trainable
        False keeps the optimizer from changing the weights.
    dtype
        Element type of the weights; the default float dtype if not given.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Layer
    >>> class Scale(Layer):
    ...     def build(self, input_shape):
    ...         self.factor = self.add_weight('factor', (input_shape[-1],), 'ones')
    ...     def call(self, x):
    ...         return x * self.factor
    >>> Scale()(np.array([[1., 2.]]))
    array([[1., 2.]])
    """

    def __init__(
        self,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
        input_shape: Any = None,
        **unknown: Any,
    ) -> None:
        if unknown:
            raise TypeError(
                f"{type(self).__name__}: unknown argument {', '.join(map(repr, unknown))}"
            )
        self._prepare()
        self._named = name is not None
        self.name = name or snake_case(type(self).__name__)
        self._trainable = bool(trainable)
        self.dtype = numpy.dtype(settings.float_dtype if dtype is None else dtype)
        if input_shape is not None:
            shape = (input_shape,) if isinstance(input_shape, int) else tuple(input_shape)
            self._declared_shape = (None, *shape)

    def _prepare(self) -> None:
        """Make the containers; a subclass may set attributes before it calls ``__init__``."""
        if "_parameters" not in self.__dict__:
            object.__setattr__(self, "_parameters", {})
            object.__setattr__(self, "_sublayers", {})
            self.__dict__.setdefault("_trainable", True)
            self.__dict__.setdefault("_named", False)
            self.__dict__.setdefault("name", snake_case(type(self).__name__))
            self.built = False
            self.input_shape: Any = None
            self.output_shape: Any = None
            self._declared_shape: tuple | None = None

    # --- attributes -----------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Parameter):
            self._prepare()
            self._parameters[name] = value
            self.__dict__.pop(name, None)
            return
        own = self.__dict__.get("_parameters")
        if own is not None and name in own:
            if value is None:
                del own[name]
            else:
                own[name].update(value)
                return
        if isinstance(value, Layer):
            self._prepare()
            self._sublayers[name] = value
            if not value._named:
                value.name, value._named = name.lstrip("_"), True
        elif isinstance(value, list | tuple) and value and all(isinstance(v, Layer) for v in value):
            self._prepare()
            for i, layer in enumerate(value):
                self._sublayers[f"{name}.{i}"] = layer
                if not layer._named:
                    layer.name, layer._named = f"{name.lstrip('_')}_{i}", True
        object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__.get("_parameters")
        if own is not None and name in own:
            return own[name].value
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __delattr__(self, name: str) -> None:
        if name in self._parameters:
            del self._parameters[name]
            return
        self._sublayers.pop(name, None)
        object.__delattr__(self, name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    # --- weights --------------------------------------------------------------------------------

    def add_weight(
        self,
        name: str | None = None,
        shape: Any = (),
        initializer: Any = "glorot_uniform",
        dtype: Any = None,
        trainable: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        fans: tuple[int, int] | None = None,
        transposed: bool = False,
    ) -> Parameter:
        """Make a weight.

        Parameters
        ----------
        name
            Unique in the layer.
        shape
            Length of each axis.
        initializer
            A name, an `Initializer`, or a function of shape and dtype.
        dtype
            Element type; the layer's if not given.
        trainable
            Whether the optimizer changes it.
        regularizer, constraint
            Names or functions of the value.
        fans
            Fan-in and fan-out, where the shape alone doesn't tell.
        transposed
            Whether a matrix lies in memory by columns; see `Parameter`.
        """
        from minpy import constraints, regularizers

        self._prepare()
        shape = (shape,) if isinstance(shape, int) else tuple(int(n) for n in shape)
        if any(n < 0 for n in shape):
            raise ShapeError(f"{self}: weight {name!r} can't have the shape {shape}")
        name = name or f"weight_{len(self._parameters)}"
        value = initializers.make(initializer, shape, dtype or self.__dict__["dtype"], fans)
        parameter = Parameter(
            name,
            value,
            trainable,
            regularizers.get(regularizer),
            constraints.get(constraint),
            transposed,
        )
        self._parameters.setdefault(name, parameter)
        return parameter

    def _owned(self, prefix: str = "") -> Iterator[tuple[str, Parameter, bool]]:
        """Give each weight in here once, with its path and whether it trains."""
        seen: set[int] = set()
        for path, parameter, trains in self._walk(prefix, True):
            if id(parameter) not in seen:
                seen.add(id(parameter))
                yield path, parameter, trains

    def _walk(self, prefix: str, trains: bool) -> Iterator[tuple[str, Parameter, bool]]:
        trains = trains and self._trainable
        met: set[int] = set()
        for parameter in self._parameters.values():
            if id(parameter) not in met:
                met.add(id(parameter))
                yield f"{prefix}{parameter.name}", parameter, trains and parameter.trainable
        for layer in self._children():
            yield from layer._walk(f"{prefix}{layer.name}/", trains)

    def _children(self) -> list[Layer]:
        """Return the layers directly inside this one, each once."""
        return list({id(v): v for v in self._sublayers.values()}.values())

    @property
    def weights(self) -> list[Parameter]:
        """All weights, those of inner layers too."""
        found = []
        for path, parameter, _ in self._owned():
            parameter.path = path
            found.append(parameter)
        return found

    variables = weights

    @property
    def trainable_weights(self) -> list[Parameter]:
        """The weights that an optimizer changes."""
        return [p for _, p, trains in self._owned() if trains]

    @property
    def non_trainable_weights(self) -> list[Parameter]:
        """The weights that no optimizer changes: running statistics, frozen layers."""
        return [p for _, p, trains in self._owned() if not trains]

    @property
    def trainable(self) -> bool:
        """Whether an optimizer may change the weights."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        for layer in self._children():
            layer.trainable = value

    def get_weights(self) -> list[numpy.ndarray]:
        """Return copies of all weights."""
        return [p.numpy() for p in self.weights]

    def set_weights(self, weights: list[Any]) -> None:
        """Set all weights.

        Raises
        ------
        ShapeError
            If there are more or fewer, or one has another shape; no weight is then changed.
        """
        own = self.weights
        if len(weights) != len(own):
            raise ShapeError(
                f"{self.name}: set_weights expected {len(own)} arrays, got {len(weights)}"
                + ("" if self.built else "; the layer isn't built yet, call it on data first")
            )
        given = [numpy.asarray(w) for w in weights]
        for p, w in zip(own, given, strict=True):
            if w.shape != p.shape:
                raise ShapeError(
                    f"{self.name}: weight {p.path!r} expected shape {p.shape}, got {w.shape}"
                )
        for p, w in zip(own, given, strict=True):
            p.assign(w)

    def count_params(self) -> int:
        """Return the number of elements of all weights."""
        return sum(p.size for p in self.weights)

    # --- calling --------------------------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        """Make the weights for inputs of a shape whose batch axis is None."""
        self.built = True

    def call(self, x: Any) -> Any:
        """Compute the layer's output."""
        raise NotImplementedError(f"{type(self).__name__} has no call(x)")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output for an input; the first call makes the weights."""
        if not args:
            raise TypeError(f"{type(self).__name__} {self.name!r}: expected an input")
        args = (map_leaves(_to_array, args[0]), *args[1:])
        if not self.built:
            self._build_for(args[0])
        training = kwargs.pop("training", None)
        before = call_context.training
        if training is None:
            training = before
        if _takes_training(type(self)):
            kwargs["training"] = training
        call_context.training = training
        try:
            return self.call(*args, **kwargs)
        finally:
            call_context.training = before

    def _build_for(self, x: Any) -> None:
        leaves, unflatten = flatten(x)
        shapes = [None if leaf is None else (None, *leaf.shape[1:]) for leaf in leaves]
        shape = unflatten(shapes) if len(shapes) != 1 else shapes[0]
        self._build_once(shape)

    def _build_once(self, shape: Any) -> None:
        if not self.built:
            self.check_input(shape)
            self.build(shape)
            self.built = True
        self.input_shape = shape
        with contextlib.suppress(NotImplementedError):
            self.output_shape = self.compute_output_shape(shape)

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` if the layer can't take inputs of this shape."""

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output for an input's, the batch axis None."""
        raise NotImplementedError(f"{type(self).__name__} has no compute_output_shape")

    # --- losses ---------------------------------------------------------------------------------

    def add_loss(self, loss: Any) -> None:
        """Add a term to the loss of the forward pass that is running."""
        if call_context.losses is not None:
            call_context.losses.append(as_ndarray(loss))

    def regularization_losses(self) -> list[ndarray]:
        """Return the loss terms of the weights' regularizers."""
        return [
            p.regularizer(p.value)
            for _, p, trains in self._owned()
            if trains and p.regularizer is not None
        ]

    # --- configuration --------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer, as JSON can hold them."""
        config: dict[str, Any] = {"name": self.name, "trainable": self._trainable}
        if self.__dict__["dtype"] != settings.float_dtype:
            config["dtype"] = self.__dict__["dtype"].name
        if self._declared_shape is not None:
            config["input_shape"] = list(self._declared_shape[1:])
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Layer:
        """Make a layer of what `get_config` returned."""
        return cls(**config)


_TAKES_TRAINING: dict[type, bool] = {}


def _takes_training(kind: type) -> bool:
    """Say whether a layer class's ``call`` has an argument ``training``."""
    found = _TAKES_TRAINING.get(kind)
    if found is None:
        parameters = inspect.signature(kind.call).parameters
        found = "training" in parameters or any(
            p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()
        )
        _TAKES_TRAINING[kind] = found
    return found


def _to_array(x: Any) -> Any:
    return x if x is None or type(x) is ndarray else as_ndarray(x)


def expect_axes(layer: Layer, shape: Any, ndim: int, what: str) -> None:
    """Raise `ShapeError` unless `shape` has `ndim` axes; `what` names them."""
    if not isinstance(shape, tuple) or len(shape) != ndim:
        got = tuple("batch" if n is None else n for n in shape) if shape else shape
        raise ShapeError(
            f"{type(layer).__name__} {layer.name!r}: expected input of shape {what}, "
            f"got {str(got).replace(chr(39), '')}"
        )
