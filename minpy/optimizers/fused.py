"""Compiled kernels of the rules: one pass over the memory for a whole step, on all cores.

A kernel is written from a row of `minpy.optimizers.rules`: a loop around the row's own function,
which numba compiles into it. Machine code is kept on disk (``~/.cache/minpy``, or where
``XDG_CACHE_HOME`` or ``NUMBA_CACHE_DIR`` points) and found again by a hash of rule and loop.

Without fast-math, on purpose: LLVM vectorizes the loop as it is (it has no reduction), NaN and
infinity stay what they are, and the results are those of the NumPy reference, bit for bit.

This module must not know any optimizer.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections.abc import Callable
from typing import Any

import numpy

from minpy.optimizers import workers
from minpy.optimizers.rules import Rule

__all__ = ["kernel", "run", "why_not"]

_TEMPLATE = '''\
"""Written by minpy.optimizers.fused from the rule {name!r}; may be deleted at any time."""


def {name}(first, last, bounds, scales, decays, clip, tiny, w, g, {arguments}):
    zero = tiny - tiny
    for run in range(scales.size):
        start, stop = max(first, bounds[run]), min(last, bounds[run + 1])
        if start < stop:
            scale, decay = scales[run], decays[run]
            # Slices: LLVM then knows that no index is negative, and vectorizes.
            w_run, g_run = w[start:stop], g[start:stop]
{slices}
            for i in range(stop - start):
                gradient = min(max(g_run[i] * scale, -clip), clip)
                weight = w_run[i]
                {results} = update(
                    weight - weight * decay, gradient, {elements}
                )
                w_run[i] = new_w
{stores}
'''

# The numba names of the dtypes that there are kernels for.
_DTYPES = {"float32": "float32", "float64": "float64"}

_lock = threading.Lock()
_kernels: dict[tuple[str, str], Callable[..., None] | None] = {}
_reason: str | None = None


def why_not() -> str | None:
    """Return why kernels can't be compiled, None if they can (or nobody tried yet)."""
    return _reason


def kernel(rule: Rule, dtype: numpy.dtype) -> Callable[..., None] | None:
    """Return the compiled kernel of a rule for a dtype, or None where there can't be one."""
    key = (rule.name, dtype.name)
    try:
        return _kernels[key]
    except KeyError:
        pass
    with _lock:
        if key not in _kernels:
            _kernels[key] = _compile(rule, dtype)
        return _kernels[key]


def run(
    compiled: Callable[..., None],
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
    """Run a kernel over the buffers; arguments as of `minpy.optimizers.reference.step`."""

    def part(first: int, last: int) -> None:
        compiled(first, last, bounds, scales, decays, clip, tiny, w, g, *slots, *scalars)

    workers.share(part, w.size)


# --- compiling ------------------------------------------------------------------------------------


def _source(rule: Rule) -> str:
    new = [f"new_{slot}" for slot in rule.slots]
    indent = " " * 12
    return _TEMPLATE.format(
        name=rule.name,
        arguments=", ".join((*rule.slots, *rule.scalars)),
        slices="\n".join(f"{indent}{s}_run = {s}[start:stop]" for s in rule.slots),
        results=", ".join(("new_w", *new)) + ("" if new else ","),
        elements=", ".join((*(f"{s}_run[i]" for s in rule.slots), *rule.scalars)),
        stores="\n".join(
            f"{indent}    {s}_run[i] = zero if abs(new_{s}) < tiny else new_{s}" for s in rule.slots
        ),
    )


def _compile(rule: Rule, dtype: numpy.dtype) -> Callable[..., None] | None:
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
    shape = (source, code.co_code, code.co_consts, code.co_names, code.co_varnames)
    digest = hashlib.sha256(repr(shape).encode()).hexdigest()[:16]
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
        namespace: dict[str, Any] = {
            "__name__": f"minpy_kernel_{rule.name}",
            "update": numba.njit(**flags)(rule.update),
        }
        exec(compile(source, path or f"<minpy kernel {rule.name}>", "exec"), namespace)
        try:
            return numba.njit(signature, cache=path is not None, **flags)(namespace[rule.name])
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
