"""``minpy.core.Function``: an MXNet symbol as a differentiable function of minpy arrays.

MXNet computes the symbol and its gradient. Each call keeps what its own backward pass needs, so
one function may be called any number of times, on inputs of any size, before gradients are taken.
"""

from __future__ import annotations

import contextlib
import json
import warnings
from collections.abc import Mapping
from typing import Any

import numpy

from minpy import runtime
from minpy.array import as_ndarray, is_tracked, ndarray, numpy_value
from minpy.config import settings
from minpy.context import current_context
from minpy.primitives import Primitive, registry

__all__ = ["Function", "MXNetSymbolError"]

# Operators that do something else in training: a graph that is used for both can't hold them.
_CHANGED_BY_TRAINING = ("BatchNorm", "Dropout", "RNN", "Custom", "_random", "_sample", "random_")

# Elements of all arguments from which on threads are worth their waiting for each other.
_WORTH_SHARING = 20_000


class MXNetSymbolError(ValueError):
    """A symbol can't be used as it was asked to: shapes that don't fit, or not known yet."""


class Function:
    """A function of named arrays that an MXNet symbol computes.

    Parameters
    ----------
    symbol
        The symbol, with one or several outputs.
    input_shapes
        Name → shape of the inputs that are data. The other arguments are its parameters, whose
        shapes are found from these. Without them the shapes are those of the first call.
    name
        Its name in messages.

    Notes
    -----
    An argument that a call leaves out is zeros. Arrays are taken as float32, or as float64 where
    that is the default dtype. A call gives running statistics (MXNet's auxiliary states) by name,
    and they are updated in place by a backward pass in training; those it doesn't give are kept
    in the function. A loss symbol, such as ``SoftmaxOutput``, has the gradient that MXNet gives
    it, whatever is done with its output. There are no second derivatives: MXNet has none.

    Examples
    --------
    With mxnet installed::

        line = mx.sym.FullyConnected(mx.sym.Variable('x'), num_hidden=1, name='fc')
        f = core.Function(line, input_shapes={'x': (2, 3)})
        f.get_params()     # {'fc_weight': {'shape': (1, 3)}, 'fc_bias': {'shape': (1,)}}
        core.grad(lambda w: f(x=np.ones((2, 3)), fc_weight=w))(np.ones((1, 3)))
    """

    def __init__(
        self,
        symbol: Any,
        input_shapes: Mapping[str, Any] | None = None,
        name: str = "mxnet_symbol",
    ) -> None:
        if not isinstance(symbol, runtime.library().sym.Symbol):
            raise MXNetSymbolError(f"{name}: expected an MXNet symbol, got {symbol!r}")
        self.is_train = True
        self._symbol, self._name = symbol, name
        self._arguments: list[str] = symbol.list_arguments()
        self._states: list[str] = symbol.list_auxiliary_states()
        self._outputs: list[str] = symbol.list_outputs()
        self._inputs: list[str] = symbol.list_inputs()  # arguments and states, in the graph's order
        self._kept: dict[str, ndarray] = {}
        self._operation: Any = None
        self._inferred: dict[tuple, Any] = {}
        self._param_shapes: dict[str, tuple] | None = None
        self._out_shapes: dict[str, tuple] | None = None
        self._aux_shapes: dict[str, tuple] | None = None
        if input_shapes is not None:
            unknown = set(input_shapes) - set(self._arguments)
            if unknown:
                raise MXNetSymbolError(
                    f"{name}: the symbol has no argument {sorted(unknown)[0]!r}; "
                    f"its arguments are {', '.join(self._arguments)}"
                )
            self._describe({k: tuple(v) for k, v in input_shapes.items()})

    # --- what it is -----------------------------------------------------------------------------

    def get_params(self) -> dict[str, dict[str, tuple]]:
        """Return the parameters, name → ``{'shape': …}``, for `ModelBase.add_params`."""
        return {k: {"shape": v} for k, v in self._known(self._param_shapes).items()}

    def get_output_shapes(self) -> dict[str, tuple]:
        """Return the shapes of the outputs by name."""
        return dict(self._known(self._out_shapes))

    def get_one_output_shape(self) -> tuple:
        """Return the shape of the only output.

        Raises
        ------
        MXNetSymbolError
            If there are several.
        """
        shapes = self._known(self._out_shapes)
        if len(shapes) != 1:
            raise MXNetSymbolError(
                f"{self._name}: there are {len(shapes)} outputs: {', '.join(shapes)}"
            )
        return next(iter(shapes.values()))

    def get_aux_shapes(self) -> dict[str, tuple]:
        """Return the shapes of the running statistics by name."""
        return dict(self._known(self._aux_shapes))

    def _known(self, shapes: Any) -> Any:
        if shapes is None:
            raise MXNetSymbolError(
                f"{self._name}: shapes are known after the first call, or from the start with "
                "input_shapes={'name': shape}"
            )
        return shapes

    def _shapes(self, given: dict[str, tuple]) -> tuple[list[tuple], list[tuple], list[tuple]]:
        """Return the shapes of arguments, outputs and states that follow from those given."""
        key = tuple(given.items())
        found = self._inferred.get(key)
        if found is None:
            try:
                # MXNet prints the arguments of a failure.
                with contextlib.redirect_stdout(None), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    found = self._symbol.infer_shape(**given)
            except runtime.library().base.MXNetError as error:
                reason = str(error).split("MXNetError:")[-1].strip().splitlines()[0]
                raise MXNetSymbolError(
                    f"{self._name}: shapes {given} don't fit: {reason}"
                ) from None
            if found[0] is None:
                raise MXNetSymbolError(
                    f"{self._name}: shapes {given} don't settle those of "
                    f"{', '.join(k for k in self._arguments if k not in given)}"
                )
            self._inferred[key] = found
        return found

    def _describe(self, given: dict[str, tuple]) -> None:
        arguments, outputs, states = self._shapes(given)
        shapes = dict(zip(self._arguments, arguments, strict=True))
        self._param_shapes = {k: v for k, v in shapes.items() if k not in given}
        self._out_shapes = dict(zip(self._outputs, outputs, strict=True))
        self._aux_shapes = dict(zip(self._states, states, strict=True))

    # --- calling --------------------------------------------------------------------------------

    def __call__(self, **kwargs: Any) -> Any:
        """Compute the symbol.

        Parameters
        ----------
        kwargs
            Arrays by the names of the symbol's arguments and states; other names are ignored, so
            that all parameters of a model can be given.

        Returns
        -------
        ndarray or tuple of ndarray
            The output, or all of them.

        Raises
        ------
        MXNetSymbolError
            If the shapes don't fit.
        """
        dtype = numpy.dtype("float64" if settings.float_dtype == numpy.float64 else "float32")
        given = {k: self._array(kwargs[k], dtype) for k in self._arguments if k in kwargs}
        shapes, _, states = self._shapes({k: v.shape for k, v in given.items()})
        if self._param_shapes is None:
            self._describe({k: v.shape for k, v in given.items()})
        args = [
            given[k] if k in given else as_ndarray(numpy.zeros(shape, dtype))
            for k, shape in zip(self._arguments, shapes, strict=True)
        ]
        call = _Call(self, self._statistics(kwargs, states, dtype))
        call.records = any(is_tracked(a) for a in args)
        forward = Primitive(
            self._name,
            call.on_numpy,
            arrays=len(args),
            mxnet=call.on_mxnet,
            faster_on_mxnet=True,
            register=False,
        )
        forward.vjp_all = call.rule
        return forward(*args)

    def _array(self, value: Any, dtype: numpy.dtype) -> ndarray:
        array = as_ndarray(value)
        if not array.context.on_host or current_context().on_host:
            return array if array.dtype == dtype else registry["astype"](array, dtype)
        return registry["astype"](array, dtype).as_in_context(current_context())

    def _statistics(self, kwargs: dict, shapes: list[tuple], dtype: Any) -> dict[str, Any]:
        """Return the running statistics of a call: those that it gives, and the function's own."""
        found = {}
        for name, shape in zip(self._states, shapes, strict=True):
            value = kwargs.get(name)
            if value is None:
                value = self._kept.get(name)
                if value is None or value.shape != shape:
                    start = numpy.ones if "var" in name else numpy.zeros
                    value = self._kept[name] = as_ndarray(start(shape, dtype))
            elif tuple(value.shape) != shape:
                raise MXNetSymbolError(
                    f"{self._name}: expected {name} of shape {shape}, got {tuple(value.shape)}"
                )
            found[name] = value
        return found

    def _compiled(self) -> Any:
        if self._operation is None:
            self._operation = runtime.library().nd.CachedOp(self._symbol)
        return self._operation

    def _changed_by_training(self) -> str | None:
        """Return the name of an operator that does something else in training, if there is one."""
        for node in json.loads(self._symbol.tojson())["nodes"]:
            if node["op"].startswith(_CHANGED_BY_TRAINING):
                return node["op"]
        return None


