"""Every public name of NumPy is minpy's too, and the page that lists them is up to date."""

from __future__ import annotations

import importlib
import importlib.util
import types
from pathlib import Path

import numpy
import numpy.typing
import pytest
from numpy_names import MODULES, module_of, public_names

import minpy.numpy as np
from minpy import runtime

ROOT = Path(__file__).resolve().parent.parent
_spec = importlib.util.spec_from_file_location("numpy_page", ROOT / "tools" / "numpy_page.py")
numpy_page = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(numpy_page)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("path", MODULES)
def test_all_names_are_there_and_what_is_no_function_is_numpys(path):
    theirs, ours = module_of(numpy, path), module_of(np, path)
    own = {"ndarray", "mgrid", "ogrid", "r_", "c_", "vectorize", "poly1d"}
    own |= {"Generator", "RandomState"} if path == "random" else set()
    for name in public_names(theirs):
        value, found = getattr(theirs, name), getattr(ours, name)
        if isinstance(value, types.ModuleType):
            assert isinstance(found, types.ModuleType)
        elif callable(value) and not isinstance(value, type):
            assert callable(found)
        elif path == "random" and isinstance(value, type) and name not in own:
            assert found is value or issubclass(found, value)  # takes a seed that is an array
        elif name not in own:
            assert found is value or found == value or found != found


def test_programs_that_ask_for_the_version_are_told_numpys():
    assert np.__version__ == numpy.__version__


@pytest.mark.skipif(not runtime.available(), reason="the page says what MXNet computes")
def test_the_page_is_up_to_date_and_no_function_is_without_a_test():
    text = numpy_page.page()
    assert "|  |\n" not in text, "a function without a test: add it to tests/numpy_expressions.py"
    if text != numpy_page.PAGE.read_text():
        changed = sorted(set(text.splitlines()) ^ set(numpy_page.PAGE.read_text().splitlines()))
        pytest.fail("\n".join(["python tools/numpy_page.py writes another page:", *changed[:20]]))


def test_modules_that_numpy_has_are_imported_by_their_paths():
    from minpy.numpy.lib.stride_tricks import sliding_window_view
    from minpy.numpy.testing import assert_allclose
    from minpy.numpy.typing import ArrayLike, NDArray

    assert sliding_window_view is np.lib.stride_tricks.sliding_window_view
    assert_allclose(sliding_window_view(np.arange(4), 3), [[0, 1, 2], [1, 2, 3]])
    assert (ArrayLike, NDArray) == (numpy.typing.ArrayLike, numpy.typing.NDArray)
    for path in ("minpy.numpy.nothing", "minpy.numpy.lib.nothing", "minpy.numpy._core"):
        with pytest.raises(ModuleNotFoundError, match=path):
            importlib.import_module(path)
