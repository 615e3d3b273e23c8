"""Asks Keras for the steps of optimizers that look at whole matrices, and of shared options.

Run it where Keras is installed, which the tests themselves don't need:

    KERAS_BACKEND=jax python tests/keras_optimizers.py

On JAX: on PyTorch and TensorFlow the old momentum of Keras 3.15's ScheduleFreeAdamW is the new one,
which was written into the same memory.
"""

from __future__ import annotations

import json
import os
import pathlib

from keras_values import numbers, plain

EXPECTED = pathlib.Path(__file__).with_suffix(".json")

STEPS = 20
SHAPES = {
    "dense/kernel": (5, 3),
    "dense/bias": (3,),
    "embedding/embeddings": (4, 2),
    "attention/kernel": (2, 3, 4),
    "out/kernel": (2, 4),
}

OPTIMIZERS = [
    ("Adafactor", {}),
    ("Adafactor", {"learning_rate": 0.5, "beta_2_decay": -0.5, "clip_threshold": 0.7}),
    ("Adafactor", {"learning_rate": 0.1, "weight_decay": 0.1, "clipnorm": 0.5}),
    ("Adafactor", {"learning_rate": 0.1, "epsilon_2": 2.0, "relative_step": False}),
    ("Lamb", {}),
    ("Lamb", {"learning_rate": 0.05, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3}),
    ("Lamb", {"learning_rate": 0.05, "weight_decay": 0.1, "clipnorm": 0.5}),
    ("Lamb", {"learning_rate": 0.05, "use_ema": True, "ema_momentum": 0.8}),
    ("Muon", {}),
    ("Muon", {"learning_rate": 0.05, "exclude_layers": ["out"], "nesterov": False}),
    ("Muon", {"learning_rate": 0.02, "rms_rate": None, "exclude_embeddings": False}),
    ("Muon", {"learning_rate": 0.02, "adam_lr_ratio": 0.3, "weight_decay": 0.2, "ns_steps": 3}),
    ("Muon", {"learning_rate": 0.02, "adam_weight_decay": 0.3, "global_clipnorm": 0.5}),
    ("ScheduleFreeAdamW", {}),
    ("ScheduleFreeAdamW", {"learning_rate": 0.05, "warmup_steps": 7, "weight_decay": 0.1}),
    ("ScheduleFreeAdamW", {"learning_rate": 0.05, "beta_1": 0.5, "beta_2": 0.9, "clipvalue": 0.4}),
    ("SGD", {"learning_rate": 0.1, "use_ema": True}),
    ("Adam", {"learning_rate": 0.05, "use_ema": True, "ema_momentum": 0.7}),
    (
        "Adam",
        {
            "learning_rate": 0.05,
            "use_ema": True,
            "ema_momentum": 0.7,
            "ema_overwrite_frequency": 4,
            "weight_decay": 0.1,
        },
    ),
    ("SGD", {"learning_rate": 0.1, "momentum": 0.9, "gradient_accumulation_steps": 3}),
    ("Adam", {"learning_rate": 0.05, "gradient_accumulation_steps": 2, "clipnorm": 0.4}),
    (
        "RMSprop",
        {
            "learning_rate": 0.05,
            "gradient_accumulation_steps": 4,
            "use_ema": True,
            "ema_momentum": 0.6,
            "ema_overwrite_frequency": 3,
        },
    ),
    ("Adam", {"learning_rate": 0.05, "loss_scale_factor": 8.0, "global_clipnorm": 0.3}),
    ("Adamax", {"learning_rate": 0.05, "loss_scale_factor": 8.0, "weight_decay": 0.1}),
]


def initial_weights():
    """Return first weights by path."""
    return {path: numbers(shape, 1 + i) for i, (path, shape) in enumerate(SHAPES.items())}


def gradients(step):
    """Return the gradients of a step by path: of changing size and sign."""
    return {
        path: numbers(shape, 50 + 7 * step + i) * (1.0 + (step % 3))
        for i, (path, shape) in enumerate(SHAPES.items())
    }


