"""The base of all layers: weights, building, calling, configuration; knows no particular layer."""

from __future__ import annotations

import contextlib
import functools
import inspect
import warnings
import weakref
from collections.abc import Mapping
from typing import Any

import numpy

from minpy import random, regularizers
from minpy.array import as_ndarray, ndarray
from minpy.autograd.containers import flatten, map_leaves
from minpy.by_name import nearest, snake_case
from minpy.config import settings
from minpy.errors import ShapeError
from minpy.layers.calls import (
    any_mask,
    fitting_shapes,
    map_shapes,
    masks_of,
    shape_of,
    signature_of,
)
from minpy.layers.conversion import (
    as_floats,
    cast,
    numpy_to_array,
    refuse_mixed,
    to_array,
    with_masks,
)
from minpy.layers.forward_pass import call_context, forward_pass
from minpy.layers.parameter import collect_updates, settled
from minpy.layers.remembered import config_of_arguments, own_arguments, unwanted
from minpy.layers.stateless import Stateless
from minpy.layers.symbolic import (
    KerasTensor,
    Node,
    is_symbolic,
    map_symbolic,
    outputs_by_trial,
    symbolic_leaves,
    zeros_like,
)

__all__ = ["Layer", "expect_axes"]


# The stack that a layer was put on, by layer: it makes its graph when somebody asks for tensors.
stacks: weakref.WeakKeyDictionary[Layer, weakref.ref] = weakref.WeakKeyDictionary()


def _own_dtype(who: str, given: Any) -> numpy.dtype:
    """Return the element type of a layer's weights."""
    try:
        return numpy.dtype(settings.float_dtype if given is None else given)
    except TypeError:
        raise TypeError(
            f"{who}: expected dtype to be one of NumPy's, as 'float32', got {given!r}; products in "
            "bfloat16 are set for all layers, minpy.mixed_precision.set_global_policy("
            "'mixed_bfloat16')"
        ) from None


def _arguments_of(kind: type) -> list[str]:
    """Return the names of the arguments that a class and its bases are made with."""
    made = (inspect.signature(c.__init__).parameters for c in kind.__mro__ if "__init__" in vars(c))
    return [name for parameters in made for name in parameters if name not in ("self", "args")]


