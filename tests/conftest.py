"""What all tests share: a run without mxnet, and a clean state after each test."""

from __future__ import annotations

import os
import sys

import pytest

if os.environ.get("MINPY_TEST_WITHOUT_MXNET"):
    sys.modules["mxnet"] = None  # makes `import mxnet` fail, as where there is no wheel


# They take longest: first, so that no process waits for one of them at the end.
_LONG = ("test_without_mxnet.py", "test_checkpoint_file_damage.py", "test_examples.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in _LONG)


@pytest.fixture(autouse=True)
def _clean_state():
    """Put the settings that a test may have changed back, also where it failed."""
    from minpy import config, context, policy

    dtype, layout = config.default_dtype(), config.image_data_format()
    before = policy.current_policy(), context.current_context()
    yield
    config.set_default_dtype(dtype)
    config.set_image_data_format(layout)
    if policy.current_policy() != before[0]:
        policy.set_global_policy(before[0])
    if context.current_context() != before[1]:
        context.set_context(before[1])


@pytest.fixture(params=["program", "graph"])
def by_program_and_by_graph(request, monkeypatch):
    """Run a test of small compiled models twice: as programs of our own, and as MXNet's graphs."""
    from minpy import runtime
    from minpy.graph import native

    if request.param == "graph":
        if not runtime.available():
            pytest.skip("graphs are MXNet's")
        monkeypatch.setattr(native, "available", lambda: False)
    elif not native.available():
        pytest.skip("numba or a BLAS to call is missing")
