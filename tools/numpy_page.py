"""Writes docs/numpy.md: what minpy has of NumPy, name by name.

Run from the repository: ``python tools/numpy_page.py``. The table is found out, not written: each
function is called as the tests call it, once to see which kernels ran and once with a derivative.
"""

from __future__ import annotations

import copy
import importlib
import re
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "numpy.md"
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from numpy_names import MODULES, module_of, public_names  # noqa: E402

import minpy  # noqa: E402
import minpy.numpy as np  # noqa: E402
from minpy import runtime  # noqa: E402
from minpy.array import is_tracked  # noqa: E402
from minpy.autograd import make_jvp, make_vjp  # noqa: E402
from minpy.errors import MinpyError, NoDerivativeError, PolicyError  # noqa: E402
from minpy.numpy.fallback import Fallback, leaves  # noqa: E402
from minpy.policy import operation_counts, reset_operation_counts, use_policy  # noqa: E402
from minpy.primitives import Primitive  # noqa: E402

HEAD = """# NumPy in minpy

Written by `python tools/numpy_page.py`, which calls each function as the tests do; a test fails
when this page is out of date. Names that minpy has no function of its own for are NumPy's functions
on minpy arrays.

- **Kernel**: who computes: NumPy, or both where MXNet has an operator that gives the same numbers
  (on a GPU, in a graph, and where the policy asks for it). A dash: nothing is computed.
- **Derivative**: `reverse, forward` where there is one in both modes (those of any order follow);
  `none` where by its nature there is none, and why; `refused` where there is no rule: asking for a
  derivative is an error that says so. So it is with matrices and masked arrays: they are NumPy's
  own, and hold no history.
- **Test**: where it is compared with NumPy; all tests are in `tests/`.
"""


# Functions of floats that give floats, and have no derivative that says anything.
_STEPS = "around ceil fix floor floor_divide heaviside rint round round_ sign trunc"
_FILES = "fromfile load memmap savetxt savez savez_compressed"
CONSTANT = {
    **dict.fromkeys(_STEPS.split(), "piecewise constant"),
    **dict.fromkeys(["nextafter", "spacing"], "about floating-point numbers"),
    **dict.fromkeys(["empty_like", "ones_like", "zeros_like"], "constant"),
    **dict.fromkeys(_FILES.split(), "through a file"),
    "frombuffer": "of bytes",
}

_NO_DRAWS = {"random.BitGenerator", "random.SeedSequence", "random.default_rng"}
_NO_DRAWS |= {"random.get_state", "random.seed", "random.set_state"}

# --- calls of a function, as the tests make them --------------------------------------------------


def _calls() -> dict[str, list[tuple[str, Callable[..., Any], list[numpy.ndarray]]]]:
    """Return path → calls: the test's file, a function of arrays, and the arrays."""
    from numpy_calls import CALLS
    from numpy_expressions import ARRAYS, EXPRESSIONS, TOOLS
    from test_numpy_random import DRAWS

    found: dict[str, list] = {}

    for call in CALLS:

        def run(*arrays: Any, call: Any = call) -> Any:
            args = _filled(copy.deepcopy(call.args), iter(arrays))
            kwargs = {k: _to_minpy(v) for k, v in copy.deepcopy(call.kwargs).items()}
            return call.function_of(np)(*args, **kwargs)

        entry = ("test_numpy_functions.py", run, [a for a in leaves(call.args) if _floats(a)])
        found.setdefault(call.path, []).append(entry)
    for path, texts in EXPRESSIONS.items():
        for text in texts:
            floats = [n for n, v in ARRAYS.items() if v.dtype.kind == "f" and v.size]
            names = [n for n in floats if re.search(rf"\b{n}\b", text)]

            def run(*arrays: Any, text: str = text, names: Any = names) -> Any:
                given = {n: np.array(v) for n, v in ARRAYS.items()}
                given |= dict(zip(names, arrays, strict=True))
                return eval(text, {"np": np, **given, **TOOLS})

            entry = ("test_numpy_expressions.py", run, [ARRAYS[n] for n in names])
            found.setdefault(path, []).append(entry)
    for name, args, kwargs in DRAWS:

        def run(name: str = name, args: Any = args, kwargs: Any = kwargs) -> Any:
            return getattr(np.random, name)(*args, **kwargs)

        found.setdefault(f"random.{name}", []).append(("test_numpy_random.py", run, []))
    found.setdefault("random.bytes", []).append(
        ("test_numpy_random.py", lambda: np.random.bytes(2), [])
    )
    return found


def _floats(value: Any) -> bool:
    return isinstance(value, numpy.ndarray) and value.dtype.kind == "f" and value.size > 0


def _filled(value: Any, arrays: Iterator[Any]) -> Any:
    """Return nested arguments with the next of `arrays` for each array of floats."""
    if _floats(value):
        return next(arrays)
    if type(value) in (list, tuple):
        return type(value)([_filled(v, arrays) for v in value])
    return _to_minpy(value)


def _to_minpy(value: Any) -> Any:
    return np.array(value) if isinstance(value, numpy.ndarray) else value


# --- what a row says ------------------------------------------------------------------------------


