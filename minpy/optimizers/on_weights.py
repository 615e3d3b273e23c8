"""Steps on weights that lie anywhere: gathered in one buffer, stepped, put back; knows no model.

This is how an optimizer is used without a model, or in a training step of one's own, and as Keras'
are: ``optimizer.apply_gradients(zip(gradients, weights))``.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy

from minpy.aligned import ALIGNMENT
from minpy.array import ndarray, numpy_value
from minpy.errors import ShapeError

__all__ = ["OnWeights", "StateVariable", "seen"]


class StateVariable:
    """A number or an array of an optimizer's state, seen where it lies.

    Attributes
    ----------
    name, path
        ``'kernel_velocity'``; with the optimizer's name before it.
    """

    def __init__(self, path: str, read: Any, write: Any) -> None:
        self.path = path
        self.name = path.rpartition("/")[2]
        self._read, self._write = read, write

    def numpy(self) -> numpy.ndarray:
        """Return a copy of the value."""
        return numpy.array(self._read())

    def assign(self, value: Any) -> None:
        """Set the value.

        Raises
        ------
        ShapeError
            If it has another shape.
        """
        given = _plain(value)
        if given.shape != self.shape:
            raise ShapeError(f"{self.path}: expected shape {self.shape}, got {given.shape}")
        self._write(given)

    @property
    def value(self) -> numpy.ndarray:
        """A copy of the value."""
        return self.numpy()

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return numpy.shape(self._read())

    @property
    def dtype(self) -> numpy.dtype:
        """Element type."""
        return numpy.asarray(self._read()).dtype

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> numpy.ndarray:
        return numpy.array(self._read(), dtype)

    def __eq__(self, other: Any) -> Any:
        return self.numpy() == _plain(other)

    __hash__ = object.__hash__

    def __float__(self) -> float:
        return float(self._read())

    def __int__(self) -> int:
        return int(self._read())

    def __repr__(self) -> str:
        return f"<StateVariable {self.path!r} {self.shape} {self.dtype}>"


class OnWeights:
    """What an optimizer does with weights instead of buffers; `Optimizer` has the rest."""

    # The weights whose slots there are, and where each lies in them.
    _weights: list[Any] | None = None
    _places: list[tuple] | None = None

    def hold(self, weights: Sequence[Any], places: Sequence[tuple]) -> None:
        """Say which weights the slots belong to, and the segment of each."""
        self._weights, self._places = list(weights), list(places)

    def build_for(self, weights: Iterable[Any]) -> None:
        """Make the slots of weights that lie anywhere.

        Raises
        ------
        TypeError
            If one isn't a weight, or they aren't of one dtype.
        ValueError
            If there are slots for other weights already.
        """
        weights = _checked(self, weights)
        if self._weights is not None and _same(self._weights, weights):
            return
        if self.built:
            raise ValueError(
                f"{self.name}: has slots for other weights already; call reset_slots() first, or "
                "make another optimizer"
            )
        dtypes = {str(w.dtype): w.path for w in weights}
        if len(dtypes) > 1:
            found = ", ".join(f"{dtype} ({path})" for dtype, path in dtypes.items())
            raise TypeError(f"{self.name}: weights must have one dtype, got {found}")
        if not weights:
            raise ValueError(f"{self.name}: expected weights, got none")
        if self._awaited is not None:  # they lie in a buffer already
            end, values, places = self._awaited
            self._make(end, weights[0].dtype, values, places)
            self.hold(weights, places)
            return
        places, end = [], 0
        step = max(1, ALIGNMENT // weights[0].dtype.itemsize)
        for w in weights:
            places.append((end, end + w.size, w.path, True, w.storage.shape))
            end += -(-w.size // step) * step
        values = _gathered(weights, places, end)
        make = self._make if self.has_own_update else self.build
        make(end, weights[0].dtype, values, places)
        self.hold(weights, places)

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Any]]) -> int:
        """Do a step with pairs of a gradient and its weight; return the steps done.

        Parameters
        ----------
        grads_and_vars
            ``zip(gradients, weights)``.

        Notes
        -----
        As `apply`.
        """
        pairs = list(grads_and_vars)
        if any(not isinstance(pair, list | tuple) or len(pair) != 2 for pair in pairs):
            raise TypeError(
                f"{self.name}: apply_gradients expected pairs of a gradient and a weight, "
                "zip(gradients, weights)"
            )
        self.apply([g for g, _ in pairs], [w for _, w in pairs])
        return self.iterations

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> None:
        """Do a step: change weights by their gradients.

        The first call makes the slots. In a model that was compiled with the optimizer they are the
        ones that `fit` uses.

        Parameters
        ----------
        grads
            Arrays of the weights' shapes; None leaves a weight as it is. They are of the loss times
            `loss_scale`.
        trainable_variables
            The weights: ``model.trainable_weights``. Those of the call before if not given. Some
            may be left out.

        Raises
        ------
        ShapeError
            If a gradient doesn't fit its weight; nothing is changed then.
        ValueError
            If there are no slots for a weight, or no gradient at all.

        Examples
        --------
        >>> import minpy.numpy as np
        >>> from minpy.layers import Dense
        >>> from minpy.optimizers import SGD
        >>> layer = Dense(1, kernel_initializer='ones', use_bias=False)
        >>> layer.build((None, 2))
        >>> optimizer = SGD(0.5)
        >>> optimizer.apply([np.array([[1.], [2.]])], layer.trainable_weights)
        >>> layer.kernel
        array([[0.5],
               [0. ]])
        """
        if isinstance(grads, numpy.ndarray | ndarray):
            raise TypeError(
                f"{self.name}: apply expected a list of gradients and one of weights, got an "
                "array; flat buffers are for step(weights, gradients)"
            )
        grads = list(grads)
        if trainable_variables is None:
            if self._weights is None:
                raise ValueError(
                    f"{self.name}: apply expected the weights too at the first call, "
                    "apply(gradients, weights)"
                )
            trainable_variables = self._weights
        weights = _checked(self, trainable_variables)
        if len(grads) != len(weights):
            raise ShapeError(
                f"{self.name}: expected as many gradients as weights, got {len(grads)} and "
                f"{len(weights)}"
            )
        plain = [None if g is None else _plain(g) for g in grads]
        for g, w in zip(plain, weights, strict=True):
            if g is not None and g.shape != w.shape:
                raise ShapeError(
                    f"{self.name}: the gradient of {w.path!r} has shape {g.shape}, the weight "
                    f"{w.shape}"
                )
        missing = [w.path for g, w in zip(plain, weights, strict=True) if g is None]
        if weights and len(missing) == len(weights):
            raise ValueError(
                f"{self.name}: no weight has a gradient; does the loss depend on them?"
            )
        if missing:
            warnings.warn(
                f"{self.name}: there is no gradient of {', '.join(missing)}, left as they are",
                stacklevel=2,
            )
        if self._weights is None:
            (self.build if self.has_own_update else self.build_for)(weights)
        known = {id(w) for w in self._weights}
        others = [w.path for w in weights if id(w) not in known]
        if others:
            raise ValueError(
                f"{self.name}: has no slots for {', '.join(others)}; build(weights) with all "
                "weights first, or make another optimizer"
            )
        pairs = zip(weights, plain, strict=True)
        self._step_on({id(w): g for w, g in pairs if g is not None})

    def stateless_apply(
        self,
        optimizer_variables: Sequence[Any],
        grads: Sequence[Any],
        trainable_variables: Sequence[Any],
    ) -> tuple[list[numpy.ndarray], list[numpy.ndarray]]:
        """Return what a step makes of weights and of the state; both stay as they are.

        Parameters
        ----------
        optimizer_variables
            An array for each of `variables`.
        grads
            As in `apply`.
        trainable_variables
            An array for each of the weights that the optimizer was built for.

        Returns
        -------
        trainable_variables, optimizer_variables
            New arrays.

        Raises
        ------
        ValueError
            If the optimizer wasn't built for weights, or there are more or fewer arrays.
        ShapeError
            If an array has another shape.

        Examples
        --------
        >>> import numpy
        >>> from minpy.layers import Dense
        >>> from minpy.optimizers import SGD
        >>> layer = Dense(1, kernel_initializer='ones', use_bias=False)
        >>> layer.build((None, 2))
        >>> optimizer = SGD(0.5)
        >>> optimizer.build(layer.trainable_variables)
        >>> state = [v.numpy() for v in optimizer.variables]
        >>> (kernel,), state = optimizer.stateless_apply(
        ...     state, [numpy.ones((2, 1))], [numpy.zeros((2, 1))])
        >>> kernel.ravel(), int(state[0]), float(layer.kernel[0, 0])
        (array([-0.5, -0.5], dtype=float32), 1, 1.0)
        """
        if self._weights is None:
            raise ValueError(
                f"{self.name}: stateless_apply needs the optimizer's state; "
                "build(trainable_variables) makes it"
            )
        weights, given = self._weights, [_plain(value) for value in trainable_variables]
        if len(weights) != len(given):
            raise ValueError(
                f"{self.name}: was built for {len(weights)} weights, got {len(given)} arrays"
            )
        for weight, value in zip(weights, given, strict=True):
            if weight.shape != value.shape:
                raise ShapeError(f"{weight.path!r} has shape {weight.shape}, got {value.shape}")
        before = [w.numpy() for w in weights], [v.numpy() for v in self.variables]
        try:
            self.set_weights(optimizer_variables)
            for weight, value in zip(weights, given, strict=True):
                weight.assign(value)
            self.apply(grads, weights)
            return [w.numpy() for w in weights], [v.numpy() for v in self.variables]
        finally:
            self.set_weights(before[1])
            for weight, value in zip(weights, before[0], strict=True):
                weight.assign(value)

    def _step_on(self, gradients: dict[int, numpy.ndarray]) -> None:
        """Do a step on the held weights that have a gradient."""
        size = self._size
        w = _gathered(self._weights, self._places, size)
        g = numpy.zeros(size, w.dtype)
        left = []
        for weight, place in zip(self._weights, self._places, strict=True):
            given = gradients.get(id(weight))
            if given is None:
                left.append(slice(place[0], place[1]))
            else:
                numpy.copyto(seen(weight, g, place), given, casting="same_kind")
        # A step looks at all weights: what has no gradient gets back what it had.
        slots = {name: [slot[part].copy() for part in left] for name, slot in self.slots.items()}
        self.step(w, g, self._places)
        for name, parts in slots.items():
            for part, before in zip(left, parts, strict=True):
                self.slots[name][part] = before
        for weight, place in zip(self._weights, self._places, strict=True):
            if id(weight) in gradients:
                weight.assign(seen(weight, w, place))
                if weight.constraint is not None:
                    weight.assign(weight.constraint(weight.value))

    def _finalize(self, weights: Iterable[Any]) -> None:
        """Do what `finalize_variable_values` does on weights that lie anywhere.

        Raises
        ------
        ValueError
            If the slots are those of other weights.
        """
        weights = _checked(self, weights)
        if self._weights is None or not _same(self._weights, weights):
            raise ValueError(
                f"{self.name}: finalize_variable_values expected the weights that were trained, "
                "in their order"
            )
        w = _gathered(weights, self._places, self._size)
        self.finalize_variable_values(w)
        for weight, place in zip(weights, self._places, strict=True):
            weight.assign(seen(weight, w, place))

    # --- state ----------------------------------------------------------------------------------

    @property
    def variables(self) -> list[StateVariable]:
        """The state: steps done, the learning rate, and each slot of each weight."""
        found = [StateVariable(f"{self.name}/iteration", *self._number("iterations", int))]
        if self._has_rate():
            found.append(
                StateVariable(f"{self.name}/learning_rate", *self._number("learning_rate", float))
            )
        for slot in self.slots:
            for weight, place in zip(self._weights or (), self._places or (), strict=True):
                path = f"{self.name}/{weight.path.replace('/', '_')}_{slot}"
                found.append(StateVariable(path, *self._part(slot, weight, place)))
        return found + self._own_state_variables()

    def _has_rate(self) -> bool:
        return isinstance(getattr(self, "_learning_rate", None), float)

    def _number(self, name: str, kind: type) -> tuple[Any, Any]:
        dtype = numpy.int64 if kind is int else numpy.float64
        return (
            lambda: numpy.asarray(getattr(self, name), dtype),
            lambda value: setattr(self, name, kind(value)),
        )

    def _part(self, slot: str, weight: Any, place: tuple) -> tuple[Any, Any]:
        return (
            lambda: seen(weight, self.slots[slot], place),
            lambda value: numpy.copyto(
                seen(weight, self.slots[slot], place), value, casting="same_kind"
            ),
        )

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set the state: one array for each of `variables`.

        Raises
        ------
        ShapeError
            If there are more or fewer, or one has another shape; nothing is changed then.
        """
        own = self.variables
        given = [_plain(value) for value in weights]
        if len(given) != len(own):
            raise ShapeError(f"{self.name}: expected {len(own)} arrays, got {len(given)}")
        for variable, value in zip(own, given, strict=True):
            if variable.shape != value.shape:
                raise ShapeError(
                    f"{variable.path}: expected shape {variable.shape}, got {value.shape}"
                )
        for variable, value in zip(own, given, strict=True):
            variable.assign(value)

    def save_own_variables(self, store: Any) -> None:
        """Write the state into a dict, an HDF5 group or the like, under its place: ``'0'``."""
        for i, variable in enumerate(self.variables):
            store[str(i)] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Read the state that `save_own_variables` wrote; the slots must exist.

        Raises
        ------
        ShapeError
            If there is more or less in it than `variables`; nothing is changed then.
        """
        self.set_weights([store[str(i)] for i in range(len(store))])


def _checked(owner: Any, weights: Iterable[Any]) -> list[Any]:
    found = list(weights)
    for w in found:
        if not hasattr(w, "storage") or not hasattr(w, "assign"):
            raise TypeError(
                f"{owner.name}: expected weights of layers (layer.trainable_weights), got "
                f"{type(w).__name__}; for arrays of your own use step(weights, gradients) on flat "
                "buffers"
            )
    if len({id(w) for w in found}) < len(found):
        raise ValueError(f"{owner.name}: a weight is given more than once")
    return found


def _same(a: Sequence[Any], b: Sequence[Any]) -> bool:
    return len(a) == len(b) and all(p is q for p, q in zip(a, b, strict=True))


def seen(weight: Any, buffer: numpy.ndarray, place: tuple) -> numpy.ndarray:
    """Return a weight's part of a buffer, with the weight's axes."""
    return weight.seen(buffer[place[0] : place[1]].reshape(weight.storage.shape))


def _gathered(weights: Sequence[Any], places: Sequence[tuple], size: int) -> numpy.ndarray:
    buffer = numpy.zeros(size, weights[0].dtype)
    for weight, place in zip(weights, places, strict=True):
        numpy.copyto(seen(weight, buffer, place), weight.memory)
    return buffer


def _plain(value: Any) -> numpy.ndarray:
    return numpy_value(value) if type(value) is ndarray else numpy.asarray(value)
