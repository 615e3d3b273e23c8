"""What models of `minpy.nn.model_builder` are built of: modules, those inside others, layers.

It must not know how a model computes its loss or is trained.
"""

from __future__ import annotations

import collections
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

__all__ = [
    "Add",
    "Binary",
    "Container",
    "Layer",
    "Module",
    "Mul",
    "Parallel",
    "Sequential",
    "Sub",
]

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

    def _affiliate_to(self, model: Any) -> None:
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

    def param_shapes(self, input_shape: Any) -> dict[str, tuple]:
        """Return no shapes: the parameters are those of the modules inside."""
        return {}

    aux_param_shapes = param_shapes


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
    """A container whose modules get the same input; a subclass says which, and what follows."""


class Binary(Parallel):
    """Two modules on the same input, and an operation on their outputs.

    Parameters
    ----------
    left, right
        The modules.
    operator
        A function of two arrays, as `operator.truediv`.
    name
        See `Module`.

    Examples
    --------
    A subclass gives the operation a name, as `Add` does:

    >>> import operator
    >>> import minpy.numpy as np
    >>> from minpy.nn.model_builder import Binary
    >>> from minpy.nn.modules import Identity, ReLU
    >>> class Div(Binary):
    ...     _module_name = 'div'
    ...     def __init__(self, left, right, name=None):
    ...         super().__init__(left, right, operator.truediv, name)
    >>> Div(Identity('x'), ReLU('relu'))
    x div relu
    >>> Div(Identity(), ReLU())(np.array([2.0, 4.0]))
    array([1., 1.])
    """

    def __init__(
        self,
        left: Module,
        right: Module,
        operator: Callable[[Any, Any], Any],
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        for module in (left, right):
            if not isinstance(module, Module):
                raise TypeError(f"{type(self).__name__}: expected two modules, got {module!r}")
        if not callable(operator):
            raise TypeError(
                f"{type(self).__name__}: expected a function of two arrays, got {operator!r}"
            )
        self._left, self._right, self._operator = left, right, operator

    def __repr__(self) -> str:
        return f"{self._left} {self._module_name or self._name} {self._right}"

    def _modules_inside(self) -> Iterable[Module]:
        return (self._left, self._right)

    def forward(self, X: Any) -> Any:
        """Compute both, and the operation on what they return."""
        return self._operator(self._left(X), self._right(X))


class _Arithmetic(Binary):
    """An operation of Python's on two modules or more, from left to right."""

    _operation: Callable[[Any, Any], Any]

    def __init__(
        self, left: Any = None, right: Any = None, *more: Any, name: str | None = None
    ) -> None:
        if more and not isinstance(more[-1], Module):  # the name, by position
            *more, name = more
        for module in more:
            left, right = type(self)(left, right), module
        super().__init__(left, right, type(self)._operation, name)


class Add(_Arithmetic):
    """The sum of modules' outputs."""

    _module_name = "add"
    _operation = operator.add


class Sub(_Arithmetic):
    """The difference of modules' outputs."""

    _module_name = "sub"
    _operation = operator.sub


class Mul(_Arithmetic):
    """The product of modules' outputs, element by element."""

    _module_name = "mul"
    _operation = operator.mul


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
        self._model: Any = None
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

    def _affiliate_to(self, model: Any) -> None:
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
