"""``minpy.nn.model_builder`` of minpy 0.3.4: models of modules that find their shapes when called.

A module stands in a model as an attribute; its parameters are the model's, named after it, and are
made at its first call. ``model(data, labels=labels)`` returns the loss, ``model.backward()`` its
gradients by name, and an `Updater` applies them. New programs write `minpy.models.Model`.
"""

from __future__ import annotations

import collections
import copy
import functools
import importlib
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import minpy.numpy as np
from minpy.array import as_ndarray, ndarray
from minpy.autograd.containers import flatten, map_leaves
from minpy.autograd.reverse import record
from minpy.layers.parameter import bound
from minpy.nn import init, layers, optim
from minpy.nn.model import ModelBase
from minpy.primitives import registry

__all__ = ["Add", "Container", "Layer", "Model", "Module", "Mul", "Sequential", "Sub", "Updater"]

_counts: dict[str, int] = collections.Counter()

# Part of a parameter's name → how it starts.
_STARTS = (
    ("weight", {"init_rule": "xavier"}),
    ("gamma", {"init_rule": "constant", "value": 1}),
    ("moving_var", {"init_rule": "constant", "value": 1}),
    ("running_var", {"init_rule": "constant", "value": 1}),
)


class Module:
    """A part of a model.

    Parameters
    ----------
    name
        Its name, which has to be the only one of its kind in a model; made of the class's by
        default.
    """

    _module_name: str | None = None

    def __init__(self, name: str | None = None) -> None:
        if name is None:
            kind = self._module_name or type(self).__name__.lower()
            name = f"{kind}{_counts[kind]}"
            _counts[kind] += 1
        self._name = name

    @property
    def name(self) -> str:
        """Its name."""
        return self._name

    def __repr__(self) -> str:
        return self._name

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output."""
        return self.forward(*args, **kwargs)

    def __add__(self, other: Module) -> Module:
        return Add(self, other)

    def __sub__(self, other: Module) -> Module:
        return Sub(self, other)

    def __mul__(self, other: Module) -> Module:
        return Mul(self, other)

    def _modules_inside(self) -> Iterable[Module]:
        return ()

    def _affiliate_to(self, model: Model) -> None:
        for module in self._modules_inside():
            module._affiliate_to(model)

    def training(self) -> None:
        """Behave as in training from now on."""
        for module in self._modules_inside():
            module.training()

    def inference(self) -> None:
        """Behave as in inference from now on."""
        for module in self._modules_inside():
            module.inference()


class Container(Module):
    """A module of modules."""


class Sequential(Container):
    """Modules one after another; a tuple that one returns is the next one's arguments."""

    _module_name = "sequential"

    def __init__(self, *args: Module, **kwargs: Any) -> None:
        super().__init__(kwargs.get("name"))
        for module in args:
            self._check(module)
        self._modules = list(args)

    @staticmethod
    def _check(module: Any) -> None:
        if not isinstance(module, Module):
            raise TypeError(f"Sequential: expected modules, got {module!r}")

    def __iter__(self) -> Any:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)

    def __repr__(self) -> str:
        return repr(self._modules)

    def append(self, module: Module) -> None:
        """Add a module at the end."""
        self._check(module)
        self._modules.append(module)

    def insert(self, index: int, module: Module) -> None:
        """Add a module at a place."""
        self._check(module)
        self._modules.insert(index, module)

    def pop(self, index: int = -1) -> Module:
        """Take a module out."""
        return self._modules.pop(index)

    def reverse(self) -> None:
        """Turn the order round."""
        self._modules.reverse()

    def _modules_inside(self) -> Iterable[Module]:
        return self._modules

    def forward(self, *args: Any) -> Any:
        """Compute the last module's output."""
        for module in self._modules:
            result = module(*args)
            args = result if isinstance(result, tuple) else (result,)
        return args[0] if len(args) == 1 else args


class Parallel(Container):
    """Modules on the same input, and what becomes of their outputs."""

    operator: Callable[[Any, Any], Any]

    def __init__(self, *modules: Module, name: str | None = None) -> None:
        super().__init__(name)
        if len(modules) < 2:
            raise TypeError(f"{type(self).__name__}: expected two modules or more")
        self._parts = modules

    def __repr__(self) -> str:
        return f" {self._module_name} ".join(map(str, self._parts))

    def _modules_inside(self) -> Iterable[Module]:
        return self._parts

    def forward(self, X: Any) -> Any:
        """Compute all and combine them, from left to right."""
        return functools.reduce(type(self).operator, [module(X) for module in self._parts])


