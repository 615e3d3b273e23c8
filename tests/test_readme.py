"""The programs of the README run as they stand."""

from __future__ import annotations

import pathlib
import re

import numpy
import pytest

README = pathlib.Path(__file__).parent.parent / "README.md"
PROGRAMS = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


@pytest.mark.parametrize("program", PROGRAMS, ids=["training", "gradients"])
def test_the_program_runs(program, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(compile(program, "README.md", "exec"), names)
    if "model" in names:
        assert names["model"].history.history["val_accuracy"][-1] > 0.9
        assert (tmp_path / "digits.h5").stat().st_size > 1000
    else:
        gradient = names["minpy"].grad(names["energy"])(names["np"].array([1.0, 2.0, 3.0]))
        expected = [2.0, numpy.cos(2.0), numpy.cos(3.0)]
        numpy.testing.assert_allclose(gradient.asnumpy(), expected, rtol=1e-6)


def test_training_takes_ten_lines():
    lines = [line for line in PROGRAMS[0].splitlines() if line.strip()]
    assert len(lines) == 10
