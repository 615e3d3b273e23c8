"""Asks Keras and PyTorch, on which it runs, for the values that tests of formulas expect.

Run it where both are installed, which the tests themselves don't need:

    KERAS_BACKEND=torch python tests/keras_values.py
"""

from __future__ import annotations

import json
import os
import pathlib

import numpy

EXPECTED = pathlib.Path(__file__).with_suffix(".json")


def numbers(shape, seed=0, low=-1.0, high=1.0):
    """Return numbers that look random and are the same everywhere: no generator, no library."""
    count = int(numpy.prod(shape))
    i = numpy.arange(count, dtype=numpy.int64)
    mixed = ((i * i * 31 + i * 7919 + seed * 104729 + 12345) * 48271) % 2147483647
    return (low + (high - low) * (mixed % 10007) / 10007.0).reshape(shape)


# --- optimizers -----------------------------------------------------------------------------------

STEPS = 20
SHAPES = {"layer/kernel": (3, 4), "layer/bias": (4,)}

OPTIMIZERS = [
    ("SGD", {}),
    ("SGD", {"learning_rate": 0.1, "momentum": 0.9}),
    ("SGD", {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"learning_rate": 0.1, "weight_decay": 0.1}),
    ("SGD", {"learning_rate": 0.1, "clipvalue": 0.3}),
    ("SGD", {"learning_rate": 0.1, "clipnorm": 0.5}),
    ("SGD", {"learning_rate": 0.1, "global_clipnorm": 0.5}),
    ("RMSprop", {}),
    ("RMSprop", {"learning_rate": 0.01, "rho": 0.8, "epsilon": 1e-4}),
    ("RMSprop", {"learning_rate": 0.01, "momentum": 0.9}),
    ("RMSprop", {"learning_rate": 0.01, "centered": True}),
    ("RMSprop", {"learning_rate": 0.01, "momentum": 0.5, "centered": True, "weight_decay": 0.01}),
    ("Adam", {}),
    ("Adam", {"learning_rate": 0.05, "beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-3}),
    ("Adam", {"learning_rate": 0.05, "amsgrad": True}),
    ("Adam", {"learning_rate": 0.05, "weight_decay": 0.2, "global_clipnorm": 1.0}),
    ("Adam", {"learning_rate": 0.05, "clipnorm": 0.1}),
    ("AdamW", {}),
    ("AdamW", {"learning_rate": 0.05, "weight_decay": 0.1, "amsgrad": True}),
    ("Adamax", {}),
    ("Adamax", {"learning_rate": 0.05, "beta_1": 0.8, "beta_2": 0.9}),
    ("Nadam", {}),
    ("Nadam", {"learning_rate": 0.05, "beta_1": 0.8, "clipvalue": 0.5}),
    ("Adagrad", {}),
    ("Adagrad", {"learning_rate": 0.1, "initial_accumulator_value": 0.5, "epsilon": 1e-3}),
    ("Adadelta", {}),
    ("Adadelta", {"learning_rate": 1.0, "rho": 0.9, "epsilon": 1e-4}),
    ("Lion", {}),
    ("Lion", {"learning_rate": 0.01, "beta_1": 0.8, "beta_2": 0.9, "weight_decay": 0.1}),
    ("Ftrl", {}),
    (
        "Ftrl",
        {
            "learning_rate": 0.1,
            "l1_regularization_strength": 0.05,
            "l2_regularization_strength": 0.1,
            "l2_shrinkage_regularization_strength": 0.2,
            "beta": 0.3,
        },
    ),
    ("Ftrl", {"learning_rate": 0.1, "learning_rate_power": -0.7}),
]

# PyTorch's formulas are Keras' where epsilon vanishes: it stands elsewhere in them.
TORCH = [
    ("SGD", {"lr": 0.1}, {"learning_rate": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}, {"learning_rate": 0.1, "momentum": 0.9}),
    (
        "SGD",
        {"lr": 0.1, "momentum": 0.9, "nesterov": True},
        {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True},
    ),
    ("Adam", {"lr": 0.05, "eps": 1e-12}, {"learning_rate": 0.05, "epsilon": 1e-12}),
    (
        "AdamW",
        {"lr": 0.05, "eps": 1e-12, "weight_decay": 0.1},
        {"learning_rate": 0.05, "epsilon": 1e-12, "weight_decay": 0.1},
    ),
    (
        "RMSprop",
        {"lr": 0.01, "alpha": 0.9, "eps": 1e-12, "momentum": 0.5},
        {"learning_rate": 0.01, "rho": 0.9, "epsilon": 1e-12, "momentum": 0.5},
    ),
    (
        "Adadelta",
        {"lr": 0.5, "rho": 0.9, "eps": 1e-5},
        {"learning_rate": 0.5, "rho": 0.9, "epsilon": 1e-5},
    ),
]

SCHEDULES = [
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.5}),
    (
        "ExponentialDecay",
        {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.5, "staircase": True},
    ),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 20, "power": 2.0}),
    (
        "PolynomialDecay",
        {"initial_learning_rate": 0.1, "decay_steps": 8, "end_learning_rate": 0.01, "cycle": True},
    ),
    ("PiecewiseConstantDecay", {"boundaries": [5, 10, 30], "values": [0.1, 0.05, 0.02, 0.01]}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.5}),
    (
        "InverseTimeDecay",
        {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.5, "staircase": True},
    ),
    ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 25, "alpha": 0.1}),
    (
        "CosineDecay",
        {
            "initial_learning_rate": 0.01,
            "decay_steps": 20,
            "warmup_target": 0.1,
            "warmup_steps": 6,
        },
    ),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 9}),
    (
        "CosineDecayRestarts",
        {
            "initial_learning_rate": 0.1,
            "first_decay_steps": 9,
            "t_mul": 1.0,
            "m_mul": 0.5,
            "alpha": 0.1,
        },
    ),
    (
        "CosineDecayRestarts",
        {"initial_learning_rate": 0.1, "first_decay_steps": 5, "t_mul": 1.5, "m_mul": 0.9},
    ),
]
SCHEDULE_STEPS = [0, 1, 3, 5, 6, 8, 12, 13, 16, 21, 24, 31, 33, 40]


