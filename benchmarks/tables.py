"""Results as Markdown tables; knows the shape of the result file, and no library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.families import FAMILIES
from benchmarks.summary import curve_deviations, median, ratio_to_best, spread

# A curve further than this from the median of all is marked: that library may be doing less.
CURVE_TOLERANCE = 0.02


def number(value: float | None) -> str:
    """Return three significant digits, without an exponent."""
    if value is None:
        return ""
    if value >= 100:
        return f"{value:,.0f}"
    digits = 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:.{digits}f}"


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table whose columns line up; all but the first to the right."""
    lines = [list(header), *[list(row) for row in rows]]
    widths = [max(3, *(len(line[i]) for line in lines)) for i in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        first, *others = (
            cell.ljust(w) if i == 0 else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(cells, widths, strict=True))
        )
        return "| " + " | ".join([first, *others]) + " |"

    rule = "| " + " | ".join(
        "-" * w if i == 0 else "-" * (w - 1) + ":" for i, w in enumerate(widths)
    )
    return "\n".join([line(header), rule + " |", *map(line, rows[:])])


def _cell(entry: dict[str, Any] | None, value: float | None) -> str:
    if entry is None:
        return "–"
    return entry["status"] if value is None else number(value)


def timing_table(results: dict[str, Any], key: str, ours: str = "minpy") -> str:
    """Return a table of medians, a row a workload and batch; `key` names the samples.

    The best peer's cell is bold; the last column is our time as a multiple of it.
    """
    peers = list(results["peers"])
    others = [name for name in peers if not results["peers"][name]["is_minpy"]]
    rows = []
    for case in results["cases"]:
        entries = case["entries"]
        values = {name: median(entries[name][key]) if name in entries else None for name in peers}
        against = ratio_to_best(values, ours, others)
        row = [f"{case['workload']}, {case['batch']}"]
        for name in peers:
            cell = _cell(entries.get(name), values[name])
            row.append(f"**{cell}**" if against and name == against[1] else cell)
        rows.append([*row, f"{against[0]:.2f}× {against[1]}" if against else ""])
    return markdown(["workload, batch", *peers, f"{ours} / best peer"], rows)


def value_table(results: dict[str, Any], key: str) -> str:
    """Return a table of one value a library, workload and batch."""
    peers = list(results["peers"])
    rows = []
    for case in results["cases"]:
        row = [f"{case['workload']}, {case['batch']}"]
        for name in peers:
            entry = case["entries"].get(name)
            row.append(_cell(entry, entry and entry.get(key)))
        rows.append(row)
    return markdown(["workload, batch", *peers], rows)


def curve_table(results: dict[str, Any]) -> str:
    """Return each library's losses of the first epochs; deviants are marked with their distance."""
    peers = list(results["peers"])
    rows = []
    for case in results["cases"]:
        curves = {n: e["curve"] for n, e in case["entries"].items() if e.get("curve")}
        far = curve_deviations(curves)
        row = [f"{case['workload']}, {case['batch']}"]
        for name in peers:
            if name not in curves:
                row.append(_cell(case["entries"].get(name), None))
                continue
            cell = " ".join(f"{loss:.4f}" for loss in curves[name])
            apart = far[name] > CURVE_TOLERANCE
            row.append(f"{cell} ({far[name]:.0%} apart)" if apart else cell)
        rows.append(row)
    return markdown(["workload, batch", *peers], rows)


def operations_table(results: dict[str, Any]) -> str:
    """Return microseconds a call, a row an operation, a column a library."""
    libraries = list(results["operations"])
    names = list(dict.fromkeys(n for found in results["operations"].values() for n in found))
    rows = [
        [name, *(number(median(results["operations"][lib].get(name, []))) for lib in libraries)]
        for name in names
    ]
    return markdown(["µs a call", *libraries], rows)


def families_table(results: dict[str, Any]) -> str:
    """Return ms a training step, a row a family of layers, and minpy's part of the best other."""
    libraries = list(dict.fromkeys(n for found in results["families"].values() for n in found))
    others = [name for name in libraries if name != "minpy"]
    rows = []
    for family, found in results["families"].items():
        values = {name: median(found.get(name, [])) for name in libraries}
        against = ratio_to_best(values, "minpy", others)
        ratio = f"{against[0]:.2f}× {against[1]}" if against else ""
        cells = [number(values[name]) or "–" for name in libraries]
        rows.append([f"{family}: {FAMILIES[family][0]}", *cells, ratio])
    return markdown(["ms a step", *libraries, "minpy / best peer"], rows)


def noise(results: dict[str, Any]) -> float:
    """Return the median over all cases and libraries of the spread of the training samples."""
    found = [
        spread(entry["train_ms"])
        for case in results["cases"]
        for entry in case["entries"].values()
        if len(entry["train_ms"]) > 1
    ]
    return median(found) or 0.0


def disturbance(results: dict[str, Any]) -> tuple[float, float]:
    """Return how many cores others used during training turns: the median and the most."""
    found = [
        cores
        for case in results["cases"]
        for entry in case["entries"].values()
        for cores in entry["disturbance"]
    ]
    return (median(found) or 0.0, max(found, default=0.0))


def report(results: dict[str, Any]) -> str:
    """Return everything that was measured, as one Markdown text."""
    machine = results["machine"]
    parts = [
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']:.0f} GiB; "
        f"{machine['system']}; {results['date']}; load before: {machine['load']:.1f}",
        "; ".join(
            f"{name}: " + ", ".join(f"{k} {v}" for k, v in peer["versions"].items())
            for name, peer in results["peers"].items()
            if peer["versions"]
        ),
    ]
    if results["cases"]:
        parts += [
            f"Medians of {results['rounds']} rounds; the samples of one cell lie "
            f"±{noise(results):.0%} apart (median over cells). Other programs used "
            "{:.2f} cores during a turn (median), at most {:.2f}.".format(*disturbance(results)),
            "## Training, ms a step",
            timing_table(results, "train_ms"),
            "## Inference, ms a batch",
            timing_table(results, "predict_ms"),
            "## First step, ms (compiling included)",
            value_table(results, "first_step_ms"),
            "## Peak memory, MiB",
            value_table(results, "peak_mib"),
            "## Loss, first epochs (same weights, same order)",
            curve_table(results),
        ]
    if results["imports"]:
        row = [number(median(samples)) for samples in results["imports"].values()]
        parts += ["## Import, ms", markdown(["", *results["imports"]], [["import", *row]])]
    if results["operations"]:
        parts += ["## Operations", operations_table(results)]
    if results.get("families"):
        parts += [
            "## Families of layers",
            "The same program for minpy and Keras but for its imports "
            "(`benchmarks/families.py`), channels at the end.",
            families_table(results),
        ]
    reasons = {
        f"{name}, {case['workload']}, {case['batch']}: {entry['status']}: {entry['reason']}"
        for case in results["cases"]
        for name, entry in case["entries"].items()
        if entry["reason"]
    }
    notes = {
        f"{name}, {case['workload']}, {case['batch']}: {entry['note']}"
        for case in results["cases"]
        for name, entry in case["entries"].items()
        if entry.get("note") not in (None, "", "compiled")
    }
    if reasons | notes:
        parts += ["## Notes", "\n".join(f"- {text}" for text in sorted(reasons | notes))]
    return "\n\n".join(parts) + "\n"