class _Call:
    """One call of a function, with what its backward pass needs."""

    def __init__(self, function: Function, states: dict[str, Any]) -> None:
        self.function = function
        self.training = function.is_train
        self.states = states
        self.records = False
        self._alone = False
        self._heads: list[Any] = []
        self._variables: list[Any] = []
        self._used: dict[str, Any] = {}

    # --- forward --------------------------------------------------------------------------------

    def on_numpy(self, *args: Any) -> Any:
        outputs = self._run([runtime.borrow(numpy.asarray(a)) for a in args])
        views = tuple(runtime.view(o) for o in outputs)
        return views if len(views) > 1 else views[0]

    def on_mxnet(self, F: Any, *args: Any) -> Any:
        if F.symbolic:
            return self._compose(args)
        outputs = self._run(list(args))
        return tuple(outputs) if len(outputs) > 1 else outputs[0]

    def _compose(self, args: tuple) -> Any:
        """Put the symbol into a graph that is being traced."""
        function = self.function
        reason = function._changed_by_training()
        if reason is not None:
            raise runtime.Unsupported(
                f"{function._name} has the operator {reason}, which is another one in training"
            )
        named = zip(function._arguments, args, strict=True)
        composed = function._symbol(**{name: value.symbol for name, value in named})
        if len(function._outputs) == 1:
            return runtime.SymbolValue(composed)
        return tuple(runtime.SymbolValue(composed[i]) for i in range(len(function._outputs)))

    def _run(self, args: list[Any]) -> list[Any]:
        mx = runtime.library()
        function = self.function
        context = args[0].context if args else mx.cpu()
        # Outside training oneDNN brings weights into a layout of its own, in place. In training
        # handles of the call's own will do: MXNet records a variable by its handle.
        args = [a.detach() if self.training else a.copy() for a in args]
        self._used = {
            name: runtime.borrow(numpy.array(_plain(value), args[0].dtype)).copyto(context)
            for name, value in self.states.items()
        }
        by_name = {**dict(zip(function._arguments, args, strict=True)), **self._used}
        operation = function._compiled()
        inputs = [by_name[name] for name in function._inputs]
        self._alone = sum(a.size for a in args) < _WORTH_SHARING
        with runtime.one_thread(self._alone):
            if not self.records:
                with mx.autograd.pause(train_mode=self.training):
                    outputs = operation(*inputs)
            else:
                for a in args:
                    a.attach_grad()
                with mx.autograd.record(train_mode=self.training):
                    outputs = operation(*inputs)
                self._variables = args
        outputs = list(outputs) if isinstance(outputs, list | tuple) else [outputs]
        if self.records:
            self._heads = outputs
            # The results belong to minpy from here on: who writes to them must not change what
            # the backward pass reads.
            outputs = [o.detach().copy() for o in outputs]
        return outputs

    # --- backward -------------------------------------------------------------------------------

    def rule(self, argnums: tuple, ans: Any, args: tuple, kwargs: dict) -> Any:
        """Return the function that carries a gradient back to the arguments."""
        count = len(self.function._outputs)

        def on_numpy(*given: Any) -> tuple:
            g = [runtime.borrow(numpy.asarray(part)) for part in given[:count]]
            return tuple(runtime.view(part) for part in self._back(g, argnums))

        def on_mxnet(F: Any, *given: Any) -> tuple:
            if F.symbolic:
                raise runtime.Unsupported("the gradient of a symbol that has been computed")
            return tuple(self._back(list(given[:count]), argnums))

        # An operation of its own, without a derivative: a second one is refused, not wrong. The
        # arguments count among what it depends on.
        operation = Primitive(
            f"{self.function._name}_gradient",
            on_numpy,
            arrays=count + len(args),
            mxnet=on_mxnet,
            faster_on_mxnet=True,
            register=False,
        )

        def vjp(g: Any) -> tuple:
            return operation(*(g if type(g) is tuple else (g,)), *args)

        return vjp

    def _back(self, gradients: list[Any], argnums: tuple) -> list[Any]:
        mx = runtime.library()
        if not self._heads:
            raise MXNetSymbolError(f"{self.function._name}: the call was not recorded")
        context = self._heads[0].context
        # All arguments are asked for: oneDNN's layers leave the gradient of a bias unwritten where
        # nobody wants that of the weight.
        with runtime.one_thread(self._alone):
            mx.autograd.backward(
                self._heads,
                [g.as_in_context(context) for g in gradients],
                retain_graph=True,
                train_mode=self.training,
            )
        if self.training:
            for name, value in self.states.items():
                value[:] = self._used[name].asnumpy()
        return [self._variables[n].grad.copy() for n in argnums]


def _plain(value: Any) -> Any:
    return numpy_value(value) if type(value) is ndarray else value