def initial_weights():
    """Return first weights by name."""
    return {name: numbers(shape, 1 + i) for i, (name, shape) in enumerate(SHAPES.items())}


def gradients(step):
    """Return the gradients of a step by name: of changing size and sign."""
    return {
        name: numbers(shape, 50 + 7 * step + i) * (1.0 + (step % 3))
        for i, (name, shape) in enumerate(SHAPES.items())
    }


def train_by_keras(name, arguments, excluded):
    import keras

    variables = [
        keras.Variable(value, dtype="float32", name=path.rpartition("/")[2])
        for path, value in initial_weights().items()
    ]
    optimizer = getattr(keras.optimizers, name)(**arguments)
    if excluded:
        optimizer.exclude_from_weight_decay(var_names=excluded)
    optimizer.build(variables)
    seen = {}
    for step in range(STEPS):
        optimizer.apply(
            [keras.ops.convert_to_tensor(g, "float32") for g in gradients(step).values()]
        )
        if step + 1 in (1, 5, STEPS):
            seen[str(step + 1)] = [plain(v.numpy()) for v in variables]
    return seen


def train_by_torch(name, arguments):
    import torch

    weights = [
        torch.nn.Parameter(torch.tensor(value, dtype=torch.float32))
        for value in initial_weights().values()
    ]
    optimizer = getattr(torch.optim, name)(weights, **arguments)
    for step in range(STEPS):
        for w, g in zip(weights, gradients(step).values(), strict=True):
            w.grad = torch.tensor(g, dtype=torch.float32)
        optimizer.step()
    return [plain(w.detach().numpy()) for w in weights]


# --- losses and metrics ---------------------------------------------------------------------------


