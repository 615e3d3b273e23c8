"""One process that measures one library: reads commands as JSON lines, answers each with a line.

Started by `benchmarks.turns`; it waits, idle, for its turn. Answers go to the standard output that
it was started with; what libraries print goes to standard error instead.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import os
import sys
import time
import traceback
from typing import Any

import numpy

from benchmarks.peers import NotYet
from benchmarks.workloads import WORKLOADS

MAX_REPEATS = 200  # of an epoch in one turn


def peak_memory() -> float:
    """Return the most memory that this process had in RAM, in MiB.

    From the kernel's record of this program alone: `getrusage` also counts what the parent process
    had when it started this one.
    """
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    raise OSError("no VmHWM in /proc/self/status: peak memory can only be read on Linux")


class TrainingBench:
    """Trains and predicts one workload at one batch size, a turn at a time."""

    def __init__(self, module: Any, workload: str, batch: int, data: str, options: dict) -> None:
        self.workload = WORKLOADS[workload]
        with numpy.load(data) as stored:
            x, y = stored["x"], stored["y"]
            weights = {name[2:]: stored[name] for name in stored.files if name.startswith("w:")}
        self.steps = math.ceil(len(x) / batch)
        self.expected = (len(x), *self.workload.output)
        start = time.perf_counter()
        self.training = module.build(self.workload, batch, x, y, weights, **options)
        self.seconds_to_build = time.perf_counter() - start
        self.seconds_an_epoch = self.seconds_a_pass = 0.0

    def begin(self, epochs: int) -> dict[str, Any]:
        """Run the first step, the epochs of the loss curve (not shuffled), and predict."""
        start = time.perf_counter()
        self.training.first_step()
        first = time.perf_counter() - start
        curve = []
        for _ in range(epochs):
            start = time.perf_counter()
            curve += self.training.train(1, shuffle=False)
            self.seconds_an_epoch = time.perf_counter() - start
        for _ in range(2):  # the first one compiles
            start = time.perf_counter()
            predicted = self.training.predict()
            self.seconds_a_pass = time.perf_counter() - start
        if predicted.shape != self.expected:
            raise ValueError(f"predict: expected {self.expected}, got {predicted.shape}")
        note = getattr(self.training, "note", str)()
        return {
            "build_ms": self.seconds_to_build * 1e3,
            "first_step_ms": first * 1e3,
            "curve": curve,
            "mean_prediction": float(numpy.abs(predicted).mean()),
            "note": note,
        }

    def train(self, seconds: float) -> dict[str, Any]:
        """Train for about so long, whole epochs, shuffled; return ms a step."""
        epochs = _repeats(seconds, self.seconds_an_epoch)
        start = time.perf_counter()
        losses = self.training.train(epochs, shuffle=True)
        spent = time.perf_counter() - start
        self.seconds_an_epoch = spent / epochs
        if not numpy.isfinite(losses).all():
            raise FloatingPointError(f"the loss became {losses[-1]}")
        return {"ms": spent / (epochs * self.steps) * 1e3, "loss": losses[-1]}

    def predict(self, seconds: float) -> dict[str, Any]:
        """Predict all the data for about so long; return ms a batch."""
        passes = _repeats(seconds, self.seconds_a_pass)
        start = time.perf_counter()
        for _ in range(passes):
            self.training.predict()
        spent = time.perf_counter() - start
        self.seconds_a_pass = spent / passes
        return {"ms": spent / (passes * self.steps) * 1e3}

    def memory(self) -> dict[str, Any]:
        return {"mib": peak_memory()}


def _repeats(seconds: float, one: float) -> int:
    return max(1, min(MAX_REPEATS, round(seconds / max(one, 1e-6))))


def serve(answers: Any, module_name: str) -> None:
    """Answer commands until standard input ends or says ``exit``."""

    def answer(**content: Any) -> None:
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    try:
        start = time.perf_counter()
        module = importlib.import_module(module_name)
        answer(ok=True, import_ms=(time.perf_counter() - start) * 1e3, versions=module.versions())
    except Exception as error:
        answer(ok=False, error=f"{type(error).__name__}: {error}")
        return
    bench: Any = None
    for line in sys.stdin:
        command = json.loads(line)
        name = command.pop("do")
        try:
            if name == "exit":
                return
            if name == "setup":
                kind = getattr(module, "Bench", TrainingBench)
                bench = kind(module, **command)
                answer(ok=True)
            else:
                answer(ok=True, **getattr(bench, name)(**command))
        except NotYet as missing:
            answer(ok=False, not_yet=str(missing))
        except Exception as error:
            traceback.print_exc()
            answer(ok=False, error=f"{type(error).__name__}: {error}"[:2000])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("module", help="the file that speaks the library, benchmarks.peers.…")
    chosen = parser.parse_args()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    serve(answers, chosen.module)
    answers.flush()
    # Some libraries' threads keep an interpreter from ending; everything is said by now.
    os._exit(0)


if __name__ == "__main__":
    main()