def train_by_keras(name, arguments, excluded=()):
    import keras

    variables = []
    for path, value in initial_weights().items():
        scope, _, own = path.rpartition("/")
        with keras.name_scope(scope):
            variables.append(keras.Variable(value, dtype="float32", name=own))
    optimizer = getattr(keras.optimizers, name)(**arguments)
    if excluded:
        optimizer.exclude_from_weight_decay(
            var_list=[v for v in variables if v.path in excluded], var_names=["bias"]
        )
    optimizer.build(variables)
    seen = {}
    for step in range(STEPS):
        optimizer.apply(
            [keras.ops.convert_to_tensor(g, "float32") for g in gradients(step).values()]
        )
        if step + 1 in (1, 2, 8, STEPS):
            seen[str(step + 1)] = [plain(v.numpy()) for v in variables]
    optimizer.finalize_variable_values(variables)
    seen["final"] = [plain(v.numpy()) for v in variables]
    return seen


def scale_by_keras():
    """Return scales, and the weights, of a run with gradients that overflow now and then."""
    import keras

    variable = keras.Variable(initial_weights()["dense/bias"], dtype="float32")
    optimizer = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.Adam(0.05), initial_scale=16.0, dynamic_growth_steps=3
    )
    optimizer.build([variable])
    found, weights, state = [], [variable.value], [v.value for v in optimizer.variables]
    names = [v.path.rpartition("/")[2] for v in optimizer.variables]
    for step in range(STEPS):
        given = gradients(step)["dense/bias"]
        if step % 7 == 4:
            given = given * float("inf")
        weights, state = optimizer.stateless_apply(
            state, [keras.ops.convert_to_tensor(given, "float32")], weights
        )
        found.append([float(state[names.index("dynamic_scale")]), plain(weights[0])])
    return found


MULTI = [
    (
        ("SGD", {"learning_rate": 0.1, "momentum": 0.9, "global_clipnorm": 0.8}),
        {
            "dense/.*": ("Adam", {"learning_rate": 0.05, "weight_decay": 0.1}),
            ".*/embeddings": ("Adagrad", {"learning_rate": 0.2}),
        },
    ),
    (
        ("Lamb", {"learning_rate": 0.05, "use_ema": True, "ema_momentum": 0.7}),
        {".*/bias": ("SGD", {"learning_rate": 0.1}), "out/kernel": ("Lion", {"clipvalue": 0.1})},
    ),
]


def train_several_by_keras(default, chosen):
    import keras

    def make(case):
        return getattr(keras.optimizers, case[0])(**case[1])

    return train_by_keras(
        "MultiOptimizer",
        {
            "optimizer_map": keras.optimizers.OptimizerMap(
                make(default), {key: make(case) for key, case in chosen.items()}
            )
        },
    )


ONE_CYCLES = [
    ({"max_lr": 0.1, "total_steps": 40}, {"max_learning_rate": 0.1, "total_steps": 40}),
    (
        {"max_lr": 0.5, "total_steps": 30, "pct_start": 0.5, "anneal_strategy": "linear"},
        {"max_learning_rate": 0.5, "total_steps": 30, "rising": 0.5, "shape": "linear"},
    ),
    (
        {"max_lr": 1.0, "total_steps": 33, "div_factor": 5.0, "final_div_factor": 10.0},
        {"max_learning_rate": 1.0, "total_steps": 33, "div_factor": 5.0, "final_div_factor": 10.0},
    ),
]


def rates_by_torch(arguments):
    import torch

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, cycle_momentum=False, **arguments)
    found = [schedule.get_last_lr()[0]]
    for _ in range(arguments["total_steps"] - 1):
        optimizer.step()
        schedule.step()
        found.append(schedule.get_last_lr()[0])
    return plain(found)


def main():
    import keras

    rows = {
        "optimizers": [[*case, train_by_keras(*case)] for case in OPTIMIZERS],
        "excluded": [
            [*case, train_by_keras(*case, excluded=["dense/kernel"])]
            for case in (
                ("AdamW", {"learning_rate": 0.05, "weight_decay": 0.3}),
                ("Lamb", {"learning_rate": 0.05, "weight_decay": 0.3}),
                ("Muon", {"learning_rate": 0.05, "weight_decay": 0.3}),
            )
        ],
        "several": [[*case, train_several_by_keras(*case)] for case in MULTI],
        "loss scale": scale_by_keras(),
        "one cycles of torch": [[own, rates_by_torch(torchs)] for torchs, own in ONE_CYCLES],
    }
    lines = [f'"keras": {json.dumps(keras.__version__)}']
    for key, value in rows.items():
        lines.append(f'"{key}": [\n' + ",\n".join(json.dumps(row) for row in value) + "\n]")
    EXPECTED.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    os.environ.setdefault("KERAS_BACKEND", "jax")
    main()
