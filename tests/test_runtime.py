"""The runtime: quiet import, the engine's set-up, mxnet before us, without us, not at all."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import numpy
import pytest

from minpy import runtime
from minpy.runtime import onednn

needs_mxnet = pytest.mark.skipif(not runtime.available(), reason="mxnet can't be used here")


def python(program, **environment):
    """Run a program in a fresh interpreter; return its output and what it wrote to stderr."""
    inherited = {
        k: v for k, v in os.environ.items() if k not in ("MXNET_ENGINE_TYPE", "OMP_NUM_THREADS")
    }
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        env={**inherited, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


WITHOUT_MXNET = "import sys; sys.modules['mxnet'] = None\n"
CONVOLVE = """
    import minpy.numpy as np
    from minpy.layers.functions import conv
    y = conv(np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)))
    assert y.asnumpy().tolist() == [[[[4.0, 4.0], [4.0, 4.0]]]], y
"""


def test_import_prints_nothing():
    assert python("import minpy") == ("", "")


def test_import_leaves_the_heavy_packages_alone():
    out, _ = python(
        """
        import sys, minpy, minpy.models, minpy.callbacks
        heavy = {'mxnet', 'numba', 'h5py', 'tensorboardX', 'tqdm', 'matplotlib', 'scipy'}
        print(sorted(heavy & set(sys.modules)))
        """
    )
    assert out.strip() == "[]"


@needs_mxnet
def test_the_engine_is_set_up_and_quiet():
    out, err = python(
        f"""
        import os
        {textwrap.indent(textwrap.dedent(CONVOLVE), " " * 8).strip()}
        print(os.environ['MXNET_ENGINE_TYPE'], os.environ['OMP_NUM_THREADS'])
        """
    )
    assert out.split() == ["NaiveEngine", str(runtime.usable_cores())]
    assert err == ""


@needs_mxnet
def test_what_the_user_set_stays():
    out, _ = python(
        "import minpy, os; print(os.environ['MXNET_ENGINE_TYPE'], os.environ['OMP_NUM_THREADS'])",
        MXNET_ENGINE_TYPE="ThreadedEngine",
        OMP_NUM_THREADS="1",
    )
    assert out.split() == ["ThreadedEngine", "1"]


@needs_mxnet
@pytest.mark.parametrize(
    "first",
    [
        "import numpy; numpy.bool = numpy.bool_; import mxnet; mxnet.nd.ones(3).asnumpy()",
        "import minpy, mxnet; mxnet.nd.ones(3).asnumpy()",
    ],
    ids=["mxnet first", "minpy first"],
)
def test_mxnet_may_be_imported_by_the_user(first):
    python(f"{first}\n{textwrap.dedent(CONVOLVE)}")


TRAIN = """
    import hashlib, sys
    import numpy
    from minpy import random, runtime
    from minpy.layers import Conv2D, Dense, Flatten
    from minpy.models import Sequential

    {first}
    random.seed(0)
    model = Sequential([Conv2D(8, 3, activation='gelu'), Flatten(), Dense(1)])
    model.compile('adam', 'mse')
    x = numpy.linspace(-1, 1, 40 * 3 * 8 * 8, dtype='float32').reshape(40, 3, 8, 8)
    model.fit(x, x[:, 0, 0, :1], epochs=2, verbose=0)
    model.predict(x, verbose=0)
    assert model.jit_status == 'compiled', model.jit_status
    print('mxnet' in sys.modules)
    print(hashlib.sha1(b''.join(w.tobytes() for w in model.get_weights())).hexdigest())
