"""With mxnet hidden everything runs on the NumPy kernels: the same tests, run again."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent
# What touches arrays, derivatives, layers and models. NumPy's signatures, keywords and errors are
# the same code with mxnet and without.
TOPICS = (
    "autograd",
    "inplace",
    "layer_functions",
    "model_base",
    "numpy_functions",
    "numpy_random",
    "saving",
    "training",
)


@pytest.mark.skipif("MINPY_TEST_WITHOUT_MXNET" in os.environ, reason="this is that run")
def test_the_tests_pass_with_mxnet_hidden():
    files = [f for topic in TOPICS for f in HERE.glob(f"test_{topic}*.py")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--no-header", "-x", "-p", "no:cacheprovider"]
        + [str(f) for f in files],
        capture_output=True,
        text=True,
        cwd=HERE.parent,
        env={**os.environ, "MINPY_TEST_WITHOUT_MXNET": "1"},
    )
    assert done.returncode == 0, done.stdout[-4000:]
