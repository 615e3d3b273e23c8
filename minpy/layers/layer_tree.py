"""Layers inside layers, and the weights of all of them: found as attributes, named by their paths.

It must not know what a layer computes, nor how it is called.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from typing import Any

import numpy

from minpy import constraints, initializers, regularizers
from minpy.by_name import snake_case
from minpy.errors import ShapeError
from minpy.layers.parameter import Parameter, Variable, structure
from minpy.layers.tracking import leaves_by_key, tracked

__all__ = ["LayerTree", "unique_names"]


# Layers are numbered as they are made: names that a model gives follow that order.
_count = itertools.count()


def unique_names(layers: list[LayerTree]) -> list[tuple[str, LayerTree]]:
    """Return layers with their names, numbered where a name occurs more than once."""
    taken = {layer.name for layer in layers}
    used: set[str] = set()
    named = []
    for layer in layers:
        name, number = layer.name, 0
        while name in used or (number and name in taken):
            number += 1
            name = f"{layer.name}_{number}"
        used.add(name)
        named.append((name, layer))
    return named


class _Members(dict):
    """The weights or the inner layers of a layer; each change to one is counted in `structure`."""

    def __setitem__(self, name: str, value: Any) -> None:
        structure.version += 1
        super().__setitem__(name, value)

    def __delitem__(self, name: str) -> None:
        structure.version += 1
        super().__delitem__(name)

    def pop(self, name: str, *default: Any) -> Any:
        structure.version += 1
        return super().pop(name, *default)

    def setdefault(self, name: str, default: Any = None) -> Any:
        structure.version += 1
        return super().setdefault(name, default)


# By place, where the name comes first.
_NAME_FIRST = ("name", "shape", "initializer", "dtype", "trainable", "regularizer", "constraint")


def _name_may_come_first(add_weight: Any) -> Any:
    """Return an ``add_weight`` that takes ``name, shape, …`` by place besides ``shape, …``."""

    @functools.wraps(add_weight)
    def taking(self: LayerTree, *args: Any, **options: Any) -> Parameter:
        named = args and isinstance(args[0], str)
        if named or (len(args) > 1 and args[0] is None and isinstance(args[1], int | tuple | list)):
            given = dict(zip(_NAME_FIRST, args, strict=False))
            twice = given.keys() & options.keys()
            if twice or len(args) > len(_NAME_FIRST):
                raise TypeError(
                    f"{self}: add_weight got {', '.join(sorted(twice)) or 'too much'} by place"
                    + (" and by name" if twice else f"; the last is {_NAME_FIRST[-1]!r}")
                )
            return add_weight(self, **given, **options)
        return add_weight(self, *args, **options)

    return taking


class LayerTree:
    """Something with weights, and things of its kind inside: what is an attribute belongs to it."""

    # Whether it was set to train by itself: it does then inside something that doesn't, too.
    _thawed = False

    def _prepare(self) -> None:
        """Make the containers; a subclass may set attributes before it calls ``__init__``."""
        if "_parameters" not in self.__dict__:
            object.__setattr__(self, "_parameters", _Members())
            object.__setattr__(self, "_sublayers", _Members())
            self.__dict__.setdefault("_trainable", True)
            self.__dict__.setdefault("_named", False)
            self.__dict__.setdefault("name", snake_case(type(self).__name__))
            self.built = False
            object.__setattr__(self, "_created", next(_count))

    # --- attributes -----------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Parameter):
            self._prepare()
            self._name_weight(name, value)
            self._parameters[name] = value
            self.__dict__.pop(name, None)
            return
        own = self.__dict__.get("_parameters")
        if own is not None and name in own and isinstance(value, LayerTree):
            self._make_way(name)
        elif own is not None and name in own:
            if value is None:
                del own[name]
            else:
                own[name].update(value)
                return
        if isinstance(value, LayerTree):
            self._prepare()
            self._sublayers[name] = value
            if not value._named:
                value.name, value._named = name.lstrip("_"), True
        elif isinstance(value, list | tuple | dict) and _may_hold_layers(value):
            self._prepare()
            # Layers may be put into it later.
            value = tracked(value, functools.partial(self._track, name))
            object.__setattr__(self, name, value)
            self._track(name)
            return
        object.__setattr__(self, name, value)

    def _make_way(self, name: str) -> None:
        """Let a weight whose name is that of an attribute to come keep the name, not the place."""
        weights = dict(self._parameters)
        elsewhere = any(key != name and w is weights[name] for key, w in weights.items())
        self._parameters.clear()
        for key, weight in weights.items():
            if key != name:
                self._parameters[key] = weight
            elif not elsewhere:
                self._parameters[f"{name}."] = weight  # which no attribute is called

    def _track(self, name: str) -> None:
        """Know the layers that lie in a list, tuple or dict, an attribute of this name."""
        found = dict(leaves_by_key(self.__dict__.get(name), LayerTree, name))
        for key in [k for k in self._sublayers if k.startswith(f"{name}.") and k not in found]:
            del self._sublayers[key]
        for key, layer in found.items():
            if self._sublayers.get(key) is not layer:
                self._sublayers[key] = layer
            if not layer._named:
                layer.name, layer._named = key.lstrip("_").replace(".", "_"), True

    def _name_weight(self, name: str, parameter: Parameter) -> None:
        """Name a weight that was made without a name after the attribute that holds it."""
        if isinstance(parameter, Variable) and parameter.unnamed:
            parameter.name, parameter.unnamed = name.lstrip("_"), False
            return
        unnamed = self.__dict__.get("_unnamed", ())
        if any(parameter is one for one in unnamed):
            taken = {p.name for p in self._parameters.values() if p is not parameter}
            if name.lstrip("_") not in taken:
                self._parameters.pop(parameter.name, None)
                parameter.name = name.lstrip("_")
            self.__dict__["_unnamed"] = [one for one in unnamed if one is not parameter]

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
        self._track(name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    # --- weights --------------------------------------------------------------------------------

    @_name_may_come_first
    def add_weight(
        self,
        shape: Any = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        aggregation: str = "none",
        name: str | None = None,
        *,
        fans: tuple[int, int] | None = None,
        transposed: bool = False,
    ) -> Parameter:
        """Make a weight.

        Parameters
        ----------
        shape
            Length of each axis. The name may come before it: ``add_weight('kernel', (3, 4))``.
        initializer
            A name, an `Initializer`, or a function of shape and dtype; ``'glorot_uniform'``, or
            zeros of integers and booleans, if not given.
        dtype
            Element type; the layer's if not given.
        trainable
            Whether the optimizer changes it.
        regularizer, constraint
            Names or functions of the value.
        autocast, aggregation
            Kept for Keras' sake: what is computed has the weight's dtype, and there are no replicas
            whose weights would become one.
        name
            Unique in the layer; that of the attribute which holds it, if not given.
        fans
            Fan-in and fan-out, where the shape alone doesn't tell.
        transposed
            Whether a matrix lies in memory by columns; see `Parameter`.

        Raises
        ------
        ShapeError
            If an axis has a negative length.
        ValueError
            If the layer is being called.
        """
        self._prepare()
        self._check_may_add_weights()
        if shape is None:
            shape = ()
        if initializer is None:
            made = numpy.dtype(dtype or self.__dict__["dtype"])
            initializer = "glorot_uniform" if made.kind == "f" else "zeros"
        shape = (shape,) if isinstance(shape, int) else tuple(int(n) for n in shape)
        if any(n < 0 for n in shape):
            raise ShapeError(f"{self}: weight {name!r} can't have the shape {shape}")
        unnamed = name is None
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
        if unnamed:
            self.__dict__.setdefault("_unnamed", []).append(parameter)
        return parameter

    def _check_may_add_weights(self) -> None:
        """Raise ValueError where weights can't be made."""

    def add_variable(self, shape: Any, initializer: Any, *rest: Any, **options: Any) -> Parameter:
        """Make a weight: Keras' other name for `add_weight`."""
        names = ("dtype", "trainable", "autocast", "regularizer", "constraint", "name")
        given = dict(zip(names, rest, strict=False))
        return self.add_weight(shape=shape, initializer=initializer, **given, **options)

    def _owned(self, prefix: str = "") -> Iterator[tuple[str, Parameter, bool]]:
        """Give each weight in here once, with its path and whether it trains."""
        seen: set[int] = set()
        for path, parameter, trains in self._walk(prefix, True):
            if id(parameter) not in seen:
                seen.add(id(parameter))
                yield path, parameter, trains and self._trainable

    def _walk(self, prefix: str, trains: bool) -> Iterator[tuple[str, Parameter, bool]]:
        trains = self._trainable and (trains or self._thawed)
        met: set[int] = set()
        for parameter in self._parameters.values():
            if id(parameter) not in met:
                met.add(id(parameter))
                yield f"{prefix}{parameter.name}", parameter, trains and parameter.trainable
        for name, layer in self._named_children():
            yield from layer._walk(f"{prefix}{name}/", trains)

    def _named_children(self) -> list[tuple[str, LayerTree]]:
        """Return the layers directly inside this one, each once, by names that occur once."""
        return unique_names(self._children())

    def _children(self) -> list[LayerTree]:
        """Return the layers directly inside this one, each once."""
        return list({id(v): v for v in self._sublayers.values()}.values())

    def _all_inside(self) -> Iterator[LayerTree]:
        stack = self._children()
        while stack:
            layer = stack.pop()
            yield layer
            stack.extend(layer._children())

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

    # Keras' other names for them.
    trainable_variables = trainable_weights
    non_trainable_variables = non_trainable_weights

    @property
    def trainable(self) -> bool:
        """Whether an optimizer may change the weights."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = self._thawed = bool(value)
        structure.version += 1
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

    def save_own_variables(self, store: Any) -> None:
        """Write the layer's own weights, without those of layers inside, into a mapping.

        A layer with state that is no weight writes a method of this name, which puts arrays into
        the mapping under names of its choice, and a `load_own_variables`: files hold what they
        exchange, beside the weights.

        Parameters
        ----------
        store
            A dict, an HDF5 group or the like: ``store['0'] = array``.
        """
        for number, parameter in enumerate(self._own_weights()):
            store[str(number)] = parameter.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Read what `save_own_variables` wrote.

        Raises
        ------
        ShapeError
            If there are more or fewer arrays than weights, or one has another shape; nothing is
            changed then.
        """
        own = self._own_weights()
        if len(store) != len(own):
            raise ShapeError(
                f"{self.name}: expected {len(own)} arrays in the file, got {len(store)}: "
                f"{sorted(store)}"
            )
        given = [numpy.asarray(store[str(number)]) for number in range(len(own))]
        for parameter, value in zip(own, given, strict=True):
            if parameter.shape != value.shape:
                raise ShapeError(
                    f"weight {parameter.path!r}: expected shape {parameter.shape}, got "
                    f"{value.shape}"
                )
        for parameter, value in zip(own, given, strict=True):
            parameter.assign(value)

    def _own_weights(self) -> list[Parameter]:
        """Return the weights directly in here: those that train, then the others."""
        own = list({id(p): p for p in self._parameters.values()}.values())
        return sorted(own, key=lambda parameter: not parameter.trainable)

    def count_params(self) -> int:
        """Return the number of elements of all weights."""
        return sum(p.size for p in self.weights)


def _may_hold_layers(value: Any) -> bool:
    """Say whether there are layers in a list, tuple or dict, or may be later."""
    if not value:
        return type(value) in (list, dict)
    return any(True for _ in leaves_by_key(value, LayerTree, "")) or any(
        type(part) in (list, dict) and not part
        for part in (value.values() if isinstance(value, dict) else value)
    )