def targets(kind, batch=5, seed=0):
    """Return targets and predictions of a kind of problem."""
    if kind == "numbers":
        return numbers((batch, 3), seed + 1), numbers((batch, 3), seed + 2)
    if kind == "positive":
        return numbers((batch, 3), seed + 1, 0.0, 4.0), numbers((batch, 3), seed + 2, 0.1, 4.0)
    if kind == "yes or no":
        chance = numbers((batch, 3), seed + 2, 0.0, 1.0)
        return (numbers((batch, 3), seed + 1) > 0).astype(float), chance
    if kind == "one number":
        return (
            (numbers((batch, 1), seed + 1) > 0).astype(float),
            numbers((batch, 1), seed + 2, 0.0, 1.0),
        )
    if kind == "signs":
        return numpy.sign(numbers((batch, 3), seed + 1)), numbers((batch, 3), seed + 2)
    scores = numbers((batch, 4), seed + 2, 0.05, 1.0)
    labels = (numbers((batch,), seed + 3, 0.0, 4.0)).astype(int)
    if kind == "labels":
        return labels, scores / scores.sum(1, keepdims=True)
    if kind == "labels, logits":
        return labels, 6.0 * numbers((batch, 4), seed + 2)
    if kind == "one-hot":
        return numpy.eye(4)[labels], scores / scores.sum(1, keepdims=True)
    if kind == "one-hot, logits":
        return numpy.eye(4)[labels], 6.0 * numbers((batch, 4), seed + 2)
    if kind == "sequence":
        steps = numbers((batch, 3, 4), seed + 2, 0.05, 1.0)
        return (numbers((batch, 3), seed + 3, 0.0, 4.0)).astype(int), steps / steps.sum(
            -1, keepdims=True
        )
    raise ValueError(kind)


def weights(batch, seed=0):
    """Return a weight for each sample, one of them zero."""
    drawn = numbers((batch,), seed + 9, 0.2, 2.0)
    drawn[0] = 0.0
    return drawn


LOSSES = [
    ("MeanSquaredError", {}, "numbers"),
    ("MeanAbsoluteError", {}, "numbers"),
    ("MeanAbsolutePercentageError", {}, "numbers"),
    ("MeanSquaredLogarithmicError", {}, "positive"),
    ("CosineSimilarity", {}, "numbers"),
    ("CosineSimilarity", {"axis": 0}, "numbers"),
    ("Huber", {}, "numbers"),
    ("Huber", {"delta": 0.3}, "numbers"),
    ("LogCosh", {}, "numbers"),
    ("Hinge", {}, "signs"),
    ("Hinge", {}, "yes or no"),
    ("SquaredHinge", {}, "signs"),
    ("CategoricalHinge", {}, "one-hot"),
    ("KLDivergence", {}, "one-hot"),
    ("KLDivergence", {}, "positive"),
    ("Poisson", {}, "positive"),
    ("BinaryCrossentropy", {}, "yes or no"),
    ("BinaryCrossentropy", {"from_logits": True}, "yes or no"),
    ("BinaryCrossentropy", {"label_smoothing": 0.2}, "yes or no"),
    ("BinaryFocalCrossentropy", {}, "yes or no"),
    (
        "BinaryFocalCrossentropy",
        {"apply_class_balancing": True, "alpha": 0.4, "gamma": 3.0, "from_logits": True},
        "yes or no",
    ),
    ("CategoricalCrossentropy", {}, "one-hot"),
    ("CategoricalCrossentropy", {"from_logits": True}, "one-hot, logits"),
    ("CategoricalCrossentropy", {"label_smoothing": 0.1}, "one-hot"),
    ("CategoricalFocalCrossentropy", {}, "one-hot"),
    (
        "CategoricalFocalCrossentropy",
        {"alpha": 0.5, "gamma": 1.5, "from_logits": True, "label_smoothing": 0.1},
        "one-hot, logits",
    ),
    ("SparseCategoricalCrossentropy", {}, "labels"),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, "labels, logits"),
    ("SparseCategoricalCrossentropy", {"ignore_class": 2}, "labels"),
    ("SparseCategoricalCrossentropy", {}, "sequence"),
    ("SparseCategoricalCrossentropy", {"ignore_class": 1}, "sequence"),
    ("Dice", {}, "yes or no"),
    ("Dice", {"axis": [1]}, "yes or no"),
    ("Tversky", {"alpha": 0.3, "beta": 0.6}, "yes or no"),
]
REDUCTIONS = ["sum_over_batch_size", "sum", "mean", "mean_with_sample_weight"]