class Add(Parallel):
    """The sum of modules' outputs."""

    _module_name = "add"
    operator = operator.add


class Sub(Parallel):
    """The difference of two modules' outputs."""

    _module_name = "sub"
    operator = operator.sub


class Mul(Parallel):
    """The product of two modules' outputs, element by element."""

    _module_name = "mul"
    operator = operator.mul


class Layer(Module):
    """A module with parameters.

    A subclass calls ``__init__`` with the names of its parameters, defines `param_shapes`, and
    reads values by `_get_param` in `forward`. ``self.weight`` is then the name that the parameter
    ``'weight'`` has in the model.

    Parameters
    ----------
    params
        Names of the parameters that are trained.
    aux_params
        Names of those that aren't.
    name
        See `Module`.
    """

    def __init__(
        self,
        params: Iterable[str] | None = None,
        aux_params: Iterable[str] | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        self._module_param_names = tuple(params or ())
        self._module_aux_param_names = tuple(aux_params or ())
        self._param_names = self._assign_param_names(*self._module_param_names)
        self._aux_param_names = self._assign_param_names(*self._module_aux_param_names)
        for local, known in zip(self._module_param_names, self._param_names, strict=True):
            setattr(self, local, known)
        for local, known in zip(self._module_aux_param_names, self._aux_param_names, strict=True):
            setattr(self, f"_{local}", known)
        self._model: Model | None = None
        self._mode = "training"
        every = (*self._param_names, *self._aux_param_names)
        self._init_configs = {known: self._start_of(known) for known in every}
        self._update_configs: dict[str, dict[str, Any]] = {k: {} for k in self._param_names}
        self._initialized = False

    @staticmethod
    def _start_of(name: str) -> dict[str, Any]:
        for part, config in _STARTS:
            if part in name:
                return dict(config)
        return {"init_rule": "constant", "value": 0}

    def _assign_param_names(self, *params: str) -> tuple[str, ...]:
        return tuple(f"{self._name}_{param}" for param in params)

    def _affiliate_to(self, model: Model) -> None:
        self._model = model
        model._update_configs.update(self._update_configs)
        model._affiliated.append(self)

    # --- settings of parameters -----------------------------------------------------------------

    def _parse_param_configs(self, configs: Mapping | None) -> dict[str, Any]:
        """Return settings by the names that parameters have in the model.

        A key is a parameter's name in the layer or in the model, a tuple of them, or a setting that
        holds for all.
        """
        known = dict(
            zip(
                (*self._module_param_names, *self._module_aux_param_names),
                (*self._param_names, *self._aux_param_names),
                strict=True,
            )
        )
        parsed = {}
        for key, value in (configs or {}).items():
            for name in key if isinstance(key, tuple) else (key,):
                parsed[known.get(name, name)] = value
        return parsed

    def _register(self, configs: dict[str, dict], given: Mapping | None) -> None:
        given = self._parse_param_configs(given)
        for key, value in given.items():
            if key not in configs:
                for config in configs.values():
                    config[key] = value
        for key, value in given.items():  # what is said of one parameter wins
            if key in configs:
                configs[key].update(value)

    def _register_init_configs(self, init_configs: Mapping | None) -> None:
        self._register(self._init_configs, init_configs)

    def _register_update_configs(self, update_configs: Mapping | None) -> None:
        self._register(self._update_configs, update_configs)

    # --- parameters -----------------------------------------------------------------------------

    def param_shapes(self, *args: Any, **kwargs: Any) -> dict[str, tuple]:
        """Return the shapes of the parameters, by their names in the model, for input shapes."""
        return {}

    def aux_param_shapes(self, *args: Any, **kwargs: Any) -> dict[str, tuple]:
        """Return the shapes of the parameters that aren't trained."""
        return {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Make the parameters if they aren't there, and compute the output."""
        if self._model is None:
            if not self._init_configs:  # without parameters it needs no model
                return self.forward(*args, **kwargs)
            raise RuntimeError(f"{self}: a layer is called after it became a model's attribute")
        if not self._initialized:
            shapes = tuple(a.shape for a in args if hasattr(a, "shape"))
            named = {k: a.shape for k, a in kwargs.items() if hasattr(a, "shape")}
            for name, shape in self.param_shapes(*shapes, **named).items():
                self._model._make_param(name, shape, self._init_configs[name])
            for name, shape in self.aux_param_shapes(*shapes, **named).items():
                self._model._make_aux_param(name, shape, self._init_configs[name])
            self._initialized = True
        return self.forward(*args, **kwargs)

    def _get_param(self, name: str) -> Any:
        return self._model.params[name]

    def _get_params(self, *names: str) -> tuple:
        return tuple(self._model.params[name] for name in names)

    def _get_aux_param(self, name: str) -> Any:
        return self._model.aux_params[name]

    def _get_aux_params(self, *names: str) -> tuple:
        return tuple(self._model.aux_params[name] for name in names)

    @property
    def param_dict(self) -> dict[str, Any]:
        """The trained parameters by their names in the model."""
        return dict(zip(self._param_names, self._get_params(*self._param_names), strict=True))

    @property
    def aux_param_dict(self) -> dict[str, Any]:
        """The other parameters by their names in the model."""
        names = self._aux_param_names
        return dict(zip(names, self._get_aux_params(*names), strict=True))

    def training(self) -> None:
        """Behave as in training from now on."""
        self._mode = "training"

    def inference(self) -> None:
        """Behave as in inference from now on."""
        self._mode = "inference"


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
            Keyword arguments of ``forward``, which gets ``mode='training'`` too.
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


class _Settings:
    """One parameter's settings as attributes."""

    def __init__(self, config: dict[str, Any]) -> None:
        object.__setattr__(self, "_config", config)

    def __getattr__(self, name: str) -> Any:
        try:
            return self._config[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self._config[name] = value


class Updater:
    """Applies gradients to a model's parameters by a rule of `minpy.nn.optim`.

    Parameters
    ----------
    model
        A `Model`.
    kwargs
        ``update_rule`` and its settings, for all parameters. Later they are attributes:
        ``updater.learning_rate *= 0.1``, and for one parameter ``updater['name'].learning_rate``.

    Examples
    --------
    >>> from minpy.nn import modules
    >>> model = Model()
    >>> model.b = modules.Variable((2,), name='b2')
    >>> updater = Updater(model, update_rule='sgd', learning_rate=0.5)
    >>> updater.learning_rate
    0.5
    """

    def __init__(self, model: Model, **kwargs: Any) -> None:
        object.__setattr__(self, "_model", model)
        object.__setattr__(self, "_configs", copy.deepcopy(model._update_configs))
        for name, value in kwargs.items():
            setattr(self, name, value)

    def __getattr__(self, name: str) -> Any:
        found = [config[name] for config in self._configs.values() if name in config]
        if not found:
            raise AttributeError(f"no parameter has the setting {name!r}")
        if any(value != found[0] for value in found):
            raise AttributeError(f"parameters differ in {name!r}; ask for one: updater['name']")
        return found[0]

    def __setattr__(self, name: str, value: Any) -> None:
        for config in self._configs.values():
            config[name] = value

    def __getitem__(self, name: str) -> _Settings:
        return _Settings(self._configs[name])

    def __setitem__(self, name: str, config: dict[str, Any]) -> None:
        self._configs[name] = dict(config)

    def keys(self) -> Any:
        """Return the parameters' names."""
        return self._configs.keys()

    def values(self) -> Any:
        """Return the parameters' settings."""
        return self._configs.values()

    def items(self) -> Any:
        """Return names and settings."""
        return self._configs.items()

    def __call__(self, grad_dict: Mapping[str, Any]) -> None:
        """Update the parameters that there are gradients for."""
        for name, g in grad_dict.items():
            config = self._configs[name]
            rule = config.get("update_rule")
            if rule not in optim.__all__:
                raise ValueError(
                    f"Updater: expected an update_rule among {', '.join(optim.__all__)} for "
                    f"{name}, got {rule!r}"
                )
            params = self._model.params
            params[name], self._configs[name] = getattr(optim, rule)(params[name], g, config)
