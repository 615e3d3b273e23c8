"""Rewrites the operations of a step into fewer that do the same: the same numbers, less memory.

What derivatives and layers write as two operations is one for the kernels underneath. It must not
know how operations are computed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

from minpy.graph.native.parts import is_view_of_slices, scattered
from minpy.graph.native.recording import Operation, Value
from minpy.graph.native.transpositions import with_fewer_transpositions

__all__ = ["needed_by", "rewritten"]

# Function → operations that have an instruction that ends with it, for the first result.
_THEN = {
    "relu": frozenset(["add", "affine", "batch_norm", "convolution", "normalize"]),
    "sigmoid": frozenset(["affine", "convolution"]),
    "tanh": frozenset(["affine", "convolution"]),
}


def needed_by(operations: list[Operation], results: Collection[Value]) -> list[Operation]:
    """Return the operations that results depend on, in order."""
    needed, live = set(results), []
    for operation in reversed(operations):
        if not needed.isdisjoint(operation.made):
            live.append(operation)
            needed.update(_values(operation))
    return live[::-1]


def rewritten(operations: list[Operation], results: Collection[Value]) -> list[Operation]:
    """Return operations with the same results, fewer of them."""
    operations = _with_gradients_of_activations(_with_single_factors(operations))
    operations = needed_by(operations, results)
    operations = needed_by(with_fewer_transpositions(operations, results), results)
    operations = needed_by(_with_parts_together(operations, results), results)
    operations = _with_functions_after(operations, results)
    operations = _with_smaller_gradients(operations, results)
    operations = _with_gradients_of_pooled(needed_by(operations, results), results)
    operations = _with_normalized_weights(operations, results)
    operations = _with_pooled_convolutions(operations, results)
    return needed_by(operations, results)


def _values(operation: Operation) -> list[Value]:
    return [a for a in operation.given if isinstance(a, Value)]


def _makers(operations: list[Operation]) -> dict[Value, Operation]:
    return {value: operation for operation in operations for value in operation.made}


def _uses(operations: list[Operation], results: Collection[Value]) -> Counter[Value]:
    uses = Counter(results)
    for operation in operations:
        uses.update(_values(operation))
    return uses


def _number(given: Any) -> float | None:
    """Return the number that an operand is, or is in all of its elements."""
    if not isinstance(given, Value):
        return float(given) if isinstance(given, int | float) else None
    if given.constant is None or given.memory is not None:
        return None  # memory that others may write to
    first = given.constant.reshape(-1)[0]
    return float(first) if (given.constant == first).all() else None


def _either_way(operation: Operation | None, name: str) -> list[tuple[Any, Any]]:
    """Return the two operands of an operation of this name, in both orders."""
    if operation is None or operation.name != name:
        return []
    a, b = operation.given
    return [(a, b), (b, a)]


def _with_single_factors(operations: list[Operation]) -> list[Operation]:
    """Multiply by numbers where arrays have one number in them, and once where twice."""
    makers, out = _makers(operations), []
    for operation in operations:
        for factor, x in [] if operation.on_host else _either_way(operation, "multiply"):
            number = _number(factor)
            if number is None or not isinstance(x, Value) or x.shape != operation.made[0].shape:
                continue
            for other, inner in _either_way(makers.get(x), "multiply"):
                again = _number(other)
                if again is not None and isinstance(inner, Value) and inner.shape == x.shape:
                    number, x = number * again, inner
                    break
            operation = Operation("multiply", [x, number], operation.made)
            break
        makers.update(dict.fromkeys(operation.made, operation))
        out.append(operation)
    return out


def _positive(mask: Any, makers: dict[Value, Operation]) -> Value | None:
    """Return the value that a mask says of where it is above zero."""
    maker = makers.get(mask) if isinstance(mask, Value) else None
    if maker is None or maker.name != "greater":
        return None
    y, zero = maker.given
    return y if isinstance(y, Value) and _number(zero) == 0 else None


def _gradient_of(mask: Value, makers: dict[Value, Operation]) -> tuple[Any, ...] | None:
    """Return the function whose derivative a factor is, and what that takes: its result, say."""
    maker = makers.get(mask)
    if maker is None:
        return None
    y = _positive(mask, makers)
    if y is not None:  # relu: y > 0
        return ("relu_gradient", y)
    if maker.name == "where":  # leaky relu: 1 where x > 0, its slope elsewhere
        x, slope = _positive(maker.given[0], makers), _number(maker.given[2])
        if x is not None and slope is not None and _number(maker.given[1]) == 1:
            return ("leaky_relu_gradient", x, slope)
        return None
    for y, rest in _either_way(maker, "multiply"):  # sigmoid: y (1 - y)
        less = makers.get(rest) if isinstance(rest, Value) else None
        if less is not None and less.name == "subtract" and less.given[1] is y:
            return ("sigmoid_gradient", y) if _number(less.given[0]) == 1 else None
    if maker.name == "subtract" and _number(maker.given[0]) == 1:  # tanh: 1 - y y
        square = makers.get(maker.given[1]) if isinstance(maker.given[1], Value) else None
        if square is not None and square.name == "multiply" and square.given[0] is square.given[1]:
            return "tanh_gradient", square.given[0]
    return None


def _with_gradients_of_activations(operations: list[Operation]) -> list[Operation]:
    """Write ``g * (y > 0)``, ``g * (y * (1 - y))`` and ``g * (1 - y * y)`` as one each."""
    makers, out = _makers(operations), []
    for operation in operations:
        for g, mask in [] if operation.on_host else _either_way(operation, "multiply"):
            if not (isinstance(g, Value) and isinstance(mask, Value)):
                continue
            found = _gradient_of(mask, makers)
            if found is not None and g.shape == mask.shape == found[1].shape:
                operation = Operation(found[0], [g, *found[1:]], operation.made)
                break
        out.append(operation)
    return out


def _with_parts_together(
    operations: list[Operation], results: Collection[Value]
) -> list[Operation]:
    """Write the gradients of an array's slices to one array, not each to one of its own."""
    uses = _uses(operations, results)
    parts: dict[Value, tuple[list[Value], list[Any]]] = {}
    out = []
    for operation in operations:
        made = operation.made[0]
        if operation.on_host:
            pass
        elif operation.name == "scatter_add" and is_view_of_slices(operation.given[1]):
            parts[made] = [operation.given[0]], [operation.given[1]]
        elif operation.name == "add":
            found = [parts.get(a) if isinstance(a, Value) else None for a in operation.given]
            a, b = operation.given
            if all(found) and a is not b and a.shape == b.shape and uses[a] == uses[b] == 1:
                given, indices = (x + y for x, y in zip(*found, strict=True))
                parts[made] = given, indices
                told = {"indices": indices, "shape": made.shape}
                operation = Operation("scatter_several", given, [made], told, scattered)
        out.append(operation)
    return out


