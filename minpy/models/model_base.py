"""The original minpy's model: parameters by name, a forward pass, a loss.

Names and signatures are those of minpy 0.3.4; training, saving and callbacks are `Model`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

import numpy

from minpy import initializers
from minpy.array import ndarray
from minpy.layers.layer import _AUTOMATIC
from minpy.layers.parameter import Parameter
from minpy.models.model import Model

__all__ = ["ModelBase"]


class _ByName(MutableMapping):
    """Parameters as a dict of arrays: reading gives the array, writing sets the value."""

    def __init__(self, parameters: dict[str, Parameter]) -> None:
        self._parameters = parameters

    def __getitem__(self, name: str) -> ndarray:
        return self._parameters[name].value

    def __setitem__(self, name: str, value: Any) -> None:
        if name not in self._parameters:
            raise KeyError(f"no parameter {name!r}; declare it with add_param or add_aux_param")
        self._parameters[name].update(value)

    def __delitem__(self, name: str) -> None:
        raise TypeError("a model's parameters can't be deleted")

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __len__(self) -> int:
        return len(self._parameters)

    def __repr__(self) -> str:
        return repr({name: p.shape for name, p in self._parameters.items()})


class ModelBase(Model):
    """A model written as a forward pass and a loss over named parameters.

    A subclass declares its parameters in ``__init__`` with `add_param`, and defines
    ``forward(X, mode)``, with mode ``'train'`` or ``'test'``, and ``loss(predict, y)``, which
    returns one number. ``fit`` then needs no ``compile``: it trains with Adam on that loss.

    Examples
    --------
    >>> import numpy
    >>> from minpy.models import ModelBase
    >>> from minpy.layers.functions import affine, l2_loss
    >>> class Line(ModelBase):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.add_param('w', (1, 1)).add_param('b', (1,))
    ...     def forward(self, X, mode):
    ...         return affine(X, self.params['w'], self.params['b'])
    ...     def loss(self, predict, y):
    ...         return l2_loss(predict, y)
    >>> x = numpy.linspace(-1, 1, 64).reshape(-1, 1)
    >>> history = Line().fit(x, 3 * x, epochs=2, verbose=0)
    >>> history.history['loss'][1] < history.history['loss'][0]
    True
    """

    def __init__(self, jit: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._params: dict[str, Parameter] = {}
        self._aux: dict[str, Parameter] = {}
        self.params = _ByName(self._params)
        self.aux_params = _ByName(self._aux)
        self.param_configs: dict[str, dict[str, Any]] = {}
        self.built = True

    def add_param(
        self,
        name: str,
        shape: Any,
        init_rule: Any = None,
        init_config: dict[str, Any] | None = None,
    ) -> ModelBase:
        """Declare a parameter that is trained.

        Parameters
        ----------
        name
            Key in `params`.
        shape
            Length of each axis.
        init_rule
            How it starts: a name such as ``'xavier'``, ``'gaussian'``, ``'uniform'``,
            ``'constant'``, any of Keras' initializers, or an object. By default ``'xavier'`` for
            matrices and zeros for vectors.
        init_config
            Arguments of the rule, ``{'stdvar': 0.01}``.

        Returns
        -------
        ModelBase
            The model, so that calls can be chained.

        Raises
        ------
        ValueError
            If the name is taken.
        """
        self._check_new(name)
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        if init_rule is None:
            init_rule = "xavier" if len(shape) > 1 else "zeros"
        rule = initializers.get_rule(init_rule, init_config)
        parameter = self.add_weight(name, shape, rule)
        self._params[name] = self._parameters[name] = parameter
        self.param_configs[name] = {
            "shape": shape,
            "init_rule": init_rule,
            "init_config": init_config,
        }
        return self

    def add_aux_param(self, name: str, value: Any) -> ModelBase:
        """Declare a parameter that is not trained, such as a running mean.

        Parameters
        ----------
        name
            Key in `aux_params`.
        value
            What it starts as.

        Returns
        -------
        ModelBase
            The model, so that calls can be chained.
        """
        self._check_new(name)
        array = numpy.array(value, dtype=self.__dict__["dtype"])
        self._aux[name] = self._parameters[name] = Parameter(name, array, trainable=False)
        return self

    def add_params(self, configs: dict[str, dict[str, Any]]) -> ModelBase:
        """Declare several parameters, name → arguments of `add_param`."""
        for name, config in configs.items():
            self.add_param(name, **config)
        return self

    def add_aux_params(self, values: dict[str, Any]) -> ModelBase:
        """Declare several parameters that are not trained, name → value."""
        for name, value in values.items():
            self.add_aux_param(name, value)
        return self

    def _check_new(self, name: str) -> None:
        if not isinstance(name, str) or not name:
            raise ValueError(f"{self.name}: expected a parameter name, got {name!r}")
        if name in self._params or name in self._aux:
            raise ValueError(f"{self.name}: a parameter named {name!r} exists already")

    # --- what a subclass says -------------------------------------------------------------------

    def forward(self, X: Any, mode: str) -> Any:
        """Compute the output for a batch; `mode` is ``'train'`` or ``'test'``."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(X, mode)")

    def loss(self, predict: Any, y: Any) -> Any:
        """Return the loss of a batch, one number."""
        raise NotImplementedError(
            f"{type(self).__name__} has no loss(predict, y), and none was given to compile"
        )

    # --- how the training loop sees it ----------------------------------------------------------

    def call(self, x: Any, training: bool = False) -> Any:
        """Compute the output."""
        return self.forward(x, "train" if training else "test")

    def _has_own_loss(self) -> bool:
        return type(self).loss is not ModelBase.loss

    def _compile_by_default(self) -> bool:
        if not self._has_own_loss():
            return False
        self.compile("adam")
        return True

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return the loss given to `compile`, or the model's own."""
        if self._loss is not None:
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        if sample_weight is not None:
            raise ValueError(
                f"{self.name}: loss(predict, y) returns one number, so samples can't be weighted; "
                "use compile(loss=…) with class_weight or sample_weight"
            )
        return self._with_terms(self.loss(y_pred, y))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal model: those that its class was called with."""
        return self._remembered_config()


_AUTOMATIC.add(ModelBase)
