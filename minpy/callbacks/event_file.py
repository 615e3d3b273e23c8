"""Writes one TensorBoard event file, record by record; must not know what the numbers mean.

tensorboardX gives the message types and the checksum. Its SummaryWriter is not used: a queue and
a thread of its own stand between a value and the file, so that a flush can leave the last values
behind, and two writers opened in the same second in one folder overwrite each other.
"""

from __future__ import annotations

import itertools
import os
import socket
import struct
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from minpy.callbacks.png import encode_png

FLUSH_SECONDS = 10.0
HISTOGRAM_BINS = 30
_GRAYSCALE, _RGB = 1, 3
_counter = itertools.count()


class EventFile:
    """A file of TensorBoard events, made with a name that no other has.

    Parameters
    ----------
    folder : str
        Made if it isn't there.

    Attributes
    ----------
    path : str
        The file's path.
    """

    def __init__(self, folder: str) -> None:
        from tensorboardX.proto.event_pb2 import Event

        os.makedirs(folder, exist_ok=True)
        # TensorBoard reads the files of a folder by name, so the time comes first.
        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}"
        self.path = os.path.join(folder, f"{name}.{os.getpid()}.{next(_counter):06d}")
        self._file: Any = open(self.path, "xb")  # noqa: SIM115 (until close)
        self._last_flush = time.monotonic()
        self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))
        self.flush()

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Write numbers by tag, as points of curves at `step`."""
        if values:
            self._summary(
                [{"tag": tag, "simple_value": float(value)} for tag, value in values.items()], step
            )

    def histogram(self, tag: str, values: np.ndarray, step: int) -> None:
        """Write how the finite ones of `values` are distributed; nothing if there are none."""
        from tensorboardX.proto.summary_pb2 import HistogramProto

        values = np.asarray(values, dtype=np.float64).ravel()
        values = values[np.isfinite(values)]
        if not values.size:
            return
        edges = _edges(values.min(), values.max())
        counts, _ = np.histogram(values, bins=edges)
        with np.errstate(over="ignore"):  # weights on their way to infinity
            total, squares = values.sum(), values @ values
        histogram = HistogramProto(
            min=edges[0],
            max=edges[-1],
            num=values.size,
            sum=total,
            sum_squares=squares,
            bucket_limit=edges[1:],
            bucket=counts,
        )
        self._summary([{"tag": tag, "histo": histogram}], step)

    def image(self, tag: str, pixels: np.ndarray, step: int) -> None:
        """Write a picture: uint8, shape (height, width) or (height, width, 3)."""
        from tensorboardX.proto.summary_pb2 import Summary

        picture = Summary.Image(
            height=pixels.shape[0],
            width=pixels.shape[1],
            colorspace=_RGB if pixels.ndim == 3 else _GRAYSCALE,
            encoded_image_string=encode_png(pixels),
        )
        self._summary([{"tag": tag, "image": picture}], step)

    def text(self, tag: str, markdown: str, step: int) -> None:
        """Write a text, which TensorBoard shows as Markdown."""
        from tensorboardX.summary import text

        self._summary(text(tag, markdown).value, step)

    def graph(self, graph: Any) -> None:
        """Write a GraphDef."""
        from tensorboardX.proto.event_pb2 import Event

        self._write(Event(wall_time=time.time(), graph_def=graph.SerializeToString()))

    def flush(self) -> None:
        """Hand everything written so far to the operating system."""
        self._file.flush()
        self._last_flush = time.monotonic()

    def close(self) -> None:
        """Flush and close; a second time does nothing."""
        self._file.close()

    def _summary(self, values: Any, step: int) -> None:
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.proto.summary_pb2 import Summary

        self._write(Event(wall_time=time.time(), step=int(step), summary=Summary(value=values)))

    def _write(self, event: Any) -> None:
        """Append a TFRecord: length, its checksum, the event, its checksum.

        In a single call, so that Ctrl-C can't leave half a record, after which TensorBoard
        reads no further.
        """
        data = event.SerializeToString()
        length = struct.pack("<Q", len(data))
        self._file.write(length + _checksum(length) + data + _checksum(data))
        if time.monotonic() - self._last_flush > FLUSH_SECONDS:
            self.flush()


def _edges(lowest: float, highest: float) -> np.ndarray:
    """Divide a range evenly, also one of a single value or of nearly all floats.

    (np.histogram fails at its own bins for equal values from 2**52 on.)
    """
    if lowest == highest:
        return np.array([lowest, highest])
    part = np.linspace(0.0, 1.0, HISTOGRAM_BINS + 1)
    return np.maximum.accumulate(lowest * (1.0 - part) + highest * part).clip(lowest, highest)


def _checksum(data: bytes) -> bytes:
    """Return the masked CRC-32C of the TFRecord format (TensorFlow, lib/hash/crc32c.h)."""
    from tensorboardX.crc32c import crc32c

    crc = crc32c(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)