def _with_functions_after(
    operations: list[Operation], results: Collection[Value]
) -> list[Operation]:
    """Let the operation before a function end with it, where nobody else wants what is before."""
    makers, uses = _makers(operations), _uses(operations, results)
    merged: dict[Operation, Operation] = {}
    gone: set[Operation] = set()
    for operation in operations:
        if operation.name not in _THEN or operation.on_host:
            continue
        before = operation.given[0]
        maker = makers.get(before)
        if (
            maker is None
            or maker.name not in _THEN[operation.name]
            or maker.made[0] is not before
            or maker in merged
            or uses[before] != 1
        ):
            continue
        made = [operation.made[0], *maker.made[1:]]
        told = {**maker.told, "then": operation.name}
        merged[maker] = Operation(maker.name, maker.given, made, told, maker.kernel)
        gone.add(operation)
    return [merged.get(o, o) for o in operations if o not in gone]


def _with_smaller_gradients(
    operations: list[Operation], results: Collection[Value]
) -> list[Operation]:
    """Apply a relu's gradient where there are fewer elements, or in the kernel that comes next."""
    makers, uses = _makers(operations), _uses(operations, results)
    takers: dict[Value, list[Operation]] = {}
    for operation in operations:
        for value in set(_values(operation)):
            takers.setdefault(value, []).append(operation)
    replaced: dict[Operation, list[Operation]] = {}
    for operation in operations:
        if operation.name != "relu_gradient":
            continue
        g, y = operation.given
        maker = makers.get(g)
        if (
            maker is not None
            and maker.name == "max_pool_to_input"
            and maker.given[1] is y
            and uses[g] == 1
            and maker not in replaced
        ):
            # Where a window's maximum is positive the gradient goes to a positive element, and
            # elsewhere it is zero either way.
            outer, x, pooled, *rest = maker.given
            smaller = Value(outer.trace, outer.shape, outer.dtype)
            replaced[maker] = [Operation("relu_gradient", [outer, pooled], [smaller])]
            replaced[operation] = [
                Operation("max_pool_to_input", [smaller, x, pooled, *rest], operation.made)
            ]
            continue
        result = operation.made[0]
        if uses[result] != 1 or result not in takers:
            continue
        (taker,) = takers[result]
        normal = makers.get(y)
        if (
            taker.name == "batch_norm_gradients"
            and taker.given[0] is result
            and normal is not None
            and normal.name == "batch_norm"
            and normal.told.get("then") == "relu"
            and normal.given[0] is taker.given[1]
        ):
            # The kernel knows which elements its relu has let through.
            replaced[operation] = []
            replaced[taker] = [
                Operation(
                    taker.name, [g, *taker.given[1:]], taker.made, {**taker.told, "then": "relu"}
                )
            ]
    return [new for o in operations for new in replaced.get(o, [o])]


