"""Sets MXNet's engine up when minpy is imported, and imports mxnet when it is first needed.

A program that stays on the NumPy kernels never waits for mxnet. What has to be in place before its
import (the alias that NumPy 1.24 removed, the engine's environment variables) is set here when
minpy is imported, so that a user's own ``import mxnet`` afterwards finds it too. It must not know
what MXNet is used for.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import numpy

from minpy.runtime.installation import find_build, load_cuda

__all__ = [
    "available",
    "build",
    "installed",
    "library",
    "num_gpus",
    "quiet_stderr",
    "synchronous",
    "usable_cores",
    "why_unavailable",
]


# --- before the import ---------------------------------------------------------------------------


def usable_cores() -> int:
    """Return the number of cores that this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


def _prepare_environment() -> dict[str, str]:
    """Set what mxnet reads at its import; return what was set, variable by variable."""
    chosen: dict[str, str] = {}
    if "bool" not in vars(numpy):
        # mxnet 1.9.1 reads the alias numpy.bool, at import and later; numpy 1.24 removed it.
        numpy.bool = numpy.bool_
    if BUILD != "gpu" and not IMPORTED_BEFORE:
        # OpenMP's threads, oneDNN's too, spin while they wait for each other: with another process
        # on the same cores, a step of 5 ms took up to 228 ms; with few spins 16 ms, and no more
        # when alone.
        wanted = {"OMP_NUM_THREADS": str(usable_cores()), "GOMP_SPINCOUNT": "10000"}
        if BUILD == "cpu":
            # The threaded engine gives OpenMP half the cores and its own threads fight over the
            # rest; the naive one with all cores in OpenMP is 1.5 to 4 times as fast on a CPU.
            wanted["MXNET_ENGINE_TYPE"] = "NaiveEngine"
        for variable, value in wanted.items():
            if variable not in os.environ:
                os.environ[variable] = chosen[variable] = value
    return chosen


IMPORTED_BEFORE = sys.modules.get("mxnet") is not None
BUILD = find_build()
CHOSEN = _prepare_environment()

# Mxnet instantiates its engine at its first operation. Imported by the user before us, it may run
# the threaded engine: results are then only valid after a wait.
SYNCHRONOUS = os.environ.get("MXNET_ENGINE_TYPE") == "NaiveEngine"

# How many OpenMP threads operators share their work out to; None leaves it to mxnet.
ALL_THREADS: int | None = None
with contextlib.suppress(KeyError, ValueError):
    ALL_THREADS = int(os.environ["OMP_NUM_THREADS"])

_lock = threading.RLock()
mx: Any = None  # the module, once it is imported,
lib: Any = None  # and the C library under it
why_not: str | None = None if BUILD else "mxnet is not installed (no wheel fits this platform?)"


# --- the import ----------------------------------------------------------------------------------


@contextlib.contextmanager
def quiet_stderr():
    """Hide what C++ writes to file descriptor 2: the engine announces itself there."""
    try:
        sys.stderr.flush()
        saved = os.dup(2)
    except (OSError, ValueError, AttributeError):
        yield
        return
    try:
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 2)
        os.close(sink)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


class _LeftOut:
    """Finds nothing for what mxnet imports only if it is there, in the thread that imports mxnet.

    scikit-learn makes mxnet's oldest class an estimator, and takes most of a second.
    """

    names = frozenset(["sklearn"])

    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name in self.names and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(f"{name}: left out while mxnet is imported", name=name)

    def __enter__(self) -> None:
        sys.meta_path.insert(0, self)

    def __exit__(self, *error: Any) -> None:
        sys.meta_path.remove(self)


def _load() -> None:
    global mx, lib, why_not
    with _lock:
        if mx is not None or why_not is not None:
            return
        try:
            if BUILD == "gpu":
                load_cuda()
            with quiet_stderr(), warnings.catch_warnings(), _LeftOut():
                warnings.simplefilter("ignore")
                import mxnet

                mxnet.nd.zeros((1,)).wait_to_read()  # starts the engine
        except Exception as error:  # a broken library raises OSError, an old numpy AttributeError…
            why_not = f"import mxnet failed: {type(error).__name__}: {str(error)[:200]}"
            print(
                f"minpy: {why_not}. Everything runs on the NumPy kernels (policy only_numpy).",
                file=sys.stderr,
            )
            return
        lib = _declared(mxnet.base._LIB)
        mx = mxnet


def _declared(lib: Any) -> Any:
    """Give ctypes the argument types once, so that it doesn't guess them at each call."""
    p = ctypes.POINTER
    lib.MXNDArrayGetData.argtypes = [ctypes.c_void_p, p(ctypes.c_void_p)]
    lib.MXNDArrayGetDType.argtypes = [ctypes.c_void_p, p(ctypes.c_int)]
    return lib


# --- what is known of it -------------------------------------------------------------------------


def available() -> bool:
    """Say whether mxnet is installed and could be imported (imports it, unless `postponed`)."""
    if mx is None and why_not is None and not getattr(_postponed, "now", False):
        _load()
    return mx is not None


_postponed = threading.local()


@contextlib.contextmanager
def postponed() -> Iterator[None]:
    """Leave mxnet out in this thread, inside of a ``with`` block, if it isn't imported yet.

    Importing it takes a second and a hundred MiB: trials, of which nobody sees the results, and
    steps that need nothing of it do without. `load` imports it all the same.
    """
    before = getattr(_postponed, "now", False)
    _postponed.now = True
    try:
        yield
    finally:
        _postponed.now = before


def load() -> None:
    """Import mxnet if it can be, `postponed` or not."""
    _load()


def installed() -> bool:
    """Say whether mxnet is installed, without importing it."""
    return why_not is None


def why_unavailable() -> str | None:
    """Return the reason why mxnet can't be used, or None where it can or wasn't tried yet."""
    return why_not


def library() -> Any:
    """Return the mxnet module; raise `ImportError` with the reason where it can't be had."""
    if mx is None and not available():
        raise ImportError(why_not)
    return mx


def synchronous() -> bool:
    """Say whether an operation has finished when its call returns (the naive engine)."""
    return SYNCHRONOUS


def num_gpus() -> int:
    """Return the number of GPUs that the installed mxnet can use."""
    if BUILD != "gpu" or not available():
        return 0
    try:
        return int(mx.context.num_gpus())
    except Exception:  # no driver
        return 0


def build() -> str | None:
    """Return 'cpu' or 'gpu' for the mxnet build found, None where there is none."""
    return BUILD
