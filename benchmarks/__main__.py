"""The command: chooses what is measured, lets the libraries take turns, prints and writes results.

    make bench                                      everything (hours)
    make bench ARGS="--quick"                       a few minutes
    make bench ARGS="--workloads mlp,cnn --batches 32,128 --peers minpy,torch --rounds 7"

Writes results.json, report.md and chart.png into the output folder; after each workload, so that
nothing is lost when it is interrupted.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy

from benchmarks import machine, tables
from benchmarks.chart import draw
from benchmarks.families import FAMILIES
from benchmarks.nodes import initial_weights
from benchmarks.operations import LIBRARIES
from benchmarks.peers import OURS, PEERS, THEIRS, Peer
from benchmarks.turns import ROOT, Calm, Command, Turns, Worker, take_turns
from benchmarks.workloads import WORKLOADS, Workload

SEED = 0
QUICK = {
    "workloads": ["mlp", "cnn", "deep"],
    "families": ["tabular", "attention"],
    "batches": [128],
    "rounds": 2,
    "seconds": 0.3,
}
SECTIONS = ("workloads", "imports", "operations", "families")


def _listed(known: Any, what: str) -> Any:
    def parse(text: str) -> list:
        names = [name.strip() for name in text.split(",") if name.strip()]
        wrong = [name for name in names if name not in known]
        if wrong or not names:
            raise argparse.ArgumentTypeError(
                f"no {what} {', '.join(map(repr, wrong)) or repr(text)}; there are "
                + ", ".join(known)
            )
        return names

    return parse


def _batches(text: str) -> list[int]:
    try:
        sizes = [int(part) for part in text.split(",")]
    except ValueError:
        sizes = []
    if not sizes or min(sizes) < 1:
        raise argparse.ArgumentTypeError(f"expected batch sizes such as 32,128, got {text!r}")
    return sizes


def _positive(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got {text!r}")
    return int(text)


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line; `--quick` sets what isn't said otherwise."""
    parser = argparse.ArgumentParser(
        "make bench ARGS=…", description="Measure minpy beside other libraries."
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="three workloads, batch 128, two short rounds")
    add("--workloads", type=_listed(WORKLOADS, "workload"), help=", ".join(WORKLOADS))
    add("--batches", type=_batches, help="for example 32,128; by default each workload's own")
    add("--peers", type=_listed(PEERS, "peer"), default=list(PEERS), help=", ".join(PEERS))
    add("--families", type=_listed(FAMILIES, "family"), help=", ".join(FAMILIES))
    add("--rounds", type=_positive, help="turns for each library; 5")
    add("--seconds", type=float, help="length of a turn, for training and for inference; 1")
    add("--epochs", type=_positive, default=3, help="of the loss curve; 3")
    add(
        "--sections",
        type=_listed(SECTIONS, "section"),
        default=list(SECTIONS),
        help="of the report",
    )
    add(
        "--patience",
        type=float,
        default=60,
        help="seconds that a workload may wait, and repeat turns, while others use the machine; 60",
    )
    add("--timeout", type=float, default=600, help="seconds that one answer may take; 600")
    add("--output", type=Path, default=Path("out/benchmarks"), help="folder for the results")
    add("--python", default=sys.executable, help="interpreter that has minpy")
    add("--peer-python", default=sys.executable, help="interpreter that has the other libraries")
    chosen = parser.parse_args(given)
    defaults = {
        "workloads": list(WORKLOADS),
        "families": list(FAMILIES),
        "batches": None,
        "rounds": 5,
        "seconds": 1.0,
    }
    for name, value in (defaults | (QUICK if chosen.quick else {})).items():
        if getattr(chosen, name) is None:
            setattr(chosen, name, value)
    return chosen