def _with_gradients_of_pooled(
    operations: list[Operation], results: Collection[Value]
) -> list[Operation]:
    """Take a convolution's gradients in the operation that goes back through the pooling.

    Where the gradient by its input is wanted too, all images are needed again at once.
    """
    makers, uses = _makers(operations), _uses(operations, results)
    merged: dict[Operation, Operation] = {}
    gone: set[Operation] = set()
    for operation in operations:
        if operation.name != "convolution_gradients":
            continue
        y, x, w, geometry, _ = operation.given
        maker = makers.get(y)
        if (
            maker is None
            or maker.name != "max_pool_to_input"
            or uses[y] != 1
            or any(uses[value] for value in operation.made[:-2])
        ):
            continue
        g, _, pooled, windows = maker.given
        merged[operation] = Operation(
            "pooled_convolution_gradients",
            [g, pooled, x, w, geometry],
            operation.made[-2:],
            {"shape": y.shape, "windows": windows},
        )
        gone.add(maker)
    return [merged.get(o, o) for o in operations if o not in gone]


def _with_normalized_weights(
    operations: list[Operation], results: Collection[Value]
) -> list[Operation]:
    """Let a convolution's weights do what a normalization by given statistics does behind it."""
    makers, uses = _makers(operations), _uses(operations, results)
    replaced: dict[Operation, list[Operation]] = {}
    for operation in operations:
        if operation.name != "normalize":
            continue
        y, *_, var, _, axis = operation.given
        maker = makers.get(y)
        if (
            maker is not None
            and maker.name == "convolution"
            and "then" not in maker.told
            and uses[y] == 1
            and axis == 1
            and isinstance(var, Value)
            and maker.given[1].size <= y.size
        ):
            replaced[maker] = []
            replaced[operation] = _normalizing(maker, operation)
    return [new for o in operations for new in replaced.get(o, [o])]


def _normalizing(convolution: Operation, normal: Operation) -> list[Operation]:
    """Return a convolution that gives what is normalized behind it.

    ``(conv(x, w) + b - mean) s + beta``, where ``s`` is ``gamma / sqrt(var + eps)``, is
    ``conv(x, w s) + (b - mean) s + beta``: there are fewer weights than pixels.
    """
    x, w, b, geometry = convolution.given
    _, gamma, beta, mean, var, eps, _ = normal.given
    steps: list[Operation] = []

    def step(name: str, shape: tuple[int, ...], *given: Any) -> Value:
        made = Value(w.trace, shape, w.dtype)
        steps.append(Operation(name, list(given), [made]))
        return made

    row, tall = var.shape, (w.shape[0], *(1,) * (len(w.shape) - 1))
    scale = step("true_divide", row, gamma, step("sqrt", row, step("add", row, var, eps)))
    weights = step("multiply", w.shape, w, step("reshape", tall, scale, tall))
    apart = step("negative", row, mean) if b is None else step("subtract", row, b, mean)
    bias = step("add", row, step("multiply", row, apart, scale), beta)
    given = [x, weights, bias, geometry]
    return [
        *steps,
        Operation("convolution", given, normal.made, {**convolution.told, **normal.told}),
    ]


_POOLINGS = ("avg_pool", "max_pool")


def _with_pooled_convolutions(
    operations: list[Operation], results: Collection[Value]
) -> list[Operation]:
    """Pool what a convolution gives in the same operation, where nobody else reads it."""
    makers, uses = _makers(operations), _uses(operations, results)
    # The gradient of a pooling is told its input, and takes nothing but the shape from that.
    for operation in operations:
        if operation.name == "max_pool_to_input":
            uses[operation.given[1]] -= 1
    merged: dict[Operation, Operation] = {}
    gone: set[Operation] = set()
    for operation in operations:
        if operation.name not in _POOLINGS:
            continue
        between, *rest = operation.given
        maker = makers.get(between)
        if maker is not None and maker.name == "convolution" and uses[between] == 1:
            told = {**maker.told, "pooling": operation.name, "pooled": (between.shape, *rest)}
            merged[operation] = Operation(
                "pooled_convolution", maker.given, operation.made, {**operation.told, **told}
            )
            gone.add(maker)
    return [merged.get(o, o) for o in operations if o not in gone]
