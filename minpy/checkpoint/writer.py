"""Writes a checkpoint: named sections of arrays, and metadata; knows nothing of models."""

from __future__ import annotations

import dataclasses
import datetime
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy

from minpy.checkpoint import atomic, hdf5, layout, names
from minpy.errors import CheckpointError


def write(
    path: str | os.PathLike[str],
    sections: Mapping[str, Mapping[str, Any]],
    metadata: Mapping[str, Any] | None = None,
    *,
    created: datetime.datetime | None = None,
) -> None:
    """Save sections of named arrays, and metadata, as one HDF5 file, all or nothing.

    The file appears under its name only when it is whole and on the disk; until then, and when
    anything fails, what was there before stays as it was. The arrays must not change meanwhile.

    Parameters
    ----------
    path : str or path-like
        The file. Its folder must exist; a symbolic link is followed.
    sections : mapping of str to mapping of str to array
        Such as ``{'weights': {'dense_1/kernel': …}, 'optimizer': {…}}``; orders are kept. Names
        are any text but the empty one. An array may be of any shape, of booleans, integers,
        floats or complex numbers in either byte order, and is stored bit for bit.
    metadata : mapping, optional
        Text, numbers, booleans, None, lists and mappings with text as keys, nested at will.
    created : datetime, optional
        The moment to note in the file, now if not given. The rest of the file depends on the
        other arguments and the versions of minpy and HDF5 only.

    Raises
    ------
    CheckpointError
        If the file can't be written: no such folder, no permission, disk full, …
    TypeError
        If a name, an array or some metadata is of a kind that can't be stored.

    Examples
    --------
    >>> import os, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = os.path.join(folder.name, "net.h5")
    >>> write(path, {"weights": {"dense/kernel": numpy.eye(2)}}, {"epoch": 3})
    >>> from minpy.checkpoint import read
    >>> read(path).sections["weights"]["dense/kernel"]
    array([[1., 0.],
           [0., 1.]])
    >>> folder.cleanup()
    """
    target = os.fsdecode(path)
    arrays = {
        section: {name: _storable(value, f"{section}: {name!r}") for name, value in members.items()}
        for section, members in sections.items()
    }
    records = _records(arrays)
    plain = layout.plain_metadata(metadata or {})
    moment = created or datetime.datetime.now(datetime.timezone.utc)
    manifest = layout.Manifest(
        sections=tuple(map(names.encode_section, arrays)),
        arrays=tuple(records),
        metadata=plain,
        created=moment.isoformat(timespec="seconds"),
        minpy_version=str(getattr(sys.modules.get("minpy"), "__version__", "unknown")),
    )
    flat = [array for members in arrays.values() for array in members.values()]
    pieces = _assemble(manifest, flat, target)
    atomic.replace_file(target, pieces, sum(len(piece) for piece in pieces))


def _storable(value: Any, label: str) -> numpy.ndarray:
    array = numpy.asarray(value, order="C")
    if array.dtype.str not in layout.DTYPES:
        raise TypeError(
            f"{label}: dtype {array.dtype} can't be stored; "
            "only booleans, integers, floats and complex numbers can"
        )
    return array


def _elements(array: numpy.ndarray) -> numpy.ndarray:
    """View an array as its bytes: hashing and writing take no other dtype's buffer."""
    return array.reshape(-1).view(numpy.uint8)


def _records(arrays: Mapping[str, Mapping[str, numpy.ndarray]]) -> list[layout.ArrayRecord]:
    records = []
    for section, members in arrays.items():
        for name in (section, *members):
            if not isinstance(name, str) or not name:
                raise TypeError(f"names of sections and arrays must be text, got {name!r}")
        encoded = names.encode_section(section)
        for place, array in zip(names.encode_arrays(members), members.values(), strict=True):
            sha256 = layout.digest(_elements(array))
            records.append(layout.ArrayRecord(encoded, place, array.dtype.str, array.shape, sha256))
    return records


def _assemble(
    manifest: layout.Manifest, arrays: Sequence[numpy.ndarray], path: str
) -> list[bytes | numpy.ndarray]:
    """Lay out the whole file as pieces, in order; the arrays among them are views, not copies."""
    placed: list[layout.ArrayRecord] = []

    def make_manifest(records: Sequence[layout.ArrayRecord]) -> bytes:
        placed.extend(records)
        return dataclasses.replace(manifest, arrays=tuple(records)).to_bytes()

    attributes = {
        "format": layout.FORMAT,
        "version": manifest.version,
        "minpy_version": manifest.minpy_version,
        "created": manifest.created,
    }
    try:
        structure, content, offset = hdf5.build(
            manifest.sections, manifest.arrays, make_manifest, attributes
        )
    # Nothing is on the disk yet; HDF5 refuses what is beyond its limits in many ways.
    except (ValueError, RuntimeError, OSError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"can't lay out checkpoint {path!r} as HDF5: {error}") from error
    filled: dict[int, bytes | numpy.ndarray] = {offset: content}
    for record, array in zip(placed, arrays, strict=True):
        if array.size:
            filled[record.offset] = _elements(array)
    header = layout.Header(structure.length, offset, len(content), layout.digest(content), "0" * 64)
    free = layout.gaps(placed, header, path)
    between = {start: structure.between(start, stop) for start, stop in free}
    sealed = dataclasses.replace(header, structure_sha256=layout.digest(*between.values()))
    pieces = filled | between
    return [sealed.to_bytes(), *(pieces[start] for start in sorted(pieces))]
