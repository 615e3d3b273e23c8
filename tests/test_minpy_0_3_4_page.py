"""The programs of the page about minpy 0.3.4 run as they stand, and its table names what exists."""

from __future__ import annotations

import importlib
import pathlib
import re

import pytest

from minpy import runtime

PAGE = (pathlib.Path(__file__).parent.parent / "docs" / "minpy_0_3_4.md").read_text()
PROGRAMS = re.findall(r"### ([^\n]*)\n.*?```python( mxnet)?\n(.*?)```", PAGE, re.DOTALL)


def test_every_limitation_is_shown():
    assert [title for title, _, _ in PROGRAMS] == [
        "In-place operations",
        "NumPy's arrays and minpy's, mixed",
        "NumPy's submodules",
        "One symbol, several calls before the backward pass",
    ]


@pytest.mark.parametrize(
    ("mxnet", "program"), [p[1:] for p in PROGRAMS], ids=[p[0] for p in PROGRAMS]
)
def test_the_program_runs(mxnet, program):
    if mxnet and not runtime.available():
        pytest.skip("needs mxnet")
    assert "assert" in program
    exec(compile(program, "minpy_0_3_4.md", "exec"), {})


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(minpy\.[\w.]+)", PAGE))))
def test_the_names_on_the_page_exist(name):
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[length:]:
            found = getattr(found, attribute)
        return