def cases(names: list[str], batches: list[int] | None) -> list[tuple[Workload, int]]:
    """Return the workloads with their batch sizes.

    One that is made for a single size is measured at that, whatever was asked for.
    """
    found = []
    for name in names:
        workload = WORKLOADS[name]
        own = workload.batches
        sizes = own if batches is None or len(own) == 1 else batches
        found += [(workload, batch) for batch in sizes]
    return found


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _interpreter(chosen: argparse.Namespace, environment: str) -> str:
    return {OURS: chosen.python, THEIRS: chosen.peer_python}[environment]


def entry(turns: Turns) -> dict[str, Any]:
    """Return one library's part of a case as the result file has it."""
    begun = (turns.answers.get("begin") or [{}])[0]
    memory = turns.values("memory", "mib")
    return {
        "status": turns.status,
        "reason": turns.reason,
        "note": begun.get("note", ""),
        "train_ms": turns.values("train", "ms"),
        "predict_ms": turns.values("predict", "ms"),
        "disturbance": turns.values("train", "disturbance"),
        "build_ms": begun.get("build_ms"),
        "first_step_ms": begun.get("first_step_ms"),
        "curve": begun.get("curve"),
        "losses": turns.values("train", "loss"),
        "peak_mib": memory[0] if memory else None,
    }


def measure_case(
    chosen: argparse.Namespace, workload: Workload, batch: int, folder: Path
) -> dict[str, Turns]:
    """Let all libraries train and predict one workload at one batch size."""
    x, y = workload.data(batch, SEED)
    weights = initial_weights(workload.nodes, workload.shape, SEED)
    data = folder / f"{workload.name}-{batch}.npz"
    numpy.savez(data, x=x, y=y, **{f"w:{name}": a for name, a in weights.items()})

    def start(peer: Peer) -> Worker:
        python = _interpreter(chosen, peer.environment)
        return Worker(python, f"benchmarks.peers.{peer.module}", peer.variables, chosen.timeout)

    peers = [PEERS[name] for name in chosen.peers]
    setup = {"workload": workload.name, "batch": batch, "data": str(data)}
    turn = {"seconds": chosen.seconds}
    try:
        return take_turns(
            {peer.name: partial(start, peer) for peer in peers},
            {
                peer.name: [
                    Command("setup", {**setup, "options": peer.options}),
                    Command("begin", {"epochs": chosen.epochs}),
                ]
                for peer in peers
            },
            [Command("train", turn, True), Command("predict", turn, True)],
            chosen.rounds,
            [Command("memory")],
            Calm(patience=chosen.patience),
            lambda text: say(f"{workload.name}, {batch}: {text}"),
        )
    finally:
        data.unlink()


def measure_imports(chosen: argparse.Namespace) -> dict[str, list[float]]:
    """Return ms of each library's import in a fresh process, a sample a round."""
    samples: dict[str, list[float]] = {}
    # Two ways of using one library import the same.
    kinds = {str((p.imports, p.variables)): p for p in (PEERS[n] for n in chosen.peers[::-1])}
    for number in range(chosen.rounds + 1):
        for peer in list(kinds.values())[::-1]:
            code = (
                f"import time; start = time.perf_counter(); {peer.imports}; "
                "print(time.perf_counter() - start)"
            )
            done = subprocess.run(
                [_interpreter(chosen, peer.environment), "-c", code],
                capture_output=True,
                text=True,
                cwd=ROOT,
                env={**os.environ, **peer.variables},
            )
            if done.returncode == 0 and number:  # the first round reads the files from disk
                spent = float(done.stdout.split()[-1]) * 1e3
                samples.setdefault(peer.name, []).append(spent)
    return samples


def measure_operations(chosen: argparse.Namespace) -> dict[str, dict[str, list[float]]]:
    """Return µs a call: library → operation → samples."""

    def start(environment: str) -> Worker:
        python = _interpreter(chosen, environment)
        return Worker(python, "benchmarks.operations", timeout=chosen.timeout)

    turns = take_turns(
        {name: partial(start, environment) for name, (environment, *_) in LIBRARIES.items()},
        {name: [Command("setup", {"library": name})] for name in LIBRARIES},
        [Command("measure", {"seconds": min(0.2, chosen.seconds)}, True)],
        chosen.rounds,
        calm=Calm(patience=chosen.patience),
        say=lambda text: say(f"operations: {text}"),
    )
    found: dict[str, dict[str, list[float]]] = {}
    for library, said in turns.items():
        for answer in said.values("measure", "us"):
            for name, value in answer.items():
                found.setdefault(library, {}).setdefault(name, []).append(value)
    return found


