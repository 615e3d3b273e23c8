"""The results as a picture: how many times minpy's time each library takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.summary import median


def draw(results: dict[str, Any], path: Path, ours: str = "minpy") -> bool:
    """Write a PNG with a panel for training and one for inference; False if there is nothing."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    cases = [case for case in results["cases"] if case["entries"].get(ours, {}).get("train_ms")]
    peers = [name for name in results["peers"] if name != ours]
    if not cases or not peers:
        return False
    labels = [f"{case['workload']}, {case['batch']}" for case in cases]
    figure, panels = plt.subplots(
        1, 2, figsize=(13, 1.5 + 0.14 * len(cases) * (len(peers) + 2)), sharey=True
    )
    height = 0.85 / len(peers)
    for panel, key, title in zip(
        panels, ("train_ms", "predict_ms"), ("Training", "Inference"), strict=True
    ):
        for i, name in enumerate(peers):
            places, lengths = [], []
            for row, case in enumerate(cases):
                own = median(case["entries"][ours][key])
                other = median(case["entries"].get(name, {}).get(key, []))
                if own and other:
                    places.append(row - 0.425 + (i + 0.5) * height)
                    lengths.append(other / own)
            panel.barh(places, [n - 1 for n in lengths], height, left=1, label=name)
        panel.axvline(1, color="black", linewidth=1)
        panel.set_xscale("log")
        ticks = [0.25, 0.5, 1, 2, 4, 8, 16]
        panel.set_xticks(ticks, [f"{t:g}×" for t in ticks])
        panel.minorticks_off()
        panel.set_title(f"{title}: time as a multiple of {ours}'s")
        panel.grid(axis="x", alpha=0.3)
    panels[0].set_yticks(range(len(cases)), labels)
    panels[0].invert_yaxis()
    panels[1].legend(loc="best", fontsize="small")
    machine = results["machine"]
    figure.suptitle(f"{machine['cpu']}, {machine['cores']} cores, {results['date']}", fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return True
