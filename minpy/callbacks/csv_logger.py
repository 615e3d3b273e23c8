"""Streams each epoch's logs to a CSV file; must not keep them in memory."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from typing import Any, ClassVar

from minpy.callbacks.callback import Callback, Logs

_MISSING = "NA"


class CSVLogger(Callback):
    """Write one row an epoch to a CSV file, which is complete after each epoch.

    The columns are ``epoch`` (from 0) and the names in the logs, sorted. A name that appears
    later (validation every few epochs) becomes a further column; rows without it say ``NA``.

    Parameters
    ----------
    filename : str or path
        The file; folders on the way are made.
    separator : str
        A single character between values.
    append : bool
        Go on with an existing file and its columns, where False overwrites it.

    Raises
    ------
    ValueError
        If `separator` is not a single character.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = CSVLogger(pathlib.Path(folder, 'log.csv'), separator=';')
    ...     log.on_train_begin()
    ...     log.on_epoch_end(0, {'loss': 0.5, 'accuracy': 0.75})
    ...     log.on_train_end()
    ...     print(pathlib.Path(log.filename).read_text())
    epoch;accuracy;loss
    0;0.75;0.5
    <BLANKLINE>
    """

    state_attributes: ClassVar = {"_rows": int}

    def __init__(
        self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False
    ) -> None:
        super().__init__()
        if not isinstance(separator, str) or len(separator) != 1:
            raise ValueError(f"CSVLogger: separator must be a single character, got {separator!r}")
        self.filename = os.fspath(filename)
        self.separator = separator
        self.append = append
        self._file: Any = None
        self._columns: list[str] = []
        self._rows = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Open the file, so that one that can't be written is an error before the first epoch."""
        self._close()
        folder = os.path.dirname(self.filename)
        if folder:
            os.makedirs(folder, exist_ok=True)
        resumed = not self._starts_afresh()
        rows = []
        if (self.append or resumed) and os.path.exists(self.filename):
            rows = self._read()
        if resumed:
            # Epochs that were logged after the state was kept come again.
            rows = rows[: self._rows + 1] if self._rows else []
            if rows:
                self._replace(rows)
        self._rows = max(0, len(rows) - 1)
        self._columns = rows[0] if rows else []
        self._open("a" if rows else "w")
        if rows and not self._ends_with_newline():
            self._file.write("\n")  # cut off in the middle of a row

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the epoch's row through to the operating system."""
        row = {"epoch": epoch, **{name: _cell(value) for name, value in (logs or {}).items()}}
        new = sorted(set(row) - set(self._columns) - {"epoch"})
        if not self._columns:
            self._columns = ["epoch", *new]
            self._writer(self._file).writerow(self._columns)
        elif new:
            self._add_columns(new)
        self._writer(self._file).writerow([row.get(name, _MISSING) for name in self._columns])
        self._rows += 1
        self._file.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Close the file."""
        self._close()

    def _add_columns(self, names: list[str]) -> None:
        """Write the file anew with more columns, and put it in place of the old one at once."""
        self._close()
        header, *rows = self._read()
        self._columns = [*header, *names]
        wide = [row + [_MISSING] * (len(self._columns) - len(row)) for row in rows]
        self._replace([self._columns, *wide])
        self._open("a")

    def _replace(self, rows: list[list[str]]) -> None:
        unfinished = f"{self.filename}.part"
        with open(unfinished, "w", newline="", encoding="utf-8") as file:
            self._writer(file).writerows(rows)
        os.replace(unfinished, self.filename)

    def _open(self, mode: str) -> None:
        # Stays open until training ends, which no with-block can span.
        self._file = open(self.filename, mode, newline="", encoding="utf-8")  # noqa: SIM115

    def _writer(self, file: Any) -> Any:
        return csv.writer(file, delimiter=self.separator, lineterminator="\n")

    def _read(self) -> list[list[str]]:
        with open(self.filename, newline="", encoding="utf-8") as file:
            return [row for row in csv.reader(file, delimiter=self.separator) if row]

    def _ends_with_newline(self) -> bool:
        with open(self.filename, "rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()


def _cell(value: Any) -> Any:
    """A list or an array becomes one cell, '[1, 2]'; a number stays exact."""
    if getattr(value, "ndim", None) == 0:
        return value.item()
    if isinstance(value, Iterable) and not isinstance(value, str):
        return f"[{', '.join(map(str, value))}]"
    return value
