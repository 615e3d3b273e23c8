"""Tells OpenBLAS, which multiplies NumPy's matrices, what processor it runs on; imports no NumPy.

The OpenBLAS of NumPy 1.26 doesn't know AMD's processors from Zen 5 on and takes them for one
without AVX-512: a product of two 1024×1024 float32 matrices takes 7.9 ms where 4.1 would do, one of
32×64 and 64×64 3.3 µs instead of 1.0 (two cores of a Zen 5). It reads a variable when it is loaded,
which is when NumPy is imported, so this helps programs that import minpy before NumPy. The variable
stays set for the libraries that bring an OpenBLAS of their own, SciPy's.
"""

from __future__ import annotations

import os
import sys

__all__ = ["describe_to_openblas"]

_VARIABLE = "OPENBLAS_CORETYPE"
# What OpenBLAS calls processors with these features.
_CORE = "SkylakeX"
_FEATURES = frozenset(["avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl", "avx2", "fma"])
# AMD's number for Zen 5; OpenBLAS knows those below.
_FIRST_UNKNOWN_FAMILY = 26


def describe_to_openblas(only_say: bool = False) -> str | None:
    """Set ``OPENBLAS_CORETYPE`` where OpenBLAS would guess wrong, and it isn't loaded yet.

    Parameters
    ----------
    only_say
        Set nothing, and look at the processor alone.

    Returns
    -------
    str or None
        What was set, or would be the right thing to set; None where OpenBLAS knows best.
    """
    if not only_say and (_VARIABLE in os.environ or "numpy" in sys.modules):
        return None
    facts = _first_core()
    try:
        family = int(facts.get("cpu family", "0"))
    except ValueError:
        return None
    if facts.get("vendor_id") != "AuthenticAMD" or family < _FIRST_UNKNOWN_FAMILY:
        return None
    if not set(facts.get("flags", "").split()) >= _FEATURES:
        return None
    if not only_say:
        os.environ[_VARIABLE] = _CORE
    return _CORE


def _first_core() -> dict[str, str]:
    """Return what the kernel says of the first core; nothing on other systems than Linux."""
    facts: dict[str, str] = {}
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                name, colon, value = line.partition(":")
                if not colon:
                    break
                facts[name.strip()] = value.strip()
    except OSError:
        pass
    return facts


describe_to_openblas()  # when minpy is imported: later is too late
