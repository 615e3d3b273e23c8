"""Puts measured tables into the README and docs/performance.md, between marks that they have.

    python -m benchmarks.publish out/benchmarks/results.json [another/results.json ...]

so that every number there comes from a run, with its machine and date. Runs of several workloads or
batch sizes, on the same machine, are put together.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.summary import best, median, ratio_to_best
from benchmarks.tables import markdown, number, report
from benchmarks.workloads import WORKLOADS

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

# What readers of the README know the libraries as, and the ways of running each.
GROUPS = {
    "Keras": ("keras-tensorflow", "keras-jax", "keras-torch"),
    "PyTorch": ("torch", "torch-compile"),
    "JAX + optax": ("jax",),
    "Gluon": ("gluon",),
}


def compact(results: dict[str, Any], key: str = "train_ms") -> str:
    """Return a table of the best of each library, and how many times as fast minpy is."""
    rows = []
    for case in results["cases"]:
        entries = case["entries"]
        values = {name: median(e[key]) for name, e in entries.items()}
        ours = values.get("minpy")
        row = [f"{case['title']}, batch {case['batch']}", number(ours)]
        others: dict[str, float | None] = {}
        for group, names in GROUPS.items():
            first = best({n: values.get(n) for n in names})
            others[group] = None if first is None else values[first]
            row.append(number(others[group]))
        fastest = best(others)
        ratio = ""
        if fastest is not None and ours:
            ratio = f"{others[fastest] / ours:.2f}×"
        rows.append([*row, ratio])
    return markdown(["ms a step", "minpy", *GROUPS, "best other / minpy"], rows)


def families_line(results: dict[str, Any]) -> str:
    """Return how much longer the best other library takes over the networks of families."""
    ratios = []
    for found in results.get("families", {}).values():
        values = {name: median(samples) for name, samples in found.items()}
        against = ratio_to_best(values, "minpy", [name for name in values if name != "minpy"])
        if against is not None:
            ratios.append(1 / against[0])
    if not ratios:
        return ""
    return (
        f"Of {len(ratios)} more networks, one for each family of layers and the same program for "
        "both (`benchmarks/families.py`), Keras on whichever backend is its fastest takes "
        f"{number(min(ratios))} to {number(max(ratios))} times as long a step (median "
        f"{number(median(ratios))})."
    )


def machine_line(results: dict[str, Any]) -> str:
    """Return what the tables were measured on, in one line."""
    machine = results["machine"]
    told = "; ".join(f"{k}={v}" for k, v in sorted(machine.get("variables", {}).items()))
    return (
        f"{machine['cpu']}, {machine['cores']} cores; {results['date']}; medians of "
        f"{results['rounds']} rounds" + (f"; environment: {told}" if told else "")
    )


def together(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return runs as one: the cases of all in the order of the workloads, the rest of the first.

    Where two runs have the same case, the first counts; the second adds the libraries that the
    first doesn't have.

    Raises
    ------
    ValueError
        If they are not of the same machine.
    """
    first = dict(runs[0])
    for run in runs[1:]:
        for fact in ("cpu", "cores"):
            if run["machine"][fact] != first["machine"][fact]:
                raise ValueError(f"runs of different machines can't be put together ({fact})")
    known = list(WORKLOADS)
    cases: dict[tuple[str, int], dict[str, Any]] = {}
    for run in runs:
        for case in run["cases"]:
            at = case["workload"], case["batch"]
            before = cases.get(at, {}).get("entries", {})
            cases[at] = {**case, "entries": {**case["entries"], **before}}
    first["cases"] = sorted(cases.values(), key=lambda c: (known.index(c["workload"]), c["batch"]))
    peers: dict[str, Any] = {}
    for run in runs:
        for name, told in run["peers"].items():
            kept = peers.setdefault(name, {**told, "versions": {}})
            kept["versions"] = {**kept["versions"], **told["versions"]}
    first["peers"] = peers
    least, most = (f(run["rounds"] for run in runs) for f in (min, max))
    first["rounds"] = least if least == most else f"{least} to {most}"
    for section in ("imports", "operations", "families"):
        first[section] = next((run[section] for run in runs if run.get(section)), {})
    return first


def put(file: Path, text: str) -> None:
    """Replace what a file has between the marks.

    Raises
    ------
    ValueError
        If it has no marks; it stays as it was.
    """
    before, begin, rest = file.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{file}: expected the lines {BEGIN} and {END}")
    file.write_text(f"{before}{BEGIN}\n\n{text.strip()}\n\n{END}{after}")


def main() -> int:
    """Publish the results of the file that the command line names."""
    results = together([json.loads(Path(name).read_text()) for name in sys.argv[1:]])
    parts = [compact(results), families_line(results), f"{machine_line(results)}."]
    put(ROOT / "README.md", "\n\n".join(filter(None, parts)))
    deeper = report(results).replace("\n## ", "\n### ")
    put(ROOT / "docs" / "performance.md", f"{machine_line(results)}.\n\n{deeper}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
