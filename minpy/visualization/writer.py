"""``minpy.visualization.writer`` of minpy 0.3.4: event files that TensorBoard reads."""

from __future__ import annotations

import time
from typing import Any

from minpy.visualization.summaryOps import scalar_summary

__all__ = ["LegacySummaryWriter", "SummaryWriter"]


class SummaryWriter:
    """Writes an event file.

    Parameters
    ----------
    logdir
        The folder; it is made if it isn't there.
    max_queue
        How many summaries wait to be written.
    flush_secs
        How often they are written, in seconds.

    Examples
    --------
    >>> import os, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> with SummaryWriter(folder) as writer:
    ...     writer.add_scalar('loss', 0.5, global_step=1)
    >>> len(os.listdir(folder))
    1
    """

    def __init__(self, logdir: Any, max_queue: int = 10, flush_secs: float = 120) -> None:
        from tensorboardX.event_file_writer import EventFileWriter

        self._logdir = str(logdir)
        self._file = EventFileWriter(self._logdir, max_queue, flush_secs)

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def add_summary(self, summary: Any, global_step: int | None = None) -> None:
        """Write a summary, a protocol buffer of `minpy.visualization.summaryOps` or its bytes."""
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.proto.summary_pb2 import Summary

        if isinstance(summary, bytes):
            summary = Summary.FromString(summary)
        event = Event(summary=summary, wall_time=time.time())
        if global_step is not None:
            event.step = int(global_step)
        self._file.add_event(event)

    def add_scalar(self, tag: str, scalar: Any, global_step: int | None = None) -> None:
        """Write one number."""
        self.add_summary(scalar_summary(tag, scalar), global_step)

    def get_logdir(self) -> str:
        """Return the folder."""
        return self._logdir

    def flush(self) -> None:
        """Write what is waiting."""
        self._file.flush()

    def close(self) -> None:
        """Write what is waiting, and close the file."""
        self._file.close()

    def reopen(self) -> None:
        """Go on after `close`, in another file."""
        self._file.reopen()


LegacySummaryWriter = SummaryWriter