def measure_families(chosen: argparse.Namespace) -> dict[str, dict[str, list[float]]]:
    """Return ms a training step: family of layers → library → samples.

    Of the peers those take part that run the same program: minpy, and Keras on its backends.
    """
    peers = [PEERS[name] for name in chosen.peers]
    peers = [p for p in peers if p.module == "keras_peer" or p.name == "minpy"]
    found: dict[str, dict[str, list[float]]] = {}
    for family in chosen.families:

        def start(peer: Peer) -> Worker:
            python = _interpreter(chosen, peer.environment)
            return Worker(python, "benchmarks.families", peer.variables, chosen.timeout)

        def setup(peer: Peer, family: str = family) -> Command:
            return Command("setup", {"library": _library(peer), "family": family})

        turns = take_turns(
            {peer.name: partial(start, peer) for peer in peers},
            {peer.name: [setup(peer)] for peer in peers},
            [Command("train", {"seconds": chosen.seconds}, True)],
            chosen.rounds,
            calm=Calm(patience=chosen.patience),
            say=lambda text, family=family: say(f"{family}: {text}"),
        )
        for name, said in turns.items():
            if said.reason:
                say(f"{family}: {name}: {said.reason}")
        found[family] = {name: said.values("train", "ms") for name, said in turns.items()}
    return found


def _library(peer: Peer) -> str:
    return "minpy" if peer.is_minpy else "keras"


def write(results: dict[str, Any], folder: Path) -> str:
    """Write results.json, report.md and chart.png; return the report."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    text = tables.report(results)
    (folder / "report.md").write_text(text)
    draw(results, folder / "chart.png")
    return text


def main() -> int:
    chosen = arguments()
    results: dict[str, Any] = {
        "date": datetime.date.today().isoformat(),
        "machine": machine.describe(),
        "options": {"command": " ".join(sys.argv[1:]), "seconds": chosen.seconds},
        "rounds": chosen.rounds,
        "peers": {
            name: {"is_minpy": PEERS[name].is_minpy, "versions": {}} for name in chosen.peers
        },
        "cases": [],
        "imports": {},
        "operations": {},
        "families": {},
    }
    if "imports" in chosen.sections:
        say("imports")
        results["imports"] = measure_imports(chosen)
    if "operations" in chosen.sections:
        results["operations"] = measure_operations(chosen)
    if "families" in chosen.sections:
        results["families"] = measure_families(chosen)
    with tempfile.TemporaryDirectory() as folder:
        for workload, batch in (
            cases(chosen.workloads, chosen.batches) if "workloads" in chosen.sections else []
        ):
            turns = measure_case(chosen, workload, batch, Path(folder))
            for name, said in turns.items():
                results["peers"][name]["versions"] |= said.greeting.get("versions", {})
            entries = {name: entry(said) for name, said in turns.items()}
            results["cases"].append(
                {
                    "workload": workload.name,
                    "title": workload.title,
                    "batch": batch,
                    "entries": entries,
                }
            )
            write(results, chosen.output)
    print(write(results, chosen.output))
    say(f"Written to {chosen.output}: results.json, report.md, chart.png")
    return 1 if unmeasured(results) else 0


def unmeasured(results: dict[str, Any]) -> list[str]:
    """Return the libraries that failed somewhere, and minpy also where it could not start."""
    wrong = {True: ("failed", "unavailable"), False: ("failed",)}
    return [
        name
        for case in results["cases"]
        for name, found in case["entries"].items()
        if found["status"] in wrong[results["peers"][name]["is_minpy"]]
    ]


if __name__ == "__main__":
    sys.exit(main())
