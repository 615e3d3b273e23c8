"""Updates written as a method, weight by weight, as Keras 3 has them; knows no model or layer.

A row of `minpy.optimizers.rules` is compiled to one pass over all weights. An optimizer that
defines ``update_step(gradient, variable, learning_rate)`` instead runs that method for one weight
after the other, operation by operation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy

from minpy.aligned import aligned_full
from minpy.array import numpy_value, wrap
from minpy.optimizers.on_weights import StateVariable, seen

__all__ = ["OwnUpdate"]


class OwnUpdate:
    """What ``build(variables)`` and ``update_step`` of one's own are written with."""

    # Whether the class says itself how a weight follows its gradient.
    has_own_update: bool = False

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        cls.has_own_update = cls.update_step is not OwnUpdate.update_step

    def _forget_own_variables(self) -> None:
        # (variable, slot, number of its weight); and the variables that belong to no weight.
        self._own_slots: list[tuple[Any, str, int]] = []
        self._own_variables: dict[str, Any] = {}
        self._awaited: tuple[int, Any, Sequence[tuple]] | None = None
        self._own_values: dict[str, Any] = {}

    # --- what a subclass defines and calls ------------------------------------------------------

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Change one weight by its gradient; a subclass writes it instead of a row of formulas.

        Parameters
        ----------
        gradient
            Array of the weight's shape: without the loss scale, clipped.
        variable
            The weight, after its weight decay; `assign`, `assign_add` and `assign_sub` change it.
        learning_rate
            That of this step, a float.

        Notes
        -----
        It runs in NumPy and MXNet operation by operation, for one weight after the other; the
        model's forward pass and gradients are compiled as ever. A row of
        `minpy.optimizers.rules` is one pass over all weights and many times as fast.

        Examples
        --------
        >>> from minpy import ops
        >>> from minpy.optimizers import Optimizer
        >>> class SignDescent(Optimizer):
        ...     def update_step(self, gradient, variable, learning_rate):
        ...         self.assign_sub(variable, learning_rate * ops.sign(gradient))
        >>> from minpy.layers import Dense
        >>> layer = Dense(1, kernel_initializer='ones', use_bias=False)
        >>> layer.build((None, 2))
        >>> SignDescent(0.5).apply([ops.array([[3.], [-4.]])], layer.trainable_weights)
        >>> layer.kernel
        array([[0.5],
               [1.5]])
        """
        raise NotImplementedError(
            f"{type(self).__name__} defines neither rule and scalars nor update_step"
        )

    def add_variable_from_reference(
        self, reference_variable: Any, name: str | None = None, initializer: Any = "zeros"
    ) -> Any:
        """Return a new variable of a weight's shape: a part of the slot of that name.

        Parameters
        ----------
        reference_variable
            One of the weights that ``build`` was given.
        name
            Of the slot, as it stands in checkpoints: ``'momentum'``.
        initializer
            A name, or a function of shape and dtype.

        Raises
        ------
        ValueError
            If the weight isn't one of those, or has a variable of that name.
        """
        index = self._get_variable_index(reference_variable)
        slot = name or "variable"
        if any((slot, index) == known[1:] for known in self._own_slots):
            raise ValueError(
                f"{self.name}: {reference_variable.path!r} has a variable {slot!r} already; give "
                "each a name of its own"
            )
        if slot not in self.slots:
            self.slots[slot] = aligned_full(self._size, self._computed, 0.0)
        shape = reference_variable.shape
        value = _initial(initializer, shape, numpy.dtype(self._computed).name)
        found = type(reference_variable)(
            slot, value, trainable=False, transposed=reference_variable.transposed
        )
        part = seen(reference_variable, self.slots[slot], self._places[index])
        numpy.copyto(part, value)
        found.path = f"{self.name}/{reference_variable.path.replace('/', '_')}_{slot}"
        self._own_slots.append((found, slot, index))
        self._attach(found, slot, index)
        return found

    def add_variable(
        self,
        shape: Sequence[int] = (),
        initializer: Any = "zeros",
        dtype: Any = None,
        aggregation: Any = None,
        layout: Any = None,
        name: str | None = None,
    ) -> Any:
        """Return a new variable that belongs to no weight: a counter, a product of rates.

        Parameters
        ----------
        shape, initializer, dtype, name
            As for a weight of a layer; float32 by default, float64 beside such weights.
        aggregation, layout
            Kept for Keras' sake, which has them for several devices.

        Raises
        ------
        ValueError
            If there are no weights yet, or there is a variable of that name.
        """
        name = name or f"variable_{len(self._own_variables)}"
        if self._weights is None:
            raise ValueError(f"{self.name}: call super().build(variables) before add_variable")
        if name in self._own_variables:
            raise ValueError(f"{self.name}: there is a variable {name!r} already")
        dtype = numpy.dtype(dtype or self._computed).name
        value = _initial(initializer, tuple(shape), dtype)
        found = type(self._weights[0])(name, value, trainable=False)
        found.path = f"{self.name}/{name}"
        self._own_variables[name] = found
        if name in self._own_values:  # a state that was set before the variable was there
            found.assign(numpy.asarray(self._own_values.pop(name), dtype))
        return found

    def add_optimizer_variables(
        self, trainable_variables: Sequence[Any], name: Any, initializer: Any = "zeros"
    ) -> Any:
        """Return a list of variables, one for each weight; for several names a tuple of lists."""
        several = isinstance(name, list | tuple)
        names = name if several else [name]
        kinds = initializer if isinstance(initializer, list | tuple) else [initializer] * len(names)
        found = tuple(
            [self.add_variable_from_reference(v, n, kind) for v in trainable_variables]
            for n, kind in zip(names, kinds, strict=True)
        )
        return found if several else found[0]

    def assign(self, variable: Any, value: Any) -> None:
        """Set a weight or a variable."""
        variable.assign(value)

    def assign_add(self, variable: Any, value: Any) -> None:
        """Add to a weight or a variable."""
        variable.assign(variable.value + value)

    def assign_sub(self, variable: Any, value: Any) -> None:
        """Subtract from a weight or a variable."""
        variable.assign(variable.value - value)

    def _get_variable_index(self, variable: Any) -> int:
        for i, weight in enumerate(self._weights or ()):
            if weight is variable:
                return i
        raise ValueError(
            f"{self.name}: {getattr(variable, 'path', variable)!r} is none of the weights that "
            "build was given; call super().build(variables) first"
        )

    # --- its place among the buffers ------------------------------------------------------------

    def build_on(
        self,
        weights: Sequence[Any],
        size: int,
        dtype: Any,
        values: numpy.ndarray | None,
        segments: Sequence[tuple],
    ) -> None:
        """Make the slots of weights that lie in one flat buffer, at `segments` of it."""
        if not self.has_own_update:
            self.build(size, dtype, values, segments)
            return
        self._awaited = (size, values, segments)
        try:
            self.build(list(weights))
        finally:
            self._awaited = None
        if not self.built:
            raise TypeError(
                f"{type(self).__name__}: build(variables) must call super().build(variables)"
            )

    def _attach(self, variable: Any, slot: str, index: int) -> None:
        start, stop = self._places[index][:2]
        shape = self._weights[index].storage.shape
        variable.move(self.slots[slot][start:stop].reshape(shape))

    def _attach_all(self) -> None:
        """Let the variables lie in the slots, from which copying the optimizer parts them."""
        for variable, slot, index in self._own_slots:
            if not numpy.may_share_memory(variable.memory, self.slots[slot]):
                self._attach(variable, slot, index)

    def _update_each(
        self,
        w: numpy.ndarray,
        g: numpy.ndarray,
        scales: numpy.ndarray,
        decays: numpy.ndarray,
        bounds: numpy.ndarray,
        rate: float,
    ) -> None:
        """Call `update_step` for each weight; arguments as in `minpy.optimizers.reference`."""
        if self._weights is None:
            raise TypeError(
                f"{self.name}: defines update_step, which takes weights; call "
                "apply(gradients, weights) instead of step on buffers"
            )
        self._attach_all()
        for weight, place in zip(self._weights, self._places, strict=True):
            run = numpy.searchsorted(bounds, place[0], side="right") - 1
            inside = seen(weight, w, place)
            gradient = seen(weight, g, place) * scales[run]
            if self.clipvalue is not None:
                gradient = numpy.clip(gradient, -self.clipvalue, self.clipvalue)
            if decays[run]:
                inside -= inside * decays[run]
            lies_there = numpy.may_share_memory(weight.memory, w)
            if not lies_there:
                weight.assign(inside)
            weight.rewrap()
            self.update_step(wrap(numpy.array(gradient, w.dtype, order="C")), weight, rate)
            if not lies_there:
                inside[...] = weight.memory

    # --- state ----------------------------------------------------------------------------------

    def _own_state(self) -> dict[str, Any]:
        return {name: v.numpy().tolist() for name, v in self._own_variables.items()}

    def _set_own_state(self, values: dict[str, Any]) -> None:
        self._own_values = dict(values)
        for name in [name for name in values if name in self._own_variables]:
            variable = self._own_variables[name]
            variable.assign(numpy.asarray(self._own_values.pop(name), variable.dtype))

    def _own_state_variables(self) -> list[StateVariable]:
        return [
            StateVariable(v.path, lambda v=v: v.memory, lambda value, v=v: v.assign(value))
            for v in self._own_variables.values()
        ]


def _initial(initializer: Any, shape: tuple[int, ...], dtype: str) -> numpy.ndarray:
    make: Callable[..., Any] = initializer
    if not callable(initializer):
        from minpy import initializers

        make = initializers.get(initializer)
    found = make(shape, dtype=dtype)
    return numpy.array(numpy_value(found) if hasattr(found, "_np") else found, dtype)
