"""The tool that runs NumPy's own tests puts minpy into them, and lists failures that exist."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy
import pytest

import minpy.numpy as np

ROOT = Path(__file__).resolve().parent.parent
_spec = importlib.util.spec_from_file_location("numpy_suite", ROOT / "tools" / "numpy_suite.py")
suite = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(suite)


def test_what_minpy_has_takes_the_place_of_what_a_test_imports():
    text = "import numpy as np, sys\nfrom numpy import (add,\n    pi)\nx = 'π'; y = 1\n"
    rewritten = suite._rewritten(text)
    assert rewritten.count("\n") == text.count("\n")
    namespace = {"in_its_place": suite._in_its_place}
    exec(rewritten, namespace)
    assert namespace["np"] is np and namespace["add"] is np.add and namespace["pi"] == numpy.pi
    assert suite._in_its_place(numpy.linalg.inv) is np.linalg.inv
    assert suite._in_its_place(numpy.core) is numpy.core


def test_assertions_are_numpys_and_see_numpys_arrays():
    testing = suite._in_its_place(numpy.testing)
    testing.assert_equal([np.ones(2), 1], [numpy.ones(2), 1])
    with pytest.raises(AssertionError, match="Mismatched"):
        testing.assert_array_equal(np.ones(2), np.zeros(2))
    assert testing.assert_raises is numpy.testing.assert_raises


def test_every_failure_that_is_listed_names_a_test_and_a_cause():
    folder = Path(numpy.__file__).parent
    for line, cause in suite.causes().items():
        file, *names = line.split("[")[0].split("::")
        package, name = file.split("/")
        assert name in suite.FILES[package].split(), line
        text = (folder / package / "tests" / f"test_{name}.py").read_text()
        assert cause.endswith("."), line
        assert f"def {names[-1]}(" in text or f"class {names[-1]}" in text, line


def test_the_cause_of_a_failure_is_that_of_the_test_its_function_class_or_file():
    known = {"core/half::TestHalf::test_a": "a", "core/half::TestHalf": "b", "fft/helper": "c"}
    found = [
        suite.cause_of(f"{test}", known)
        for test in (
            "core/tests/test_half.py::TestHalf::test_a[1::2]",
            "core/tests/test_half.py::TestHalf::test_ab",
            "fft/tests/test_helper.py::test_c",
            "fft/tests/test_other.py::test_c",
        )
    ]
    assert found == ["a", "b", "c", None]


def test_a_file_of_numpys_passes(tmp_path):
    suite.copy_tests(tmp_path)
    outcomes, messages = suite.run(tmp_path, "fft/tests/test_helper.py", [])
    assert len(outcomes) >= 8 and set(outcomes.values()) == {"passed"}, messages
    log = (tmp_path / "fft.tests.test_helper.py.log").read_text()
    assert "passed" in log
