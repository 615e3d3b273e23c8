"""The page on derivatives: its examples run, and its tables say what is so."""

from __future__ import annotations

import doctest
import pathlib
import re
import warnings

import numpy
import pytest

import minpy
import minpy.autograd
import minpy.numpy as np

pytest.importorskip("scipy")

PAGE = pathlib.Path(__file__).parent.parent / "docs" / "autograd.md"
TEXT = PAGE.read_text()
ROWS = re.findall(r"^\| `(.+)` \| `(\[.*\])` \| `(\[.*\])` \|$", TEXT, re.MULTILINE)


def test_the_examples_run():
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    test = doctest.DocTestParser().get_doctest(TEXT, {}, PAGE.name, str(PAGE), 0)
    report: list[str] = []
    results = doctest.DocTestRunner(optionflags=flags).run(test, out=report.append)
    assert results.failed == 0, "".join(report)
    assert results.attempted > 30


@pytest.mark.parametrize(("function", "at", "expected"), ROWS, ids=[row[0] for row in ROWS])
def test_the_table_of_awkward_points(function, at, expected):
    minpy.set_default_dtype("float64")
    names = {"np": np, "inf": numpy.inf}
    f = eval(function, names)
    x, slope = (numpy.array(eval(text, names), "float64") for text in (at, expected))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = minpy.grad(lambda x: np.sum(f(x)))(x)
        push = minpy.make_jvp(lambda x: np.sum(f(x)))(x)
        for i in range(x.size):
            assert push(numpy.eye(x.size)[i])[1].tolist() == pytest.approx(slope[i])
    numpy.testing.assert_allclose(found.asnumpy(), slope, rtol=1e-12)


def test_the_tables_are_found():
    assert len(ROWS) >= 18


def test_every_operator_of_the_page_exists_and_every_one_that_exists_is_on_the_page():
    table = TEXT[TEXT.index("| operator | gives |") : TEXT.index("They nest")]
    named = set(re.findall(r"`([a-z_]+)(?:\(|`)", table)) - {"f", "jvp", "value", "vjp", "hvp"}
    ours = {name for name in minpy.autograd.__all__ if not name.startswith("def")}
    ours -= {"primitive", "register_container"}
    assert {name for name in named if hasattr(minpy.autograd, name)} == ours


def test_every_operator_of_hips_is_there():
    hips = pytest.importorskip("autograd.differential_operators")
    names = [n for n in vars(hips) if n.islower() and callable(getattr(hips, n))]
    names = [n for n in names if getattr(hips, n).__module__ == hips.__name__ and n[0] != "_"]
    assert "make_ggnvp" in names
    assert [n for n in names if not hasattr(minpy.autograd, n)] == []
