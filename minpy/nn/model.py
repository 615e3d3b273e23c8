"""``minpy.nn.model`` of minpy 0.3.4: models, and `ModelBase` with what a `Solver` asks of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from minpy import random
from minpy.array import as_ndarray, numpy_value
from minpy.autograd.containers import map_leaves
from minpy.models import Model, Sequential
from minpy.models import ModelBase as _ModelBase

__all__ = [
    "Model",
    "ModelBase",
    "ParamsNameNotFoundError",
    "Sequential",
    "UnknownAccessModeError",
]


class ParamsNameNotFoundError(KeyError):
    """There is no parameter of that name."""


class UnknownAccessModeError(ValueError):
    """A mode that is neither ``'train'`` nor ``'test'``."""


class _AuxParams(MutableMapping):
    """Parameters that aren't trained; those declared without a value are None at first."""

    def __init__(self, model: ModelBase) -> None:
        self._model = model

    def __getitem__(self, name: str) -> Any:
        parameter = self._model._aux.get(name)
        if parameter is None:
            if name in self._model._without_value:
                return None
            raise ParamsNameNotFoundError(name)
        return parameter.value

    def __setitem__(self, name: str, value: Any) -> None:
        model = self._model
        if name in model._aux:
            model._aux[name].update(value)
        elif name not in model._without_value:
            raise ParamsNameNotFoundError(f"no parameter {name!r}; declare it with add_aux_param")
        elif value is not None:
            model._without_value.discard(name)
            _ModelBase.add_aux_param(model, name, numpy_value(as_ndarray(value)))

    def __delitem__(self, name: str) -> None:
        raise TypeError("a model's parameters can't be deleted")

    def __iter__(self) -> Iterator[str]:
        yield from self._model._aux
        yield from sorted(self._model._without_value)

    def __len__(self) -> int:
        return len(self._model._aux) + len(self._model._without_value)

    def __repr__(self) -> str:
        return repr({name: None if v is None else v.shape for name, v in self.items()})


class ModelBase(_ModelBase):
    """`minpy.models.ModelBase`, with what solvers and programs for minpy 0.3.4 use besides.

    Parameters have the settings that were given and no others in `param_configs`, so that a
    solver's rules hold for the rest; a parameter that isn't trained may start without a value,
    and is then what the forward pass first sets it to; ``model.params = {…}`` sets values.

    Examples
    --------
    >>> model = ModelBase()
    >>> model.add_param('w', (2, 3), init_rule='gaussian').add_aux_param('mean', None).name
    'model_base'
    >>> model.param_configs
    {'w': {'shape': (2, 3), 'init_rule': 'gaussian'}}
    """

    def __init__(self, **kwargs: Any) -> None:
        object.__setattr__(self, "_without_value", set())
        super().__init__(**kwargs)
        self.aux_params = _AuxParams(self)
        self.aux_param_configs: dict[str, Any] = {}

    @property
    def params(self) -> Any:
        """The trained parameters, name → array; setting it to a dict sets their values."""
        return self.__dict__["_by_name"]

    @params.setter
    def params(self, values: Mapping[str, Any]) -> None:
        stored = self.__dict__.get("_by_name")
        if stored is None:
            self.__dict__["_by_name"] = values
            return
        unknown = set(values) - set(stored)
        if unknown:
            raise ParamsNameNotFoundError(f"no parameter {sorted(unknown)[0]!r}")
        for name, value in values.items():
            stored[name] = value

    def add_param(self, name: str, shape: Any, **settings: Any) -> ModelBase:
        """Declare a parameter that is trained; see `minpy.models.ModelBase.add_param`.

        Parameters
        ----------
        name, shape
            Key in `params`, and length of each axis.
        settings
            ``init_rule`` and ``init_config``, and any others for the program's own use: they are
            in `param_configs`.
        """
        rules = {k: settings[k] for k in ("init_rule", "init_config") if k in settings}
        super().add_param(name, shape, **rules)
        self.param_configs[name] = {"shape": self._params[name].shape, **settings}
        return self

    def add_aux_param(self, name: str, value: Any = None) -> ModelBase:
        """Declare a parameter that isn't trained, without a value if it is None."""
        if name in self._without_value:
            raise ValueError(f"{self.name}: a parameter named {name!r} exists already")
        if value is None:
            self._check_new(name)
            self._without_value.add(name)
        else:
            super().add_aux_param(name, value)
        self.aux_param_configs[name] = value
        return self

    # --- batches with several inputs or labels --------------------------------------------------

    def forward_batch(self, batch: Any, mode: str) -> Any:
        """Compute the output for a batch of an iterator: by default for its first array."""
        return self.forward(batch.data[0], mode)

    def loss_batch(self, batch: Any, forward_outputs: Any) -> Any:
        """Return the loss of a batch of an iterator: by default for its first labels."""
        return self.loss(forward_outputs, batch.label[0])

    # --- fit ------------------------------------------------------------------------------------

    def _ready(self, x: Any) -> None:
        if self._without_value:
            # A graph is made of what the model has: let the forward pass say what is missing.
            with random.scope(0, 0):
                self.call(map_leaves(as_ndarray, x), training=True)
        super()._ready(x)