METRICS = [
    ("Accuracy", {}, "labels as both"),
    ("BinaryAccuracy", {}, "yes or no"),
    ("BinaryAccuracy", {"threshold": 0.8}, "one number"),
    ("CategoricalAccuracy", {}, "one-hot"),
    ("SparseCategoricalAccuracy", {}, "labels"),
    ("SparseCategoricalAccuracy", {}, "sequence"),
    ("TopKCategoricalAccuracy", {"k": 2}, "one-hot"),
    ("SparseTopKCategoricalAccuracy", {"k": 2}, "labels"),
    ("MeanSquaredError", {}, "numbers"),
    ("RootMeanSquaredError", {}, "numbers"),
    ("MeanAbsoluteError", {}, "numbers"),
    ("MeanAbsolutePercentageError", {}, "numbers"),
    ("MeanSquaredLogarithmicError", {}, "positive"),
    ("LogCoshError", {}, "numbers"),
    ("CosineSimilarity", {}, "numbers"),
    ("PearsonCorrelation", {}, "numbers"),
    ("ConcordanceCorrelation", {}, "numbers"),
    ("R2Score", {}, "numbers"),
    ("R2Score", {"class_aggregation": None}, "numbers"),
    ("R2Score", {"class_aggregation": "variance_weighted_average"}, "numbers"),
    ("R2Score", {"num_regressors": 2}, "numbers"),
    ("BinaryCrossentropy", {}, "yes or no"),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "yes or no"),
    ("CategoricalCrossentropy", {"label_smoothing": 0.1}, "one-hot"),
    ("SparseCategoricalCrossentropy", {}, "labels"),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, "labels, logits"),
    ("KLDivergence", {}, "one-hot"),
    ("Poisson", {}, "positive"),
    ("Hinge", {}, "signs"),
    ("SquaredHinge", {}, "yes or no"),
    ("CategoricalHinge", {}, "one-hot"),
    ("TruePositives", {}, "yes or no"),
    ("TrueNegatives", {"thresholds": [0.3, 0.7]}, "yes or no"),
    ("FalsePositives", {}, "yes or no"),
    ("FalseNegatives", {}, "yes or no"),
    ("Precision", {}, "yes or no"),
    ("Precision", {"thresholds": [0.2, 0.6, 0.9]}, "yes or no"),
    ("Precision", {"top_k": 2}, "one-hot"),
    ("Precision", {"class_id": 1}, "yes or no"),
    ("Recall", {}, "yes or no"),
    ("Recall", {"thresholds": [0.2, 0.6, 0.9]}, "yes or no"),
    ("Recall", {"top_k": 2, "class_id": 1}, "one-hot"),
    ("AUC", {}, "yes or no"),
    ("AUC", {"num_thresholds": 11, "curve": "PR"}, "yes or no"),
    ("AUC", {"curve": "PR", "summation_method": "minoring"}, "yes or no"),
    ("AUC", {"summation_method": "majoring", "thresholds": [0.1, 0.4, 0.8]}, "yes or no"),
    ("AUC", {"curve": "PRGAIN"}, "yes or no"),
    ("AUC", {"multi_label": True, "num_labels": 3}, "yes or no"),
    ("AUC", {"multi_label": True, "num_labels": 3, "curve": "PR"}, "yes or no"),
    ("AUC", {"from_logits": True}, "yes or no"),
    ("SensitivityAtSpecificity", {"specificity": 0.5}, "yes or no"),
    ("SpecificityAtSensitivity", {"sensitivity": 0.6}, "yes or no"),
    ("PrecisionAtRecall", {"recall": 0.5}, "yes or no"),
    ("RecallAtPrecision", {"precision": 0.5}, "yes or no"),
    ("F1Score", {}, "one-hot"),
    ("F1Score", {"average": "macro", "threshold": 0.5}, "yes or no"),
    ("F1Score", {"average": "weighted"}, "one-hot"),
    ("FBetaScore", {"average": "micro", "beta": 2.0}, "one-hot"),
    ("MeanIoU", {"num_classes": 4}, "labels as both"),
    ("IoU", {"num_classes": 4, "target_class_ids": [0, 2]}, "labels as both"),
    ("MeanIoU", {"num_classes": 4, "ignore_class": 1}, "labels as both"),
    ("BinaryIoU", {"threshold": 0.4}, "one number"),
    ("OneHotIoU", {"num_classes": 4, "target_class_ids": [1, 3]}, "one-hot"),
    ("OneHotMeanIoU", {"num_classes": 4}, "one-hot"),
    ("Mean", {}, "values"),
    ("Sum", {}, "values"),
]
BATCHES = [7, 3, 11]


