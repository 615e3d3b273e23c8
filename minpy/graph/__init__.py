"""Graphs: functions traced by running them, and replayed by MXNet as one operation."""

from minpy.graph.function import Jitted, jit

__all__ = ["Jitted", "jit"]
