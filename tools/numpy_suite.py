"""Runs NumPy's own tests with minpy.numpy in NumPy's place.

Run from the repository: ``python tools/numpy_suite.py [FILE ...]``, ``core/test_umath`` for one
file, ``--failures`` to see each test that fails. The tests are those that the installed NumPy came
with; they are copied to a folder of their own, and after each import of a module or a name of
NumPy's, what minpy has of the same name takes its place. NumPy's assertions stay, and are given
NumPy arrays.

tools/numpy_suite_causes.txt says why tests are expected to fail; a failure that it doesn't list
makes the run fail.
"""

from __future__ import annotations

import argparse
import ast
import builtins
import collections
import functools
import importlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CAUSES = Path(__file__).with_name("numpy_suite_causes.txt")

# The tests of what minpy.numpy has; left out are those of NumPy's C interface, its build, strings,
# records, dates, and of what it has deprecated.
FILES = {
    "core": "array_interface arrayprint dlpack dtype einsum errstate function_base getlimits half "
    "indexerrors indexing item_selection mem_overlap multiarray nep50_promotions numeric overrides "
    "protocols scalarmath shape_base ufunc umath umath_complex",
    "lib": "arraypad arraysetops function_base histograms index_tricks io loadtxt nanfunctions "
    "packbits polynomial shape_base stride_tricks twodim_base type_check ufunclike",
    "linalg": "linalg regression",
    "fft": "helper pocketfft",
    "random": "generator_mt19937 generator_mt19937_regressions random randomstate "
    "randomstate_regression regression seed_sequence smoke",
    "polynomial": "chebyshev classes hermite hermite_e laguerre legendre polynomial polyutils "
    "printing symbol",
    "ma": "core extras old_ma regression",
}

# Hand our arrays to a function in C that takes whatever comes for one of NumPy's: a crash.
CRASHING = ["core/tests/test_multiarray.py::TestTemporaryElide::test_extension_incref_elide"]

# Where a test leans on NumPy's own types in passing: what it says, and what it says instead.
EDITS = {
    # A number of ours prints as an array.
    "core/test_multiarray": ("Decimal(repr(r))", "Decimal(repr(float(r)))"),
    # Functions written in Python become methods of a class; those in C don't.
    "linalg/test_linalg": ("    array = np.array\n", "    array = staticmethod(np.array)\n"),
    # The state of a bit generator is in NumPy's arrays.
    "random/test_smoke": ("tuple, np.ndarray)", "tuple, np.ndarray, __import__('numpy').ndarray)"),
}

# --- in the process that runs the tests -----------------------------------------------------------


def _plain(value: Any) -> Any:
    """Return nested tuples, lists and dicts with NumPy arrays in the place of minpy's."""
    import minpy.numpy as np
    from minpy.array import makes_array_of_ours

    if makes_array_of_ours(value):
        value = value.__array__()
    if type(value) is np.ndarray:
        return value.asnumpy() if value.ndim else value.asnumpy()[()]
    if type(value) in (tuple, list):
        return type(value)(_plain(part) for part in value)
    if type(value) is dict:
        return {name: _plain(part) for name, part in value.items()}
    return value