class Layer(Stateless):
    """A part of a model: weights, and the function of them and of an input.

    A subclass stores its settings in ``__init__``, makes its weights in ``build(input_shape)`` with
    `add_weight`, and computes in ``call(x)``, which may take ``training`` and ``mask`` too. Weights
    read as arrays: ``self.kernel`` in ``call`` is a minpy array.

    Called with a symbolic tensor (what `Input` returns) a layer becomes a part of the graph that a
    functional `Model` is made of. Its output's shape is what ``compute_output_shape`` says, or what
    comes out for zeros.

    **Masks.** A mask says which time steps of a value count. It travels with the value: a layer
    whose ``call`` takes ``mask`` gets it, and one with ``supports_masking = True``, or with a
    ``compute_mask`` of its own, puts one on its output.

    Parameters
    ----------
    name
        Unique inside a model; made from the class's name if not given.
    trainable
        False keeps the optimizer from changing the weights.
    dtype
        Element type of the weights; the default float dtype if not given.
    autocast
        Whether floats of another dtype that the layer is called on become ones of its own.
    activity_regularizer
        Loss term of the output, by name or as a function; divided by the batch's size.

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

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Remember the arguments, which are the configuration of a class that writes none."""
        made = super().__new__(cls)
        made.__dict__["_made_with"] = args, kwargs
        return made

    def __init__(
        self,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
        autocast: bool = True,
        activity_regularizer: Any = None,
        input_shape: Any = None,
        input_dim: int | None = None,
        **unknown: Any,
    ) -> None:
        if unknown:
            told = ", ".join(map(repr, unknown))
            near = nearest(next(iter(unknown)), _arguments_of(type(self)))
            raise TypeError(
                f"{type(self).__name__}: unknown argument {told}"
                + (f"; did you mean {near!r}?" if near else "")
            )
        self._prepare()
        self._named = name is not None
        self.name = name or snake_case(type(self).__name__)
        if not isinstance(trainable, bool | numpy.bool_):
            raise ValueError(
                f"{type(self).__name__}: expected trainable to be True or False, got {trainable!r}"
            )
        self._trainable = bool(trainable)
        self.dtype = _own_dtype(type(self).__name__, dtype)
        if not autocast:
            self.autocast = False
        if activity_regularizer is not None:
            self.activity_regularizer = regularizers.get(activity_regularizer)
        if input_dim is not None:
            input_shape = (input_dim,)
        if input_shape is not None:
            shape = (input_shape,) if isinstance(input_shape, int) else tuple(input_shape)
            self._declared_shape = (None, *shape)

    def _prepare(self) -> None:
        if "_parameters" not in self.__dict__:
            super()._prepare()
            object.__setattr__(self, "_inbound_nodes", [])
            self.input_shape: Any = None
            self.output_shape: Any = None
            self._declared_shape: tuple | None = None

    # --- calling --------------------------------------------------------------------------------

    # Whether `build` makes everything that there is to make, so that `built` holds after it.
    _builds_all = True
    # Whether arrays are made of the first argument: False for layers that take text.
    _convert_input_args = True
    # Whether masks are passed on here, or by the layers inside.
    _handles_masks = True
    # Whether the layer computes on floats alone: integers become floats of its dtype.
    _on_floats = False
    autocast = True
    activity_regularizer: Any = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in cls.__dict__ and cls._builds_all:
            cls.build = _marks_built(cls.build)

    def build(self, input_shape: Any) -> None:
        """Make the weights for inputs of a shape whose batch axis is None.

        A layer whose ``call`` takes several tensors may name their shapes instead:
        ``build(query_shape, value_shape)`` for ``call(query, value)``.
        """
        self.built = True

    def call(self, x: Any) -> Any:
        """Compute the layer's output."""
        raise NotImplementedError(f"{type(self).__name__} has no call(x)")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output for an input; the first call makes the weights.

        Parameters
        ----------
        args, kwargs
            What ``call`` takes: arrays, lists and dicts of them, and options. Symbolic tensors
            give symbolic tensors.

        Raises
        ------
        ShapeError
            If the layer can't take inputs of such shapes.
        """
        signature = signature_of(type(self))
        if not args and "inputs" in kwargs and "inputs" not in signature.names:
            args = (kwargs.pop("inputs"),)  # the name of it in Keras' own layers
        if is_symbolic(args) or (kwargs and is_symbolic(kwargs.values())):
            return self._call_symbolically(signature, args, kwargs)
        if not args and not (kwargs and signature.names and signature.names[0] in kwargs):
            raise TypeError(f"{type(self).__name__} {self.name!r}: expected an input")
        if self._convert_input_args:
            if args:
                rest = (numpy_to_array(a) for a in args[1:]) if len(args) > 1 else ()
                args = (map_leaves(to_array, args[0]), *rest)
            if kwargs:
                kwargs = {name: numpy_to_array(value) for name, value in kwargs.items()}
            if self.autocast:
                args, kwargs = self._cast(args, kwargs)
        first = args[0] if args else kwargs[signature.names[0]]
        if self.input_spec is not None:
            self._check_spec(first)
        if not self.built:
            self._build_for(signature.tensors(args, kwargs))
        training = kwargs.pop("training", None)
        before = call_context.training
        if training is None:
            training = before
        if signature.takes_training and (training is not None or signature.needs_training):
            kwargs["training"] = training
        previous = None
        if self._handles_masks:
            if signature.takes_mask or signature.masks:
                kwargs = with_masks(signature, args, kwargs)
            previous = kwargs.get("mask") if signature.takes_mask else None
            if previous is None:
                previous = masks_of(first)
        if call_context.depth == 0 and call_context.losses is None:
            self._forget_losses()
        seen_to = call_context.masks_seen_to
        if self._handles_masks and (
            signature.takes_mask or signature.masks or self.supports_masking
        ):
            call_context.masks_seen_to = True
        call_context.training = training
        call_context.depth += 1
        outer, call_context.running = call_context.running, self
        try:
            outputs = self.call(*args, **kwargs)
            if self.activity_regularizer is not None:
                self._regularize(outputs)
        finally:
            call_context.depth -= 1
            call_context.running = outer
            call_context.training = before
            call_context.masks_seen_to = seen_to
        if self._handles_masks:
            if self.supports_masking:
                self._attach_masks(first, outputs, previous)
            elif not seen_to and not signature.takes_mask and any_mask(previous):
                warnings.warn(
                    f"layer {self.name!r} ({type(self).__name__}) was given an input with a mask "
                    "and doesn't support masks, so the layers behind it will not see one; set "
                    "supports_masking = True in it if the mask holds for its output too",
                    stacklevel=2,
                )
        return outputs

    def _cast(self, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        """Return arguments whose floats are of the layer's dtype, if that is a float's."""
        dtype = self.__dict__["dtype"]
        if dtype.kind == "f":
            args = tuple([cast(a, dtype) for a in args])
            if self._on_floats and args:
                args = (as_floats(args[0], dtype), *args[1:])
            if kwargs:
                kwargs = {name: cast(value, dtype) for name, value in kwargs.items()}
        return args, kwargs

    def _regularize(self, outputs: Any) -> None:
        """Add the activity regularizer's terms of the outputs."""
        for output in flatten(outputs)[0]:
            if type(output) is ndarray:
                # A mean over the batch, so that the term doesn't grow with the batch's size.
                size = output.shape[0] if output.ndim else 1
                self.add_loss(self.activity_regularizer(output) / max(size, 1))

    # --- symbolic calls -------------------------------------------------------------------------

    def _call_symbolically(self, signature: Any, args: tuple, kwargs: dict) -> Any:
        tensors = signature.tensors(args, kwargs)
        who = f"{type(self).__name__} {self.name!r}"
        if self._convert_input_args:
            refuse_mixed(signature.unclear(tensors, args, kwargs), who)
        first = args[0] if args else next(iter(tensors.values()), None)
        if self.input_spec is not None:
            self._check_spec(first)
        fresh = not self.built
        if fresh:
            self._build_for(tensors)
        elif tensors:
            self.check_input(shape_of(next(iter(tensors.values()))))
        outputs = self.compute_output_spec(*args, **kwargs)
        if not fresh and self._parameters and self.input_shape != shape_of(first):
            try:
                self._run_on_zeros(args, kwargs)
            except ShapeError as error:
                raise ShapeError(
                    f"{error}; the weights are for inputs of shape {self.input_shape}, for "
                    "others make another layer"
                ) from None
        if fresh and any(not layer.built for layer in self._all_inside()):
            self._run_on_zeros(args, kwargs)
        Node(self, args, kwargs, outputs)
        if self._handles_masks and self.supports_masking:
            self._announce_masks(first, outputs)
        shapes = map_leaves(lambda t: t.shape, outputs)
        if tensors:
            self.input_shape = shape_of(next(iter(tensors.values())))
        self.output_shape = shapes
        return outputs

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Return symbolic tensors of the shapes and dtypes that a call on symbolic tensors gives.

        By ``compute_output_shape``, or by running the layer on zeros where there is none.
        """
        tensors = signature_of(type(self)).tensors(args, kwargs)
        told = self._computed_output_shape(tensors)
        if told is None:
            return self._run_on_zeros(args, kwargs)
        dtype = self.__dict__["dtype"]
        if not self._parameters and not self._sublayers:
            # Reshaping integers gives integers, counting floats does too: only a trial tells.
            with contextlib.suppress(Exception):
                dtypes = [t.dtype for t in flatten(self._run_on_zeros(args, kwargs))[0]]
                found = iter(dtypes)
                return map_shapes(lambda shape: KerasTensor(shape, next(found)), told)
        return map_shapes(lambda shape: KerasTensor(shape, dtype), told)

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """Return `compute_output_spec`: what a call returns, without a node of a graph."""
        return self.compute_output_spec(*args, **kwargs)

    def _computed_output_shape(self, tensors: dict[str, Any]) -> Any:
        """Return what ``compute_output_shape`` says, None where it can't."""
        method = type(self).compute_output_shape
        if method is Layer.compute_output_shape or not tensors:
            return None
        who = f"{type(self).__name__} {self.name!r}"
        shapes = fitting_shapes(self.compute_output_shape, tensors, who)
        try:
            return self.compute_output_shape(**shapes)
        except NotImplementedError:
            return None
        except TypeError:
            # Arithmetic on a length that isn't known.
            if any(None in t.shape[1:] for t in symbolic_leaves(list(tensors.values()))):
                return None
            raise

    def _run_on_zeros(self, args: tuple, kwargs: dict) -> Any:
        given = {name: value for name, value in kwargs.items() if name != "training"}
        with (
            forward_pass(training=False),
            collect_updates(),
            random.rehearsal(),
            numpy.errstate(all="ignore"),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            return outputs_by_trial(self, args, given)

    def _only_node(self, what: str) -> Node:
        nodes = self._inbound_nodes
        stack = None if nodes or self not in stacks else stacks[self]()
        if stack is not None and stack.built:
            stack._needs_graph(what)  # which calls the layer
        if len(nodes) != 1:
            raise ValueError(
                f"layer {self.name!r} was called on {len(nodes)} symbolic tensors, so there is no "
                f"one {what}"
                + ("; keep what each call returns" if nodes else "; call it on an Input first")
            )
        return nodes[0]

    @property
    def input(self) -> Any:
        """The symbolic tensors that the layer was called on, if it was once."""
        node = self._only_node("input")
        given = node.args[0] if node.args else next(iter(node.kwargs.values()))
        return given if is_symbolic([given]) else node.input_tensors

    @property
    def output(self) -> Any:
        """The symbolic tensors that the layer returned, if it was called on some once."""
        return self._only_node("output").outputs

    # --- masks ----------------------------------------------------------------------------------

    @property
    def supports_masking(self) -> bool:
        """Whether masks of the input become masks of the output, by `compute_mask`."""
        found = self.__dict__.get("_supports_masking")
        return type(self).compute_mask is not Layer.compute_mask if found is None else found

    @supports_masking.setter
    def supports_masking(self, value: bool) -> None:
        self.__dict__["_supports_masking"] = bool(value)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Return the mask of the output.

        Parameters
        ----------
        inputs
            The first argument of the call.
        previous_mask
            Its mask, None, or masks in lists and dicts as the inputs are.
        """
        return previous_mask

    def _attach_masks(self, inputs: Any, outputs: Any, previous: Any) -> None:
        plain = type(self).compute_mask is Layer.compute_mask
        if plain and not any_mask(previous):
            return
        leaves = flatten(outputs)[0]
        if all(getattr(leaf, "_keras_mask", None) is not None for leaf in leaves):
            return
        found = self.compute_mask(inputs, previous)
        if found is None:
            return
        for leaf, mask in zip(leaves, flatten(found)[0], strict=False):
            without = type(leaf) is ndarray and getattr(leaf, "_keras_mask", None) is None
            if without and mask is not None:
                leaf._keras_mask = as_ndarray(mask)

    def _announce_masks(self, inputs: Any, outputs: Any) -> None:
        """Say of symbolic outputs whether their values will come with masks."""
        masked = [t._masked for t in symbolic_leaves(inputs)]
        if type(self).compute_mask is Layer.compute_mask:
            found = [any(masked)] * len(flatten(outputs)[0])
        else:
            zeros = map_symbolic(zeros_like, inputs)
            try:
                masks = self.compute_mask(zeros, masks_of(zeros))
            except (TypeError, ValueError, IndexError):
                return  # it needs more than zeros of made-up lengths
            found = [mask is not None for mask in flatten(masks)[0]]
        for tensor, has in zip(flatten(outputs)[0], found, strict=False):
            tensor._masked = has

    # --- building -------------------------------------------------------------------------------

    def _check_may_add_weights(self) -> None:
        if call_context.running is self:
            raise ValueError(
                f"{type(self).__name__} {self.name!r}: add_weight was called in call, where it "
                "would make a new weight each time; make weights in build or __init__"
            )

    def _build_for(self, tensors: dict[str, Any]) -> None:
        who = f"{type(self).__name__} {self.name!r}"
        first = shape_of(next(iter(tensors.values()))) if tensors else None
        shapes = fitting_shapes(self.build, tensors, who)
        self.check_input(first)
        with settled():
            self.build(**shapes)
        self.built = True
        self.input_shape = first
        with contextlib.suppress(NotImplementedError, TypeError, ShapeError):
            self.output_shape = self._computed_output_shape(tensors)

    def _build_once(self, shape: Any) -> None:
        if not self.built:
            self.check_input(shape)
            self.build(shape)
            self.built = True
        self.input_shape = shape
        with contextlib.suppress(NotImplementedError):
            self.output_shape = self.compute_output_shape(shape)

    # An `InputSpec`, or several for several inputs.
    input_spec: Any = None

    def _check_spec(self, first: Any) -> None:
        who = f"{type(self).__name__} {self.name!r}"
        specs, leaves = flatten(self.input_spec)[0], flatten(first)[0]
        if len(specs) != len(leaves):
            raise ShapeError(
                f"{who}: expected {len(specs)} input{'s' if len(specs) > 1 else ''}, "
                f"got {len(leaves)}"
            )
        for spec, leaf in zip(specs, leaves, strict=True):
            if spec is not None:
                shape = None if leaf is None else shape_of(leaf)
                spec.check(shape, getattr(leaf, "dtype", None), who)

    def get_build_config(self) -> dict[str, Any] | None:
        """Return what `build_from_config` makes the weights from, None before they exist."""
        return {"input_shape": self.input_shape} if self.built else None

    def build_from_config(self, config: Mapping[str, Any] | None) -> None:
        """Make the weights for the shape that `get_build_config` told."""
        if config and not self.built:
            self._build_once(map_shapes(tuple, config["input_shape"]))

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` if the layer can't take inputs of this shape."""

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output for an input's, the batch axis None."""
        raise NotImplementedError(f"{type(self).__name__} has no compute_output_shape")

    # --- dtypes ----------------------------------------------------------------------------------

    @property
    def compute_dtype(self) -> str:
        """Name of the dtype that the layer computes in, which is that of its weights."""
        return self.__dict__["dtype"].name

    variable_dtype = compute_dtype

    @property
    def input_dtype(self) -> str:
        """Name of the dtype that floats become before ``call``, with `autocast`."""
        return self.compute_dtype

    # --- configuration --------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer, as JSON can hold them."""
        config: dict[str, Any] = {"name": self.name, "trainable": self._trainable}
        if self.__dict__["dtype"] != settings.float_dtype:
            config["dtype"] = self.__dict__["dtype"].name
        if self.autocast is not type(self).autocast:
            config["autocast"] = self.autocast
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        if self._declared_shape is not None:
            config["input_shape"] = list(self._declared_shape[1:])
        return {**config, **self._remembered_config()}

    def _remembered_config(self) -> dict[str, Any]:
        """Return the arguments of a class's own that writes no ``get_config``."""
        kind = type(self)
        written = [one for one in kind.__mro__ if "get_config" in one.__dict__]
        if not written or written[0] not in _AUTOMATIC or kind.__init__ is written[0].__init__:
            return {}
        args, kwargs = self.__dict__.get("_made_with", ((), {}))
        arguments = own_arguments(kind, Layer, args, kwargs)
        return config_of_arguments(f"{kind.__name__} {self.name!r}", arguments)

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> Any:
        """Make a layer of what `get_config` returned; layers among the arguments are made too."""
        from minpy.layers.serialization import layers_made

        arguments = layers_made(config, custom_objects)
        refused = unwanted(cls, arguments, _COMMON)
        made = cls(**{name: v for name, v in arguments.items() if name not in refused})
        if "name" in refused:
            made.name, made._named = arguments["name"], True
        if "trainable" in refused:
            made._trainable = bool(arguments["trainable"])
        return made


_COMMON = ("name", "trainable", "dtype", "autocast", "activity_regularizer", "input_shape")
# Classes whose ``get_config`` adds the arguments of subclasses that have none of their own.
_AUTOMATIC: set[type] = {Layer}


def _marks_built(build: Any) -> Any:
    """Return a ``build`` after which the layer is built, also where a user calls it."""

    @functools.wraps(build)
    def marked(self: Layer, *args: Any, **kwargs: Any) -> None:
        build(self, *args, **kwargs)
        self.built = True

    return marked


def expect_axes(layer: Layer, shape: Any, ndim: int, what: str) -> None:
    """Raise `ShapeError` unless `shape` has `ndim` axes; `what` names them."""
    if not isinstance(shape, tuple) or len(shape) != ndim:
        got = tuple("batch" if n is None else n for n in shape) if shape else shape
        raise ShapeError(
            f"{type(layer).__name__} {layer.name!r}: expected input of shape {what}, "
            f"got {str(got).replace(chr(39), '')}"
        )
