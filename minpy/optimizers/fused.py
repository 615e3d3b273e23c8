"""Compiled kernels of the rules: one pass over the memory for a whole step, on all cores.

A kernel is written from a row of `minpy.optimizers.rules`: a loop around the row's own function,
which numba compiles into it. Machine code is kept on disk (``~/.cache/minpy``, or where
``XDG_CACHE_HOME`` or ``NUMBA_CACHE_DIR`` points) and found again by a hash of rule and loop.

Without fast-math, on purpose: LLVM vectorizes the loop as it is (it has no reduction), NaN and
infinity stay what they are, and the results are those of the NumPy reference, bit for bit.

Buffers that are long enough are shared out to threads, if that turns out to be faster. The threads
are OpenMP's, the same ones that MXNet's operators have just used: they are awake on the other
cores, where a thread of our own would first have to be woken, and often on the core of the caller.

This module must not know any optimizer.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import stat
import sys
import threading
import time
import types
from collections.abc import Callable
from typing import Any

import numpy

from minpy.optimizers import denormals
from minpy.optimizers.race import Race
from minpy.optimizers.rules import Rule
from minpy.runtime import forked, usable_cores

__all__ = ["SHORTEST_SHARED", "Kernel", "kernel", "run", "why_not"]

# Elements from which a second thread can pay: below, a pass takes 15 µs, and starting threads that
# are awake takes 5.
SHORTEST_SHARED = 100_000

_TEMPLATE = '''\
"""Written by minpy.optimizers.fused from the rule {name!r}; may be deleted at any time."""


def {name}(first, last, bounds, scales, decays, clip, tiny, w, g, {arguments}):
    zero = tiny - tiny
    before = begin_flushing()
    for run in range(scales.size):
        start, stop = max(first, bounds[run]), min(last, bounds[run + 1])
        if start < stop:
            scale_of_run, decay_of_run = scales[run], decays[run]
            # Slices: LLVM then knows that no index is negative, and vectorizes.
            w_run, g_run = w[start:stop], g[start:stop]
{slices}
            for i in range(stop - start):
                gradient = min(max(g_run[i] * scale_of_run, -clip), clip)
                weight = w_run[i]
                {results} = update(
                    weight - weight * decay_of_run, gradient, {elements}
                )
{average}                w_run[i] = new_w
{stores}
    end_flushing(before)


def shared(parts, size, bounds, scales, decays, clip, tiny, w, g, {arguments}):
    for part in prange(parts):
        {name}(
            size * part // parts, size * (part + 1) // parts,
            bounds, scales, decays, clip, tiny, w, g, {arguments}
        )
'''

_AVERAGE = (
    " " * 16 + "new_moving_average = moving_average_run[i] * keep_average + new_w * rest_average\n"
)

# The numba names of the dtypes that there are kernels for.
_DTYPES = {"float32": "float32", "float64": "float64"}

_lock = threading.Lock()
_kernels: dict[tuple[str, numpy.dtype], Kernel | None] = {}
_reason: str | None = None


def why_not() -> str | None:
    """Return why kernels can't be compiled, None if they can (or nobody tried yet)."""
    return _reason


def kernel(rule: Rule, dtype: numpy.dtype) -> Kernel | None:
    """Return the compiled kernel of a rule for a dtype, or None where there can't be one."""
    key = rule.name, dtype
    try:
        return _kernels[key]
    except KeyError:
        pass
    with _lock:
        if key not in _kernels:
            _kernels[key] = _compile(rule, dtype)
        return _kernels[key]


class Kernel:
    """A rule's machine code: for one thread, and for several where they may be used."""

    def __init__(self, module: types.ModuleType, serial: Callable[..., None], cached: bool) -> None:
        self.serial = serial
        self._module = module
        self._cached = cached
        self._shared: Callable[..., None] | None = None
        self._tried = False

    def shared(self) -> Callable[..., None] | None:
        """Return the function that uses all threads, None where that can't be done safely."""
        if not self._tried:
            with _lock:
                if not self._tried:
                    self._shared = _compile_shared(self._module, self.serial, self._cached)
                    self._tried = True
        return None if forked() else self._shared


def run(
    compiled: Kernel,
    race: Race | None,
    w: numpy.ndarray,
    g: numpy.ndarray,
    slots: list[numpy.ndarray],
    scalars: list[Any],
    bounds: numpy.ndarray,
    scales: numpy.ndarray,
    decays: numpy.ndarray,
    clip: Any,
    tiny: Any,
) -> None:
    """Run a kernel over the buffers.

    Parameters
    ----------
    compiled
        The kernel.
    race
        Decides between one thread and all; None takes one.
    w, g, slots, scalars, bounds, scales, decays, clip, tiny
        As of `minpy.optimizers.reference.step`.
    """
    arguments = (bounds, scales, decays, clip, tiny, w, g, *slots, *scalars)
    shared = None if race is None else compiled.shared()
    if shared is None:
        compiled.serial(0, w.size, *arguments)
        return
    way = race.next()
    start = time.perf_counter()
    if way:
        shared(_threads(), w.size, *arguments)
    else:
        compiled.serial(0, w.size, *arguments)
    race.took(way, time.perf_counter() - start)


