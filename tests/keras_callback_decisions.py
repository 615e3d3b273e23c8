"""Asks Keras what its callbacks decide, and stores that for test_callbacks_keras.py.

Run it where Keras 3 is installed, which the tests themselves don't need:

    KERAS_BACKEND=numpy python tests/keras_callback_decisions.py
"""

from __future__ import annotations

import json
import pathlib
import random
import tempfile

EXPECTED = pathlib.Path(__file__).with_suffix(".json")


class Optimizer:
    learning_rate = 1.0


class Model:
    """What the three callbacks touch; its weights are the number of the epoch that made them."""

    def __init__(self):
        self.stop_training = False
        self.optimizer = Optimizer()
        self.epoch = None
        self.saved = []

    def get_weights(self):
        return [self.epoch]

    def set_weights(self, weights):
        self.epoch = int(weights[0])

    def save(self, path, **options):
        self.saved.append(pathlib.Path(path).name)


def run(callback, values, monitor):
    """Let a callback see the values as those of successive epochs, until it stops the run."""
    model = Model()
    callback.set_model(model)
    callback.on_train_begin({})
    rates = []
    for epoch, value in enumerate(values):
        model.epoch = epoch
        callback.on_epoch_begin(epoch, {})
        rates.append(model.optimizer.learning_rate)
        callback.on_epoch_end(epoch, {monitor: value})
        if model.stop_training:
            break
    callback.on_train_end({})
    return {
        "epochs": epoch + 1,
        "weights": model.epoch,
        "rates": rates,
        "saved": model.saved,
        "best": getattr(callback, "best", None),
        "stopped_epoch": getattr(callback, "stopped_epoch", None),
        "best_epoch": getattr(callback, "best_epoch", None),
    }


def cases(draw):
    """Draw arguments and values: hundredths, so that ties and exact differences occur."""
    for _ in range(50):
        direction = draw.choice(["min", "max"])
        monitor = {"min": "val_loss", "max": "val_accuracy"}[direction]
        values = [round(draw.uniform(0, 0.3), 2) for _ in range(draw.randint(4, 14))]
        if draw.random() < 0.3:
            values[draw.randint(1, len(values) - 1)] = float("nan")
        common = {"monitor": monitor, "mode": direction}
        yield (
            "EarlyStopping",
            values,
            {
                **common,
                "patience": draw.randint(0, 4),
                "min_delta": draw.choice([0, 0, 0.03, -0.03]),
                "baseline": draw.choice([None, None, 0.1, 0.2]),
                "restore_best_weights": draw.random() < 0.7,
                "start_from_epoch": draw.choice([0, 0, 2, 3]),
            },
        )
        yield (
            "ReduceLROnPlateau",
            values,
            {
                **common,
                "factor": draw.choice([0.1, 0.5]),
                "patience": draw.randint(0, 3),
                "min_delta": draw.choice([1e-4, 0.03]),
                "cooldown": draw.randint(0, 3),
                "min_lr": draw.choice([0, 0.2]),
            },
        )
        yield (
            "ModelCheckpoint",
            values,
            {
                **common,
                "filepath": "{epoch:02d}-{" + monitor + ":.2f}.h5",
                "save_best_only": draw.random() < 0.8,
                "initial_value_threshold": draw.choice([None, None, 0.1]),
            },
        )


def main():
    import keras

    recorded = []
    with tempfile.TemporaryDirectory() as folder:
        for name, values, arguments in cases(random.Random(2024)):
            given = dict(arguments)
            if "filepath" in given:
                given["filepath"] = f"{folder}/{given['filepath']}"
            outcome = run(getattr(keras.callbacks, name)(**given), values, given["monitor"])
            recorded.append([name, arguments, values, outcome])
    lines = ",\n".join(json.dumps(case) for case in recorded)
    EXPECTED.write_text(f'{{"keras": "{keras.__version__}", "cases": [\n{lines}\n]}}\n')
    print(f"{len(recorded)} decisions of Keras {keras.__version__} in {EXPECTED.name}")


if __name__ == "__main__":
    main()
