"""Graphs: functions traced by running them, and replayed by MXNet as one operation."""
