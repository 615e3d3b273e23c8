"""The examples run as they stand, in an interpreter of their own."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import numpy
import pytest

EXAMPLES = pathlib.Path(__file__).parent.parent / "examples"


def run(name, *arguments, cwd):
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_two_layer_net_learns_the_digits(tmp_path):
    out = run("two_layer_net.py", cwd=tmp_path)
    share = float(out.splitlines()[-1].split("%")[0])
    assert share > 90


def test_digits_from_data_to_a_loaded_model(tmp_path):
    out = run("digits.py", tmp_path / "made", cwd=tmp_path)
    share = next(float(line.split("%")[0]) for line in out.splitlines() if "held-out" in line)
    assert share >= 98
    assert "bit for bit" in out
    for name in ("model.h5", "best.h5", "curves.png", "confusion.png"):
        assert (tmp_path / "made" / name).stat().st_size > 1000, name
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "made" / "logs" / "validation"))
    events.Reload()
    accuracy = [e.value for e in events.Scalars("epoch_accuracy")]
    assert len(accuracy) == 30
    assert max(accuracy) >= 0.98
    train = EventAccumulator(str(tmp_path / "made" / "logs" / "train"))
    train.Reload()
    tags = train.Tags()
    assert tags["graph"] and tags["images"] and tags["histograms"]


def test_dot_product_times_both_and_explains_a_missing_gpu(tmp_path):
    out = run("dot_product.py", cwd=tmp_path)
    assert "with cpu()" in out and "with gpu(0)" in out


def test_grayscale_equals_numpys_picture(tmp_path):
    out = run("grayscale.py", cwd=tmp_path)
    assert "numpy" in out and "with cpu()" in out


@pytest.mark.parametrize("name", ["digits", "two_layer_net", "dot_product", "grayscale"])
def test_examples_say_how_to_run_them(name):
    assert f"python examples/{name}.py" in (EXAMPLES / f"{name}.py").read_text()


def test_the_grayscale_weights_are_those_of_bt_601():
    sys.path.insert(0, str(EXAMPLES))
    try:
        import grayscale
    finally:
        sys.path.remove(str(EXAMPLES))
    assert numpy.isclose(sum(grayscale.WEIGHTS), 1)
