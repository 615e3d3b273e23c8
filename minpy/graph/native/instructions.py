"""The instructions of a program: their numbers and what the columns of its table mean."""

from __future__ import annotations

__all__ = ["BINARY", "COLUMNS", "OTHER", "UNARY"]

# Columns of a program's table: the instruction, the addresses of the result and of up to three
# operands, five sizes or strides, and the bits of a number.
COLUMNS = 12

# out[i] = f(a[i]) for i < n
UNARY = {
    name: number
    for number, name in enumerate(
        ("copy", "negative", "exp", "log", "tanh", "sigmoid", "relu", "square", "sqrt",
         "absolute", "sign", "reciprocal", "log1p", "expm1", "softplus", "normal_cdf", "floor"),
        start=1,
    )
}  # fmt: skip

# out[r, c] = f(a[r sa + c ta], b[r sb + c tb]); strides of an operand are 0 where it repeats
BINARY = {
    name: number
    for number, name in enumerate(
        ("add", "subtract", "multiply", "true_divide", "maximum", "minimum", "greater",
         "greater_equal", "less", "less_equal", "equal", "not_equal", "power", "relu_gradient",
         "sigmoid_gradient", "tanh_gradient"),
        start=40,
    )
}  # fmt: skip

OTHER = {
    "product": 80,  # out(m, n) = beta out + a(m, k) b(k, n), each as it lies or transposed
    "sum_rows": 81,  # out(i, c) = sum over r of a(i, r, c), times a number
    "sum_columns": 82,  # out(r) = sum over c of a(r, c), times a number
    "softmax": 83,
    "log_softmax": 84,
    "cross_entropy": 85,  # out(r) = log(sum(exp(a(r)))) - a(r, b(r))
    "cross_entropy_gradient": 86,  # out(r, c) = a(r) (b(r, c) - [c = label(r)])
    "pick": 87,  # out(r) = a(r, b(r))
    "place": 88,  # out(r, c) = a(r) [c = b(r)]
    "where": 89,  # out(i) = b(i) if a(i) else c(i)
    "transpose": 90,  # out(c, r) = a(r, c)
    "maximum_columns": 91,  # out(r) = max over c of a(r, c)
    "fill_rows": 92,  # out(r, c) = a(c)
    "repeat": 94,  # out(r, i, c) = a(r, c)
    "gather_rows": 95,  # out(r, c) = a(b(r), c)
    "scatter_rows": 96,  # out(b(r), c) += a(r, c), from zeros, for as many rows as its third size
    "copy_part": 97,  # out(part) = a(part), where c says what the parts are; see `moves`
    "add_part": 98,  # out(part) += a(part)
    "kernel": 93,  # one of oneDNN's: handle of the kernel, list of arguments, stream, their count
}