def _kernel(function: Any, calls: list) -> str:
    """Say which kernels compute a function."""
    if isinstance(function, Primitive) and function.mxnet is not None:
        return "NumPy, MXNet"
    ran_numpy = isinstance(function, Primitive)
    for _, run, arrays in calls:
        reset_operation_counts()
        try:
            with use_policy("only_mxnet"):
                result = run(*[np.array(a) for a in arrays])
            ran_numpy = ran_numpy or any(type(r) is np.ndarray for r in _results(result))
        except (PolicyError, MinpyError):
            ran_numpy = True
        except Exception:
            continue
        counts = operation_counts().values()
        if any(c["mxnet"] for c in counts) and not isinstance(function, Fallback):
            return "NumPy, MXNet"
        ran_numpy = ran_numpy or any(c["numpy"] for c in counts)
    return "NumPy" if ran_numpy else "–"


def _derivative(path: str, calls: list) -> str:
    """Say in which modes a function was differentiated, or why there is none."""
    if path.startswith("random."):
        return "none: a draw" if path not in _NO_DRAWS else "none: no floats go in"
    refused = False
    for _, run, arrays in calls:
        if not arrays:
            continue
        given = [np.array(a) for a in arrays]
        try:
            modes = [m for m, make in _MODES if _depends(run, given, make)]
        except NoDerivativeError:
            refused = True
            continue
        except Exception:
            continue
        if modes:
            return ", ".join(modes)
    masked = path.startswith("ma.")
    if not masked and not any(arrays for _, _, arrays in calls):
        return "none: no floats go in"
    if not any(_gives_floats(run, arrays) for _, run, arrays in calls if arrays or masked):
        return "none: no floats come out"
    if refused or masked or path == "matrix":
        return "refused"
    return f"none: {CONSTANT[path]}"


def _gives_floats(run: Callable[..., Any], arrays: list) -> bool:
    try:
        results = list(_results(run(*[np.array(a) for a in arrays])))
    except Exception:  # a call that raises what NumPy raises
        return False
    return any(isinstance(r, np.ndarray | numpy.ndarray) and r.dtype.kind in "fc" for r in results)


def _depends(run: Callable[..., Any], arrays: list, make: Callable[..., Any]) -> bool:
    """Say whether a derivative gets from the arrays to floats among the results."""
    for number in range(3):  # of the results
        reached = []

        def function(*given: Any, number: int = number, reached: list = reached) -> Any:
            results = [r for r in _results(run(*given)) if type(r) is np.ndarray and is_tracked(r)]
            floats = [r for r in results if r.dtype.kind in "fc"]
            reached += floats
            zero = np.sum(given[0]) * 0.0
            return np.sum(np.real(floats[number])) + zero if len(floats) > number else zero

        made = make(function, tuple(range(len(arrays))))(*arrays)
        try:
            if make is make_vjp:
                made[0](np.ones(()))
            else:
                made(tuple(np.ones(a.shape, a.dtype) for a in arrays))
        except NoDerivativeError:
            if number + 1 >= len(reached):
                raise
            continue
        if len(reached) > number:
            return True
    return False


def _results(value: Any) -> Iterator[Any]:
    """Yield the parts of a result, those of named tuples too."""
    for part in leaves(value):
        if isinstance(part, tuple):
            yield from part
        else:
            yield part


_MODES = (("reverse", make_vjp), ("forward", make_jvp))


def _kind(value: Any) -> str:
    if isinstance(value, types.ModuleType):
        return "module"
    if isinstance(value, type):
        if issubclass(value, numpy.generic):
            return "dtype"
        return "exception" if issubclass(value, Exception) else "class"
    if isinstance(value, numpy.ufunc):
        return "ufunc"
    return "function" if callable(value) else "constant"


def rows(module: str, calls: dict) -> Iterator[tuple[str, ...]]:
    """Yield the cells of the rows of a module."""
    theirs = importlib.import_module(f"numpy.{module}" if module else "numpy")
    ours = module_of(np, module)
    for name in public_names(theirs):
        value = getattr(theirs, name)
        kind = _kind(value)
        if kind == "module":
            continue
        path = f"{module}.{name}" if module else name
        function = getattr(ours, name)
        made = calls.get(path, [])
        if kind not in ("function", "ufunc") and not made:
            yield name, kind, "–", "–", "test_numpy_names.py"
            continue
        tests = sorted({file for file, _, _ in made})
        derivative = _derivative(path, made)
        yield name, kind, _kernel(function, made), derivative, ", ".join(tests)


def page() -> str:
    """Return the text of the page."""
    before = minpy.default_dtype()
    minpy.set_default_dtype("float64")
    parts, calls = [HEAD], _calls()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for module in MODULES:
                parts.append(f"\n## numpy{'.' if module else ''}{module}\n")
                parts.append("| name | kind | kernel | derivative | test |")
                parts.append("| --- | --- | --- | --- | --- |")
                parts += [f"| `{r[0]}` | {' | '.join(r[1:])} |" for r in rows(module, calls)]
    finally:
        minpy.set_default_dtype(before)
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    if not runtime.available():
        raise SystemExit("the page says what MXNet computes, and mxnet can't be used here")
    PAGE.write_text(page())
