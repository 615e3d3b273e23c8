"""``minpy.nn.model_builder`` of minpy 0.3.4: models of modules that find their shapes when called.

A module stands in a model as an attribute; its parameters are the model's, named after it, and are
made at its first call. ``model(data, labels=labels)`` returns the loss, ``model.backward()`` its
gradients by name, and an `Updater` applies them. New programs write `minpy.models.Model`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import minpy.numpy as np
from minpy.array import as_ndarray, ndarray
from minpy.autograd.containers import flatten, map_leaves
from minpy.autograd.reverse import record
from minpy.layers.parameter import bound
from minpy.nn import init, layers
from minpy.nn.builder_parts import (
    Add,
    Binary,
    Container,
    Layer,
    Module,
    Mul,
    Parallel,
    Sequential,
    Sub,
)
from minpy.nn.builder_updater import Updater
from minpy.nn.model import ModelBase
from minpy.primitives import registry

__all__ = [
    "Add",
    "Binary",
    "Container",
    "Layer",
    "Model",
    "Module",
    "Mul",
    "Parallel",
    "Sequential",
    "Sub",
    "Updater",
]


class Model(ModelBase):
    """A model of modules: those that become its attributes, also in lists and tuples.

    A subclass defines ``forward(*arrays, mode='training')``.

    Parameters
    ----------
    args
        Nothing, or the loss. Or, as up to minpy 0.3.3, a module, ``'l2'``, ``'softmax'``, ``'svm'``
        or a function as the loss, and the shape of a sample: ``Model(net, 'softmax', (3, 32, 32))``
        is that module, without a subclass.
    loss
        A function of the predictions and the labels, or the name of one in `minpy.nn.layers`. A
        subclass may define ``loss`` instead.

    Notes
    -----
    Once its parameters are there, after one call, the model can be trained by ``fit`` too.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.nn import modules
    >>> class Net(Model):
    ...     def __init__(self):
    ...         super().__init__(loss='l2_loss')
    ...         self.bias = modules.Variable((2,), name='b')
    ...     def forward(self, X, mode='training'):
    ...         return X + self.bias()
    >>> model = Net()
    >>> model(np.ones((4, 2)), labels=np.zeros((4, 2)))
    array(2.)
    >>> model.backward()
    {'b_variable': array([2., 2.])}
    """

    def __init__(self, *args: Any, loss: Any = None) -> None:
        container, loss, input_shape = _told(args, loss)
        for name, value in {
            "_update_configs": {},
            "_affiliated": [],
            "_registered": {},
            "_attached": set(),
            "_detached": set(),
            "_recorded": None,
        }.items():
            object.__setattr__(self, name, value)
        super().__init__()
        self._given_loss = getattr(layers, loss) if isinstance(loss, str) else loss
        self.container = container
        if container is not None:
            self.inference()
            container(np.zeros((1, *input_shape)))  # makes the parameters

    def __setattr__(self, name: str, value: Any) -> None:
        self._find_modules(value)
        super().__setattr__(name, value)

    def _find_modules(self, value: Any) -> None:
        if isinstance(value, Module):
            known = self._registered.get(value.name)
            if known is value:
                return
            if known is not None:
                raise ValueError(f"there are two modules named {value.name!r}; pass name=")
            self._registered[value.name] = value
            value._affiliate_to(self)
        elif isinstance(value, list | tuple | set):
            for part in value:
                self._find_modules(part)

    # --- parameters -----------------------------------------------------------------------------

    def _make_param(self, name: str, shape: tuple, config: dict[str, Any]) -> None:
        if name not in self._params:  # else it was loaded
            super().add_param(name, shape)
            rule = config["init_rule"]
            self.params[name] = init.find_rule(rule)(shape, config)
            settings = {k: v for k, v in config.items() if k != "init_rule"}
            self.param_configs[name].update(init_rule=rule, init_config=settings)

    def _make_aux_param(self, name: str, shape: tuple, config: dict[str, Any]) -> None:
        if name not in self._aux:
            value = init.find_rule(config["init_rule"])(shape, config)
            super().add_aux_param(name, value.asnumpy())

    def add_param(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse: a built model's parameters are its modules'; `modules.Variable` is one."""
        raise NotImplementedError(
            "a built model's parameters are those of its modules; for a parameter alone use "
            "minpy.nn.modules.Variable"
        )

    add_params = add_aux_param = add_param

    def _is_complete(self) -> bool:
        return all(layer._initialized for layer in self._affiliated)

    # --- calling --------------------------------------------------------------------------------

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the predictions."""
        if self.container is None:
            raise NotImplementedError(f"{type(self).__name__} has no forward")
        return self._run_container(*args, **kwargs)

    def _run_container(self, X: Any, mode: str = "training") -> Any:
        (self.training if mode in ("train", "training") else self.inference)()
        return self.container(X)

    def loss(self, *args: Any) -> Any:
        """Return the loss of predictions and labels."""
        if self._given_loss is None:
            raise NotImplementedError(f"{type(self).__name__} has no loss; pass loss=")
        return self._given_loss(*args)

    def _has_loss(self) -> bool:
        return self._given_loss is not None or type(self).loss is not Model.loss

    def _has_own_loss(self) -> bool:
        return self._has_loss()

    def call(self, x: Any, training: bool = False) -> Any:
        """Compute the predictions, as ``fit`` and ``predict`` ask for them."""
        mode = "training" if training else "inference"
        getattr(self, mode)()
        return self.forward(x, mode=mode)

    def _ready(self, x: Any) -> None:
        if not self._is_complete():
            self.call(map_leaves(as_ndarray, x), training=True)
        super()._ready(x)

    def __call__(
        self,
        forward_args: Any = None,
        forward_kwargs: dict[str, Any] | None = None,
        labels: Any = None,
        loss_kwargs: dict[str, Any] | None = None,
        forward: Callable[..., Any] | None = None,
        loss: Any = None,
        attach_all: bool = True,
        reduce_array: bool = False,
        training: bool | None = None,
    ) -> Any:
        """Compute the loss, and keep what `backward` needs.

        Parameters
        ----------
        forward_args
            An array, or a tuple of them.
        forward_kwargs
            Keyword arguments of ``forward``, which gets ``mode='training'`` too; or, where it is
            no dict and `labels` isn't given, the labels.
        labels
            An array, or a tuple of them.
        loss_kwargs
            Keyword arguments of the loss.
        forward, loss
            Instead of the model's own.
        attach_all
            Whether all parameters get gradients, or those given to `attach`.
        reduce_array
            Whether to return a float for an array of one element.
        training
            Given by ``fit``: compute predictions alone.

        Returns
        -------
        ndarray
            The loss, or the predictions of a model without one.
        """
        if training is not None:
            return super().__call__(forward_args, training=training)
        args = _tuple(forward_args)
        if labels is None and not isinstance(forward_kwargs, dict | None):
            forward_kwargs, labels = None, forward_kwargs
        kwargs = {**(forward_kwargs or {}), "mode": "training"}
        forward = self.forward if forward is None else forward
        loss = getattr(layers, loss) if isinstance(loss, str) else loss
        if loss is None and self._has_loss():
            loss = self.loss

        def compute() -> Any:
            predictions = forward(*args, **kwargs)
            if loss is None:
                return predictions
            return loss(*_tuple(predictions), *_tuple(labels), **(loss_kwargs or {}))

        if not self._is_complete():
            compute()  # makes the parameters
        wanted = set(self._params) if attach_all else self._attached
        chosen = [k for k in self._params if k in wanted and k not in self._detached]
        parameters = [self._params[k] for k in chosen]
        unflatten: list[Any] = []

        def run(tracked: list[ndarray]) -> list[ndarray]:
            with bound(parameters, tracked):
                leaves, back = flatten(compute())
            unflatten.append(back)
            return [as_ndarray(leaf) for leaf in leaves]

        outputs, tape = record(run, [p.value for p in parameters])
        object.__setattr__(self, "_recorded", (chosen, parameters, outputs, tape))
        if reduce_array:
            return unflatten[0]([float(o) if o.size == 1 else o for o in outputs])
        return unflatten[0](outputs)

    def backward(self, upstream: Any = None) -> dict[str, ndarray]:
        """Return the gradients of the last call by the parameters' names.

        Parameters
        ----------
        upstream
            The gradient of the result, or a tuple of them; ones by default.
        """
        if self._recorded is None:
            raise RuntimeError("backward: call the model first")
        names, parameters, outputs, tape = self._recorded
        if upstream is None:
            given = [registry["ones_like"](out) for out in outputs]
        else:
            given = [as_ndarray(g) for g in _tuple(upstream)]
        zeros = registry["zeros_like"]
        return {
            name: zeros(p.value) if g is None else g
            for name, p, g in zip(names, parameters, tape.back(given), strict=True)
        }

    def grad_and_loss(self, data: Any, labels: Any) -> tuple[dict[str, ndarray], Any]:
        """Return the gradients by name, and the loss."""
        loss = self(data, labels=labels)
        return self.backward(), loss

    def attach(self, name: str, array: Any = None) -> Model:
        """Give a parameter a gradient: one of few with ``attach_all=False``, or one detached."""
        self._check_known(name)
        self._attached.add(name)
        self._detached.discard(name)
        return self

    def detach(self, name: str) -> Model:
        """Give a parameter no gradient from the next call on."""
        self._check_known(name)
        self._detached.add(name)
        return self

    def _check_known(self, name: str) -> None:
        if name not in self._params:
            raise KeyError(f"no parameter {name!r}; there are {', '.join(self._params)}")

    def training(self) -> None:
        """Let all modules behave as in training."""
        for module in self._registered.values():
            module.training()

    def inference(self) -> None:
        """Let all modules behave as in inference."""
        for module in self._registered.values():
            module.inference()


def _told(args: tuple, loss: Any) -> tuple[Module | None, Any, tuple]:
    """Return the module, the loss and the shape of a sample that a model was made of."""
    if args and isinstance(args[0], Module):
        if len(args) != 3:
            raise TypeError("Model: expected Model(module, loss, shape of a sample)")
        container, loss, shape = args
        if loss in ("l2", "softmax", "svm"):
            loss = f"{loss}_loss"
        return container, loss, (shape,) if isinstance(shape, int) else tuple(shape)
    if len(args) > 1:
        raise TypeError("Model: expected Model(loss) or Model(module, loss, shape of a sample)")
    return None, args[0] if args else loss, ()


def _tuple(value: Any) -> tuple:
    if value is None:
        return ()
    return value if isinstance(value, tuple) else (value,)


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(name)
    earlier = importlib.import_module("minpy.nn.builder_layers")
    if name in earlier.__all__:
        return getattr(earlier, name)
    raise AttributeError(f"module 'minpy.nn.model_builder' has no attribute {name!r}")
