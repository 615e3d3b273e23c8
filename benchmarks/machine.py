"""Names the machine that measures, and says who uses its processors: we, or somebody else."""

from __future__ import annotations

import os
import platform
import time
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


# Variables by which users tell the libraries how to compute.
_TOLD = ("OPENBLAS_", "OMP_", "MKL_", "DNNL_", "ONEDNN_", "XLA_FLAGS", "MXNET_")


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
        "variables": {k: v for k, v in os.environ.items() if k.startswith(_TOLD)},
    }


_TICKS = os.sysconf("SC_CLK_TCK")


def busy_seconds() -> float:
    """Return the processor time that the whole machine has spent on work since it started."""
    with open("/proc/stat") as stat:
        user, nice, system, _idle, _wait, irq, softirq, steal = map(
            int, stat.readline().split()[1:9]
        )
    return (user + nice + system + irq + softirq + steal) / _TICKS


def process_seconds(pid: int) -> float:
    """Return the processor time that a process has spent."""
    with open(f"/proc/{pid}/stat") as stat:
        # The name, in parentheses, may hold blanks; 14 and 15 of the line are user and system.
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


class Disturbance:
    """How many cores others used while a process worked, from here to `cores`."""

    def __init__(self, pid: int | None = None) -> None:
        self.pid = pid
        self.start = self._now()

    def _now(self) -> tuple[float, float]:
        own = 0.0 if self.pid is None else process_seconds(self.pid)
        return time.monotonic(), busy_seconds() - own

    def cores(self) -> float:
        """Return the mean number of cores that others used since the start."""
        moment, others = self._now()
        return max(0.0, (others - self.start[1]) / max(moment - self.start[0], 1e-9))


def wait_for_calm(limit: float, patience: float) -> float:
    """Wait until others use at most `limit` cores, at most `patience` seconds; return the wait."""
    start = time.monotonic()
    while True:
        watch = Disturbance()
        time.sleep(0.2)
        waited = time.monotonic() - start
        if watch.cores() <= limit or waited >= patience:
            return waited