def _assertion(function: Any) -> Any:
    @functools.wraps(function)
    def check(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        return function(*_plain(args), **_plain(kwargs))

    return check


# These call what they are given, and stay as they are.
_CALLING = "raises raises_regex warns no_warnings no_gc_cycles"


@functools.cache
def _testing(module: types.ModuleType) -> types.ModuleType:
    """Return numpy.testing with assertions that take minpy arrays."""
    made = types.ModuleType(module.__name__)
    made.__dict__.update(vars(module))
    calling = {f"assert_{name}" for name in _CALLING.split()}
    for name, value in vars(module).items():
        if name.startswith("assert_") and isinstance(value, types.FunctionType):
            made.__dict__[name] = value if name in calling else _assertion(value)
    return made


@functools.cache
def _counterparts() -> dict[int, Any]:
    """Return minpy's functions and classes by the identity of NumPy's."""
    import numpy

    import minpy.numpy as np

    found = {}
    for theirs, ours in [
        (numpy, np),
        (numpy.linalg, np.linalg),
        (numpy.fft, np.fft),
        (numpy.random, np.random),
    ]:
        for name in dir(theirs):
            value = getattr(theirs, name)
            own = getattr(ours, name, None)
            stands = callable(value) or name in ("mgrid", "ogrid", "r_", "c_", "s_")
            if own is not None and own is not value and stands:
                found[id(value)] = own
    return found


def _in_its_place(value: Any) -> Any:
    """Return what stands for an imported name of NumPy's in the tests."""
    if isinstance(value, types.ModuleType):
        name = value.__name__
        if name in ("numpy.testing", "numpy.ma.testutils"):
            return _testing(value)
        mirror = "minpy." + name
        try:
            found = importlib.util.find_spec(mirror)
        except (ModuleNotFoundError, ValueError):
            found = None
        own = (
            found is not None and found.origin is not None
        )  # others mirror NumPy's by the fall-back
        return importlib.import_module(mirror) if own else value
    if isinstance(value, types.FunctionType) and value.__module__ in (
        "numpy.testing._private.utils",
        "numpy.ma.testutils",
    ):
        return getattr(_testing(sys.modules[value.__module__]), value.__name__, value)
    try:
        return _counterparts().get(id(value), value)
    except TypeError:
        return value


# Modules whose private names tests use: the build, the promotion state, functions in C.
_OPENED = (
    "", ".core", ".core.multiarray", ".core.umath", ".core.numerictypes", ".lib", ".lib.npyio",
    ".lib.nanfunctions", ".lib.histograms", ".linalg", ".linalg.linalg", ".random", ".ma.core",
    ".polynomial.chebyshev", ".polynomial.polyutils",
)  # fmt: skip


def pytest_configure(config: Any) -> None:
    """Set up what the rewritten tests need: this file is a plugin of that run."""
    import minpy
    import minpy.numpy as np

    minpy.set_default_dtype("float64")
    np.testing = _testing(importlib.import_module("numpy.testing"))
    for path in _OPENED:
        theirs = importlib.import_module("numpy" + path)
        ours = functools.reduce(getattr, path.split(".")[1:], np)
        for name, value in vars(theirs).items():
            private = name[0] == "_" and (name[1] != "_" or name in ("__all__", "__config__"))
            if private and name not in vars(ours):
                setattr(ours, name, value)
    builtins.in_its_place = _in_its_place


def pytest_runtest_logreport(report: Any) -> None:
    """Note how a test ended."""
    _outcomes.setdefault(report.nodeid, "passed")
    if report.skipped:
        _outcomes[report.nodeid] = "passed" if hasattr(report, "wasxfail") else "skipped"
    elif report.failed:
        crash = getattr(report.longrepr, "reprcrash", None)
        _outcomes[report.nodeid] = "failed"
        _messages[report.nodeid] = (crash.message if crash else str(report.longrepr))[:400]


def pytest_collectreport(report: Any) -> None:
    """Note a file that can't be imported."""
    if report.failed:
        _outcomes[report.nodeid] = "failed"
        _messages[report.nodeid] = str(report.longrepr)[-400:]


def pytest_sessionfinish() -> None:
    """Hand the outcomes to the process that asked for them."""
    target = os.environ.get("NUMPY_SUITE_OUTCOMES")
    if target:
        Path(target).write_text(json.dumps([_outcomes, _messages]))


_outcomes: dict[str, str] = {}
_messages: dict[str, str] = {}

# --- the copy -------------------------------------------------------------------------------------


def _rewritten(text: str) -> str:
    """Return a test file with minpy's names in the place of the imported ones of NumPy's."""
    lines = text.splitlines(keepends=True)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            # ``import numpy.random`` binds `numpy`.
            names = [
                alias.asname or alias.name.split(".")[0]
                for alias in node.names
                if alias.name.split(".")[0] == "numpy"
            ]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "numpy":
            names = [alias.asname or alias.name for alias in node.names]
        else:
            continue
        added = "".join(f"; {name} = in_its_place({name})" for name in names if name != "*")
        at = node.end_lineno - 1
        line = lines[at].encode()
        lines[at] = (
            line[: node.end_col_offset] + added.encode() + line[node.end_col_offset :]
        ).decode()
    return "".join(lines)


def copy_tests(folder: Path) -> None:
    """Copy NumPy's tests to a folder, rewritten to use minpy."""
    import numpy

    source = Path(numpy.__file__).parent
    shutil.copy(source / "conftest.py", folder)
    (folder / "pytest.ini").write_text(
        "[pytest]\nfilterwarnings =\n    error\n"
        "    ignore:the matrix subclass\n    ignore:.*escape sequence\n"
        "    ignore::pytest.PytestRemovedIn10Warning\n"
    )
    for package in FILES:
        shutil.copytree(
            source / package / "tests",
            folder / package / "tests",
            ignore=shutil.ignore_patterns("__pycache__", "examples"),
        )
        for file in (folder / package / "tests").glob("*.py"):
            edit = EDITS.get(f"{package}/{file.stem}", ("", ""))
            file.write_text(_rewritten(file.read_text().replace(*edit)))


# --- the run --------------------------------------------------------------------------------------


def causes() -> dict[str, str]:
    """Return what each test, or group of tests, that is expected to fail fails for."""
    found, cause = {}, ""
    for line in CAUSES.read_text().splitlines():
        if line.startswith("# "):
            cause = line[2:]
        elif line and not line.startswith("## "):
            found[line.strip()] = cause
    return found


def cause_of(test: str, known: dict[str, str]) -> str | None:
    """Return why a test is expected to fail: it, its function, class or file is listed."""
    test = test.replace("/tests/test_", "/").replace(".py", "")
    path = test.split("[")[0]
    groups = [test, *("::".join(path.split("::")[:n]) for n in (3, 2, 1))]
    return next((known[group] for group in groups if group in known), None)


def run(folder: Path, file: str, options: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Run one file; return how its tests ended, and why those failed that did."""
    target = folder / "outcomes.json"
    target.unlink(missing_ok=True)
    environment = os.environ | {
        "NUMPY_SUITE_OUTCOMES": str(target),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "tools"), str(ROOT)]),
        "NPY_AVAILABLE_MEM": "1 GB",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "numpy_suite", "-p", "no:cacheprovider"]
    command += ["--tb=short", "-m", "not slow", file, *options]
    command += [f"--deselect={test}" for test in CRASHING]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    (folder / (file.replace("/", ".") + ".log")).write_text(done.stdout + done.stderr)
    if not target.exists():
        return {file: "failed"}, {file: f"the process ended with {done.returncode}"}
    return tuple(json.loads(target.read_text()))


def main() -> int:
    """Run the files, and print a table of what passes."""
    parser = argparse.ArgumentParser(description="NumPy's own tests, on minpy.numpy")
    parser.add_argument("files", nargs="*", metavar="FILE", help="core/test_umath, say; or all")
    parser.add_argument("--folder", type=Path, help="where to copy the tests and write logs")
    parser.add_argument("--failures", action="store_true", help="print each failure")
    parser.add_argument("-k", dest="select", help="as pytest's")
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="numpy-suite-"))
    folder.mkdir(exist_ok=True, parents=True)
    if not (folder / "conftest.py").exists():
        copy_tests(folder)
    files = given.files or [f"{p}/test_{n}" for p, names in FILES.items() for n in names.split()]
    known = causes()
    total: collections.Counter = collections.Counter()
    per_cause: collections.Counter = collections.Counter()
    unlisted = []
    print(
        "| file | passed | skipped | failed as listed | failed |\n| --- | --: | --: | --: | --: |"
    )
    for name in files:
        package, test = name.split("/")
        path = f"{package}/tests/{test.removesuffix('.py')}.py"
        outcomes, messages = run(folder, path, ["-k", given.select] if given.select else [])
        counts: collections.Counter = collections.Counter()
        for test_id, outcome in outcomes.items():
            if outcome == "failed":
                cause = cause_of(test_id, known)
                if cause is None:
                    unlisted.append((test_id, messages.get(test_id, "")))
                else:
                    outcome = "listed"
                    per_cause[cause] += 1
            counts[outcome] += 1
        total += counts
        row = [counts[k] for k in ("passed", "skipped", "listed", "failed")]
        print(f"| {name} | " + " | ".join(map(str, row)) + " |", flush=True)
    row = [total[k] for k in ("passed", "skipped", "listed", "failed")]
    print("| all | " + " | ".join(map(str, row)) + " |")
    for cause, count in per_cause.most_common():
        print(f"{count:6d}  {cause}")
    if given.failures:
        for test_id, message in unlisted:
            print(f"\n{test_id}\n    " + message.replace("\n", "\n    "))
    if not given.folder:
        shutil.rmtree(folder)
    return 1 if unlisted else 0


if __name__ == "__main__":
    raise SystemExit(main())