def metric_batch(kind, batch, seed):
    """Return what a metric's update_state gets."""
    if kind == "labels as both":
        true, _ = targets("labels", batch, seed)
        other, _ = targets("labels", batch, seed + 1)
        return true, numpy.where(numbers((batch,), seed + 4) > 0, true, other)
    if kind == "values":
        return (numbers((batch,), seed + 1),)
    return targets(kind, batch, seed)


def loss_by_keras(name, arguments, kind):
    import keras
    import torch

    true, predicted = targets(kind)
    weight = weights(len(true))
    if kind == "sequence":
        weight = numpy.stack([weight, weight[::-1], weight + 0.5], 1)
    found = {}
    leaf = torch.tensor(predicted, dtype=torch.float32, requires_grad=True)
    loss = getattr(keras.losses, name)(**arguments)
    value = loss(true, leaf)
    value.sum().backward()
    found["value"] = plain(value.detach().numpy())
    found["gradient"] = plain(leaf.grad.numpy())
    # A loss over the whole batch has no samples to weight.
    if not (name in ("Dice", "Tversky") and "axis" not in arguments) and arguments.get("axis") != 0:
        for reduction in REDUCTIONS:
            loss = getattr(keras.losses, name)(reduction=reduction, **arguments)
            found[reduction] = plain(loss(true, predicted, sample_weight=weight).numpy())
        loss = getattr(keras.losses, name)(reduction="none", **arguments)
        found["none"] = plain(loss(true, predicted).numpy())
    return found


def metric_by_keras(name, arguments, kind, weighted):
    import keras

    if name.endswith("IoU"):
        # By default these cut weights down to integers, and warn of it; minpy's don't.
        arguments = {**arguments, "dtype": "float32"}
    metric = getattr(keras.metrics, name)(**arguments)
    for i, batch in enumerate(BATCHES):
        given = metric_batch(kind, batch, 100 * i)
        if weighted:
            metric.update_state(*given, sample_weight=weights(batch, 100 * i))
        else:
            metric.update_state(*given)
    return plain(numpy.asarray(metric.result().detach()))


# --- the rest -------------------------------------------------------------------------------------

# Without sparsemax: that of Keras 3.15 returns rows that don't add up to one.
ACTIVATIONS = [
    ("linear", {}),
    ("relu", {}),
    ("relu", {"negative_slope": 0.1, "max_value": 1.5}),
    ("relu", {"threshold": 0.5}),
    ("relu", {"negative_slope": 0.2, "threshold": 0.5}),
    ("leaky_relu", {}),
    ("relu6", {}),
    ("sigmoid", {}),
    ("tanh", {}),
    ("softmax", {}),
    ("log_softmax", {}),
    ("softplus", {}),
    ("softsign", {}),
    ("elu", {"alpha": 0.7}),
    ("selu", {}),
    ("celu", {"alpha": 0.7}),
    ("gelu", {}),
    ("gelu", {"approximate": True}),
    ("silu", {}),
    ("mish", {}),
    ("glu", {}),
    ("exponential", {}),
    ("hard_sigmoid", {}),
    ("hard_silu", {}),
    ("hard_tanh", {}),
    ("hard_shrink", {}),
    ("soft_shrink", {"threshold": 0.3}),
    ("tanh_shrink", {}),
    ("log_sigmoid", {}),
    ("sparse_plus", {}),
    ("sparse_sigmoid", {}),
    ("squareplus", {}),
    ("threshold", {"threshold": 0.2, "default_value": -3.0}),
]

