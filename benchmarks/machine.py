"""Names the machine that measured: processor, cores, memory, system."""

from __future__ import annotations

import os
import platform
from typing import Any


def _line(path: str, key: str) -> str:
    try:
        with open(path) as file:
            for line in file:
                name, _, value = line.partition(":")
                if name.strip() == key:
                    return value.strip()
    except OSError:
        pass
    return ""


def describe() -> dict[str, Any]:
    """Return the machine in a few words and numbers; load is the last minute's average."""
    memory = _line("/proc/meminfo", "MemTotal").split()
    cpu = _line("/proc/cpuinfo", "model name") or platform.processor() or platform.machine()
    family, model = (_line("/proc/cpuinfo", key) for key in ("cpu family", "model"))
    return {
        "cpu": f"{cpu} (family {family}, model {model})" if family else cpu,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": int(memory[0]) / 2**20 if memory else 0.0,
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "load": os.getloadavg()[0],
    }
