"""Reads, checks and lists checkpoints; takes nothing from a file before it has checked it.

Knows nothing of models. By default not even HDF5's library looks at the file: the header leads to
the manifest and the manifest to the arrays, each under the digest of the one before, so a damaged
or crafted file meets only the few lines of parsing in `minpy.checkpoint.layout`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import math
import os
import stat
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Literal, get_args

import numpy

from minpy.checkpoint import hdf5, layout, names
from minpy.errors import (
    CheckpointCorruptError,
    CheckpointError,
    CheckpointMismatchError,
)

Check = Literal["file", "arrays"]
_CHUNK = 1 << 20  # bytes read at a time: they are hashed while they are in the cache


@dataclasses.dataclass
class Checkpoint:
    """What a checkpoint file held, everything verified.

    Attributes
    ----------
    path : str
    metadata : dict
    sections : dict of str to dict of str to numpy.ndarray
        In the order in which they were saved; each array writable, with memory of its own.
    version : int
        Format version of the file.
    minpy_version : str
        The minpy that wrote it.
    created : str
        When, in ISO 8601.
    """

    path: str
    metadata: dict[str, Any]
    sections: dict[str, dict[str, numpy.ndarray]]
    version: int
    minpy_version: str
    created: str


@dataclasses.dataclass
class Description:
    """What a checkpoint file says of itself; ``str`` of it is a table.

    Attributes
    ----------
    path : str
    length : int
        Size of the file in bytes.
    sections : dict of str to dict of str to (shape, dtype)
    metadata : dict
    version : int
    minpy_version : str
    created : str
    """

    path: str
    length: int
    sections: dict[str, dict[str, tuple[tuple[int, ...], numpy.dtype]]]
    metadata: dict[str, Any]
    version: int
    minpy_version: str
    created: str

    def __str__(self) -> str:
        lines = [
            f"{self.path}: minpy checkpoint, format version {self.version}, {self.length:,} bytes",
            f"written {_printable(self.created)} by minpy {_printable(self.minpy_version)}",
        ]
        for section, members in self.sections.items():
            count = sum(math.prod(shape) for shape, _ in members.values())
            lines += ["", f"{_printable(section)}: {len(members)} arrays, {count:,} elements"]
            width = max((len(_printable(name)) for name in members), default=0)
            lines += [
                f"  {_printable(name):<{width}}  {dtype.name:<10}  {shape}"
                for name, (shape, dtype) in members.items()
            ]
        return "\n".join(lines)


def _printable(text: str) -> str:
    """Escape what a terminal might take for a command: the text comes from a stranger's file."""
    return text if text.isprintable() else repr(text)


def read(
    path: str | os.PathLike[str],
    sections: Iterable[str] | None = None,
    *,
    check: Check = "file",
) -> Checkpoint:
    """Read a checkpoint, and return only when all of it has been verified.

    Nothing in the file is executed or unpickled, no link to another file is followed, and no
    more memory is taken than the file has bytes.

    Parameters
    ----------
    path : str or path-like
    sections : iterable of str, optional
        Which sections to return, all by default. The others are verified all the same.
    check : {'file', 'arrays'}
        ``'file'`` refuses a file in which any byte is other than it was written. ``'arrays'``
        is for a file that another program has copied or added a note to: it goes by the HDF5
        structure as it is now, and refuses it only if the arrays or the metadata differ. Use it
        on files that you trust, as HDF5's own library then parses what nobody has verified.

    Returns
    -------
    Checkpoint

    Raises
    ------
    CheckpointError
        If the file can't be opened or read.
    CheckpointCorruptError
        If it is truncated, damaged, or changed since it was written.
    CheckpointFormatError
        If it is of another program or a newer format version, or holds what isn't allowed.
    CheckpointMismatchError
        If it has no section of a name in `sections`.

    Examples
    --------
    >>> import os, tempfile
    >>> from minpy.checkpoint import write
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = os.path.join(folder.name, "net.h5")
    >>> write(path, {"weights": {"bias": numpy.zeros(3)}, "aux": {}}, {"epoch": 3})
    >>> checkpoint = read(path, ["weights"])
    >>> checkpoint.sections, checkpoint.metadata
    ({'weights': {'bias': array([0., 0., 0.])}}, {'epoch': 3})
    >>> folder.cleanup()
    """
    if check not in get_args(Check):
        raise ValueError(f"check must be 'file' or 'arrays', got {check!r}")
    name = os.fsdecode(path)
    with _opened(name) as file:
        manifest = _verified_manifest(file, name, check)
        present = {names.decode(section): section for section in manifest.sections}
        wanted = list(present) if sections is None else _known(sections, present, name)
        found: dict[str, dict[str, numpy.ndarray]] = {section: {} for section in wanted}
        for record in manifest.arrays:
            section = names.decode(record.section)
            if section in found:
                found[section][record.name] = _array(file, record, name)
            else:
                _verify_elements(record, _chunks(file, record.offset, record.nbytes, name), name)
    return Checkpoint(
        path=name,
        metadata=manifest.metadata,
        sections=found,
        version=manifest.version,
        minpy_version=manifest.minpy_version,
        created=manifest.created,
    )


def verify(path: str | os.PathLike[str], *, check: Check = "file") -> None:
    """Check a whole checkpoint without keeping its arrays in memory.

    Parameters
    ----------
    path : str or path-like
    check : {'file', 'arrays'}
        As for `read`.

    Raises
    ------
    CheckpointError
        As `read` does.
    """
    read(path, (), check=check)