REGULARIZERS = [
    ("L1", {}),
    ("L2", {"l2": 0.3}),
    ("L1L2", {"l1": 0.1, "l2": 0.2}),
    ("OrthogonalRegularizer", {}),
    ("OrthogonalRegularizer", {"factor": 0.5, "mode": "columns"}),
]
CONSTRAINTS = [
    ("MaxNorm", {"max_value": 1.0}),
    ("MaxNorm", {"max_value": 0.5, "axis": 1}),
    ("NonNeg", {}),
    ("UnitNorm", {}),
    ("MinMaxNorm", {"min_value": 0.9, "max_value": 1.1, "rate": 0.5}),
]


def activation_points():
    """Return points of a kind at which every piece of an activation is met."""
    return numbers((4, 6), 3, -4.0, 8.0)


def activation_by_keras(name, arguments):
    import keras
    import torch

    leaf = torch.tensor(activation_points(), dtype=torch.float32, requires_grad=True)
    value = getattr(keras.activations, name)(leaf, **arguments)
    given = torch.tensor(numbers(tuple(value.shape), 4), dtype=torch.float32)
    (value * given).sum().backward()
    return [plain(value.detach().numpy()), plain(leaf.grad.numpy())]


def of_matrix_by_keras(module, name, arguments):
    import keras

    made = getattr(getattr(keras, module), name)(**arguments)
    value = made(keras.ops.convert_to_tensor(numbers((3, 4), 5), "float32"))
    return plain(numpy.asarray(value.detach()))


def plain(value):
    """Return an array as nested lists with as many digits as float32 has."""
    value = numpy.asarray(value, dtype=float)
    return json.loads(json.dumps(value.tolist()), parse_float=lambda s: float(f"{float(s):.9g}"))


def main():
    import keras
    import torch

    if keras.backend.backend() != "torch":
        raise SystemExit("run with KERAS_BACKEND=torch: gradients are taken with PyTorch")
    found = {
        "keras": keras.__version__,
        "torch": torch.__version__,
        "optimizers": [
            [name, arguments, train_by_keras(name, arguments, [])] for name, arguments in OPTIMIZERS
        ],
        "without decay of biases": [
            [name, arguments, train_by_keras(name, arguments, ["bias"])]
            for name, arguments in OPTIMIZERS
            if "weight_decay" in arguments
        ],
        "torch optimizers": [
            [name, ours, train_by_torch(name, theirs)] for name, theirs, ours in TORCH
        ],
        "schedules": [
            [
                name,
                arguments,
                [
                    float(getattr(keras.optimizers.schedules, name)(**arguments)(step))
                    for step in SCHEDULE_STEPS
                ],
            ]
            for name, arguments in SCHEDULES
        ],
        "losses": [[*case, loss_by_keras(*case)] for case in LOSSES],
        "metrics": [
            [*case, metric_by_keras(*case, weighted=False), metric_by_keras(*case, weighted=True)]
            for case in METRICS
        ],
        "activations": [[*case, activation_by_keras(*case)] for case in ACTIVATIONS],
        "regularizers": [
            [*case, of_matrix_by_keras("regularizers", *case)] for case in REGULARIZERS
        ],
        "constraints": [[*case, of_matrix_by_keras("constraints", *case)] for case in CONSTRAINTS],
    }
    lines = []
    for key, value in found.items():
        if isinstance(value, list):
            rows = ",\n".join(json.dumps(row) for row in value)
            lines.append(f"{json.dumps(key)}: [\n{rows}\n]")
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(value)}")
    EXPECTED.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    os.environ.setdefault("KERAS_BACKEND", "torch")
    main()