# --- threads --------------------------------------------------------------------------------------


def _threads() -> int:
    """Return how many threads a pass may use."""
    told = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    cores = usable_cores()
    return max(1, min(cores, int(told))) if told.isdigit() else cores


def _compile_shared(
    module: types.ModuleType, serial: Callable[..., None], cached: bool
) -> Callable[..., None] | None:
    if forked() or _threads() < 2 or not _threads_are_safe():
        return None
    import numba

    module.prange = numba.prange
    setattr(module, serial.__name__, serial)
    try:
        made = numba.njit(cache=cached, parallel=True, nogil=True, error_model="numpy")(
            module.shared
        )
    except Exception:  # a second thread is a matter of speed only
        return None
    return made


def _threads_are_safe() -> bool:
    """Say whether numba's threads may be used by two threads of the program at once."""
    import numba

    try:
        return numba.threading_layer() in ("omp", "tbb")
    except ValueError:  # not known before something has run on it
        pass
    if numba.config.THREADING_LAYER not in ("default", "threadsafe", "omp"):
        return False
    # The default is this one wherever there is a libgomp; the next in line, its own work queue,
    # ends the process when it is used twice at once.
    try:
        importlib.import_module("numba.np.ufunc.omppool")
    except ImportError:
        return False
    return True


# --- compiling ------------------------------------------------------------------------------------


def _source(rule: Rule) -> str:
    new = [f"new_{slot}" for slot in rule.own_slots]
    indent = " " * 12
    return _TEMPLATE.format(
        name=rule.name,
        arguments=", ".join((*rule.slots, *rule.scalars)),
        slices="\n".join(f"{indent}{s}_run = {s}[start:stop]" for s in rule.slots),
        results=", ".join(("new_w", *new)) + ("" if new else ","),
        elements=", ".join((*(f"{s}_run[i]" for s in rule.own_slots), *rule.own_scalars)),
        average=_AVERAGE if rule.averaged else "",
        stores="\n".join(
            f"{indent}    {s}_run[i] = zero if abs(new_{s}) < tiny else new_{s}" for s in rule.slots
        ),
    )


def _compile(rule: Rule, dtype: numpy.dtype) -> Kernel | None:
    global _reason
    if dtype.name not in _DTYPES:
        return None
    try:
        import numba
    except ImportError as error:
        _reason = f"numba can't be imported: {error}"
        return None
    if numba.config.DISABLE_JIT:
        _reason = "NUMBA_DISABLE_JIT is set"
        return None
    source = _source(rule)
    # The name of the file says what is in it: a changed rule, or loop, is another file, so that
    # numba's own cache, which looks at that file only, never gives an outdated kernel.
    code = rule.update.__code__
    content = (source, code.co_code, code.co_consts, code.co_names, denormals.VERSION)
    digest = hashlib.sha256(repr(content).encode()).hexdigest()[:16]
    file = _kept_source(f"{rule.name}_{digest}.py", source)
    flags = {"nogil": True, "error_model": "numpy"}
    number = getattr(numba, _DTYPES[dtype.name])
    array = number[::1]
    signature = numba.void(
        numba.int64,
        numba.int64,
        numba.int64[::1],
        array,
        array,
        number,
        number,
        array,
        array,
        *[array] * len(rule.slots),
        *[number] * len(rule.scalars),
    )
    for path in (file, None) if file else (None,):
        # A module that can be imported by its name: the machine code on disk refers to it.
        module = types.ModuleType(f"minpy_kernel_{rule.name}_{digest}")
        module.update = numba.njit(**flags)(rule.update)
        module.begin_flushing, module.end_flushing = denormals.flushing_functions()
        sys.modules[module.__name__] = module
        exec(compile(source, path or f"<minpy kernel {rule.name}>", "exec"), module.__dict__)
        try:
            compiler = numba.njit(signature, cache=path is not None, **flags)
            return Kernel(module, compiler(getattr(module, rule.name)), path is not None)
        except Exception as error:  # an unusable cache, or a rule that numba can't take
            _reason = f"{type(error).__name__}: {error}"
    return None


def _kept_source(name: str, source: str) -> str | None:
    """Write the source of a kernel where its machine code will be kept too; None if that fails."""
    try:
        folder = _cache_folder()
        path = os.path.join(folder, name)
        try:
            with open(path, encoding="utf-8") as file:
                if file.read() == source:
                    return path
        except FileNotFoundError:
            pass
        temporary = f"{path}.{os.getpid()}.{threading.get_ident()}"
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(source)
        os.replace(temporary, path)
        return path
    except (OSError, UnicodeError):
        return None


def _cache_folder() -> str:
    """Return a folder for kernels that nobody else can write to; raises OSError without one."""
    base = os.environ.get("NUMBA_CACHE_DIR")
    if not base:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = os.path.join(base, "minpy", "kernels")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    found = os.stat(folder)
    # What lies there is run: a folder of somebody else's, or open to others, is not used.
    if hasattr(os, "getuid") and (
        found.st_uid != os.getuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    ):
        raise PermissionError(f"{folder} belongs to somebody else, or others may write to it")
    return folder