"""
needs_onednn = pytest.mark.skipif(onednn.library() is None, reason="oneDNN isn't installed")


@needs_mxnet
@needs_onednn
def test_programs_train_without_importing_mxnet_and_to_the_same_bits():
    alone, _ = python(TRAIN.format(first=""))
    beside, _ = python(TRAIN.format(first="runtime.load()"))
    assert alone.split()[0] == "False"
    assert beside.split() == ["True", alone.split()[1]]


@needs_mxnet
def test_importing_mxnet_leaves_scikit_learn_for_later():
    pytest.importorskip("sklearn")
    out, _ = python(
        """
        import sys
        from minpy import runtime
        assert runtime.available()
        print('sklearn' in sys.modules)
        from sklearn.base import BaseEstimator
        print(BaseEstimator.__name__)
        """
    )
    assert out.split() == ["False", "BaseEstimator"]


@needs_mxnet
def test_a_postponed_import_is_made_when_it_is_asked_for():
    out, _ = python(
        """
        import threading
        from minpy import runtime
        with runtime.postponed():
            with runtime.postponed():
                print(runtime.available(), runtime.installed())
            print(runtime.available())
            other = threading.Thread(target=lambda: print(runtime.available()))
            other.start(); other.join()
            print(runtime.available())
        """
    )
    assert out.split() == ["False", "True", "False", "True", "True"]


def test_without_mxnet_everything_runs_on_numpy():
    out, _err = python(
        f"{WITHOUT_MXNET}{textwrap.dedent(CONVOLVE)}"
        "import minpy\nprint(minpy.current_policy(), minpy.runtime.available())"
    )
    assert out.split() == ["only_numpy", "False"]


def test_without_mxnet_info_says_so():
    out, _ = python(f"{WITHOUT_MXNET}from minpy import info; info.main()")
    assert "not in use" in out and "only_numpy" in out


def test_a_broken_mxnet_is_one_line_and_numpy(tmp_path):
    package = tmp_path / "mxnet"
    package.mkdir()
    (package / "__init__.py").write_text("raise OSError('libgfortran.so.4: no such file')")
    out, err = python(
        "import minpy; minpy.set_default_dtype('float32')"
        f"{textwrap.dedent(CONVOLVE)}print(minpy.runtime.available())",
        PYTHONPATH=str(tmp_path),
    )
    assert out.strip() == "False"
    assert len(err.strip().splitlines()) == 1
    assert "libgfortran" in err


def test_info_names_versions_engine_and_devices():
    done = subprocess.run(
        [sys.executable, "-m", "minpy", "info"], capture_output=True, text=True, check=True
    )
    for word in ("minpy", "Python", "numpy", "mxnet", "policy", "default dtype"):
        assert word in done.stdout
    if runtime.available():
        for word in ("engine", "OpenMP threads", "oneDNN", "GPUs"):
            assert word in done.stdout
    assert done.stderr == ""


# --- memory shared with NumPy ---------------------------------------------------------------------


@needs_mxnet
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "uint8", "int32", "int64"])
def test_both_sides_see_the_same_memory(dtype):
    a = numpy.arange(6, dtype=dtype).reshape(2, 3)
    nd = runtime.borrow(a)
    a[0, 0] = 5
    assert nd.asnumpy()[0, 0] == 5
    assert a.flags.writeable
    nd[:] = 2
    assert (a == 2).all()
    seen = runtime.view(nd)
    seen[1, 2] = 7
    assert a[1, 2] == 7


@needs_mxnet
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1, 1)])
def test_scalars_and_empty_arrays_cross_over(shape):
    a = numpy.ones(shape, "float32")
    back = runtime.view(runtime.borrow(a))
    assert back.shape == shape
    numpy.testing.assert_array_equal(back, a)


@needs_mxnet
def test_a_view_keeps_the_memory_alive():
    nd = runtime.eager("_npi_add_scalar", runtime.borrow(numpy.zeros(1000, "float32")), scalar=3.0)
    seen = runtime.view(nd)
    del nd
    for _ in range(50):  # something that would take freed memory
        runtime.eager("_npi_add_scalar", runtime.borrow(numpy.ones(1000, "float32")), scalar=1.0)
    assert (seen == 3).all()


@needs_mxnet
def test_dtypes_that_mxnet_lacks_are_refused():
    with pytest.raises(runtime.Unsupported, match="complex64"):
        runtime.borrow(numpy.ones(2, "complex64"))


@needs_mxnet
def test_an_operators_error_names_it_without_a_stack_trace():
    import mxnet

    with pytest.raises(mxnet.base.MXNetError, match="FullyConnected") as error:
        runtime.eager("FullyConnected", runtime.borrow(numpy.ones((2, 2), "float32")))
    assert "Stack trace" not in str(error.value)


def test_gnus_openmp_is_looked_for_once():
    from minpy.runtime import openmp

    assert openmp._linked() is openmp._linked()