def describe(path: str | os.PathLike[str]) -> Description:
    """List what is in a checkpoint without reading its arrays; header and list are verified.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    Description

    Raises
    ------
    CheckpointError
        As `read` does, but for damage to the arrays.

    Examples
    --------
    >>> import os, tempfile
    >>> from minpy.checkpoint import write
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = os.path.join(folder.name, "net.h5")
    >>> write(path, {"weights": {"bias": numpy.zeros(3)}}, {"epoch": 3})
    >>> describe(path).sections
    {'weights': {'bias': ((3,), dtype('float64'))}}
    >>> folder.cleanup()
    """
    name = os.fsdecode(path)
    with _opened(name) as file:
        header, manifest = _header_and_manifest(file, name)
    sections: dict[str, dict[str, Any]] = {names.decode(part): {} for part in manifest.sections}
    for record in manifest.arrays:
        kind = record.shape, layout.DTYPES[record.dtype]
        sections[names.decode(record.section)][record.name] = kind
    return Description(
        path=name,
        length=header.length,
        sections=sections,
        metadata=manifest.metadata,
        version=manifest.version,
        minpy_version=manifest.minpy_version,
        created=manifest.created,
    )


@contextlib.contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    """Open a plain file; whatever the system says while it is read becomes a CheckpointError."""
    if "\0" in path:
        raise CheckpointError(f"can't read checkpoint {path!r}: no file name holds a NUL")
    try:
        with open(path, "rb", buffering=0, opener=_open_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError(errno.EINVAL, "it is a device, pipe or socket, not a plain file")
            yield file
    except CheckpointError:
        raise
    except OSError as error:
        reason = getattr(error, "strerror", None) or str(error)
        failure = CheckpointError(f"can't read checkpoint {path!r}: {reason}")
        failure.errno = getattr(error, "errno", None)
        raise failure from error


def _open_at_once(path: str, flags: int) -> int:
    """Open as usual, but don't wait for a writer if a pipe has that name."""
    return os.open(path, flags | os.O_NONBLOCK)


def _known(sections: Iterable[str], present: Iterable[str], path: str) -> list[str]:
    wanted = [sections] if isinstance(sections, str) else list(sections)
    for section in wanted:
        if section not in present:
            raise CheckpointMismatchError(
                f"checkpoint {path!r} has no section {section!r}; it has {sorted(present)}"
            )
    return wanted


def _verified_manifest(file: BinaryIO, path: str, check: Check) -> layout.Manifest:
    """Give the manifest, everything but the elements of the arrays being verified."""
    if check == "arrays":
        return hdf5.find_arrays(file, path)
    header, manifest = _header_and_manifest(file, path)
    structure = hashlib.sha256()
    for start, stop in layout.gaps(manifest.arrays, header, path):
        for chunk in _chunks(file, start, stop - start, path):
            structure.update(chunk)
    if structure.hexdigest() != header.structure_sha256:
        raise CheckpointCorruptError(
            f"checkpoint {path!r} was changed since it was written, between its arrays; if "
            "another program did so on purpose, read it with check='arrays'"
        )
    return manifest


def _header_and_manifest(file: BinaryIO, path: str) -> tuple[layout.Header, layout.Manifest]:
    block = os.pread(file.fileno(), layout.HEADER_SIZE, 0)
    header = layout.Header.from_bytes(block, path)
    size = os.fstat(file.fileno()).st_size
    if size < header.length:
        raise CheckpointCorruptError(
            f"checkpoint {path!r} is truncated: it has {size} of its {header.length} bytes"
        )
    if size > header.length:
        raise CheckpointCorruptError(
            f"checkpoint {path!r} was changed since it was written: it has {size} bytes, "
            f"{size - header.length} more than then; if another program did so on purpose, "
            "read it with check='arrays'"
        )
    layout.gaps((), header, path)  # the manifest itself must lie in the file
    content = b"".join(
        bytes(chunk)
        for chunk in _chunks(file, header.manifest_offset, header.manifest_length, path)
    )
    if layout.digest(content) != header.manifest_sha256:
        raise CheckpointCorruptError(
            f"checkpoint {path!r} is damaged: its manifest doesn't match its checksum"
        )
    return header, layout.Manifest.from_bytes(content, path)


def _chunks(
    file: BinaryIO, offset: int, nbytes: int, path: str, into: memoryview | None = None
) -> Iterator[memoryview]:
    """Read a stretch of the file a chunk at a time, into `into` or else into one buffer."""
    scratch = memoryview(bytearray(min(_CHUNK, nbytes))) if into is None else None
    done = 0
    while done < nbytes:
        size = min(_CHUNK, nbytes - done)
        part = scratch[:size] if into is None else into[done : done + size]
        count = os.preadv(file.fileno(), [part], offset + done)
        if not count:
            raise CheckpointCorruptError(
                f"checkpoint {path!r} is truncated: it ended at byte {offset + done} "
                "while it was read"
            )
        yield part[:count]
        done += count


def _array(file: BinaryIO, record: layout.ArrayRecord, path: str) -> numpy.ndarray:
    try:
        array = numpy.empty(record.shape, layout.DTYPES[record.dtype])
    except MemoryError as error:
        raise CheckpointError(
            f"checkpoint {path!r}, {record.label}: no memory for its {record.nbytes} bytes"
        ) from error
    elements = memoryview(array.reshape(-1).view(numpy.uint8))
    _verify_elements(record, _chunks(file, record.offset, record.nbytes, path, elements), path)
    return array


def _verify_elements(record: layout.ArrayRecord, chunks: Iterable[memoryview], path: str) -> None:
    state = hashlib.sha256()
    for chunk in chunks:
        state.update(chunk)
    if state.hexdigest() != record.sha256:
        raise CheckpointCorruptError(
            f"checkpoint {path!r}, {record.label}: damaged, its elements don't match their checksum"
        )
