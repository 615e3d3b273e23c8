"""The header and the manifest of a checkpoint file: their bytes, and the checks on them.

Knows nothing of HDF5, and never touches a file: it turns values into bytes and back.

The header is the first 512 bytes, which HDF5 leaves to the application (the "user block"). It is
text, and says how long the file is and where the manifest lies. The manifest is JSON and lists
every array with its place in the file. Each is covered by a SHA-256, the manifest's digest being
part of the header and each array's part of the manifest, so that a reader who starts with the
header trusts nothing that it hasn't checked.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy

from minpy.checkpoint import names
from minpy.errors import (
    CheckpointCorruptError,
    CheckpointError,
    CheckpointFormatError,
)

VERSION = 1
FORMAT = "minpy checkpoint"
HEADER_SIZE = 512
_MAGIC = FORMAT.encode() + b"\n"
_MAX_DEPTH = 100  # of nested metadata: far from where Python's JSON reader gives up
_SEAL_SIZE = 65  # the header's own digest in hex, and a line end
_NOTE = b"The rest is HDF5 (this is its user block): open it with any HDF5 program, read-only.\n"

DTYPES = {
    text: numpy.dtype(text)
    for code in "?bhilBHILefdFDgG"
    # HDF5 and h5py don't agree on extended precision in the other byte order.
    for order in ("=" if code in "gG" else "<>")
    for text in [numpy.dtype(code).newbyteorder(order).str]
}
"""Every dtype that may be stored, by the string that the manifest has for it."""

_FOREIGN = (
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file of another program, such as Keras, h5py or h5repack"),
    (b"PK\x03\x04", "a ZIP archive, such as .keras, .npz or a PyTorch file"),
    (b"\x93NUMPY", "a NumPy .npy file"),
    (b"\x89PNG", "a PNG image"),
    (b"\x1f\x8b", "a gzip file"),
    (b"\x80", "a Python pickle"),
)


def digest(*pieces: Any) -> str:
    """Give the SHA-256 of some buffers, one after the other, in hex."""
    state = hashlib.sha256()
    for piece in pieces:
        state.update(piece)
    return state.hexdigest()


@dataclasses.dataclass(frozen=True)
class Header:
    """What the first 512 bytes say: the file's length, the manifest's place, two digests."""

    length: int
    manifest_offset: int
    manifest_length: int
    manifest_sha256: str
    structure_sha256: str

    def to_bytes(self) -> bytes:
        """Give the 512 bytes, the last of which are the digest of the others."""
        text = (
            f"version {VERSION}\n"
            f"length {self.length}\n"
            f"manifest {self.manifest_offset} {self.manifest_length} {self.manifest_sha256}\n"
            f"structure {self.structure_sha256}\n"
        )
        content = _MAGIC + text.encode() + _NOTE
        content = content.ljust(HEADER_SIZE - _SEAL_SIZE - 1) + b"\n"
        return content + digest(content).encode() + b"\n"

    @classmethod
    def from_bytes(cls, block: bytes, path: str) -> Header:
        """Read a header, after the check that it is one, whole, and of a version known here.

        Parameters
        ----------
        block : bytes
            The first 512 bytes of a file, or all of a shorter one.
        path : str
            The file's name, for the messages.

        Returns
        -------
        Header

        Raises
        ------
        CheckpointFormatError
            If the file is of another program or of a newer format version.
        CheckpointCorruptError
            If the header is damaged or incomplete.
        """
        if not block.startswith(_MAGIC):
            _refuse_foreign(block, path)
        content, seal = block[:-_SEAL_SIZE], block[-_SEAL_SIZE:]
        if len(block) < HEADER_SIZE:
            raise CheckpointCorruptError(
                f"checkpoint {path!r} is truncated: it has {len(block)} bytes, "
                f"its header alone takes {HEADER_SIZE}"
            )
        if seal != digest(content).encode() + b"\n":
            raise CheckpointCorruptError(
                f"checkpoint {path!r} is damaged: its header doesn't match its checksum"
            )
        found = re.match(rb"version (\d{1,9})\n", content[len(_MAGIC) :])
        check_version(int(found[1]) if found else None, path)
        fields = re.match(
            rb"version \d+\nlength (\d{1,18})\nmanifest (\d{1,18}) (\d{1,18}) ([0-9a-f]{64})\n"
            rb"structure ([0-9a-f]{64})\n",
            content[len(_MAGIC) :],
        )
        if fields is None:
            raise CheckpointCorruptError(f"checkpoint {path!r} is damaged: odd lines in its header")
        numbers = (int(field) for field in fields.groups()[:3])
        return cls(*numbers, *(field.decode() for field in fields.groups()[3:]))


def _refuse_foreign(block: bytes, path: str) -> None:
    if not block:
        raise CheckpointCorruptError(f"checkpoint {path!r} is empty (0 bytes)")
    if _MAGIC.startswith(block):
        raise CheckpointCorruptError(
            f"checkpoint {path!r} is truncated: only its first {len(block)} bytes are there"
        )
    for signature, kind in _FOREIGN:
        if block.startswith(signature):
            raise CheckpointFormatError(
                f"{path!r} is no minpy checkpoint: it looks like {kind}; "
                "give a file that minpy's own save has written"
            )
    raise CheckpointFormatError(
        f"{path!r} is no minpy checkpoint: it starts with {block[:16]!r}, not with {_MAGIC!r}"
    )


def check_version(version: Any, path: str) -> None:
    """Raise unless this minpy reads files of format `version`."""
    if type(version) is not int or version < 1:
        raise CheckpointCorruptError(f"checkpoint {path!r} has no valid format version")
    if version > VERSION:
        raise CheckpointFormatError(
            f"checkpoint {path!r} has format version {version}, this minpy reads up to {VERSION}: "
            "upgrade minpy to open it"
        )


@dataclasses.dataclass(frozen=True)
class ArrayRecord:
    """One array of a checkpoint: its section, path, kind, digest, and place in the file.

    `offset` is in bytes from the start of the file; an array without elements has 0 there.
    """

    section: str
    path: str
    dtype: str
    shape: tuple[int, ...]
    sha256: str
    offset: int = 0

    @property
    def name(self) -> str:
        """The name that the array was saved under."""
        return names.decode(self.path)

    @property
    def nbytes(self) -> int:
        """How many bytes its elements take."""
        return math.prod(self.shape) * DTYPES[self.dtype].itemsize

    @property
    def label(self) -> str:
        """How error messages call it: section and name."""
        return f"{names.decode(self.section)}: {self.name!r}"


@dataclasses.dataclass(frozen=True)
class Manifest:
    """All that a checkpoint lists about itself: sections, arrays in order, metadata, origin."""

    sections: tuple[str, ...]
    arrays: tuple[ArrayRecord, ...]
    metadata: dict[str, Any]
    created: str
    minpy_version: str
    version: int = VERSION

    def to_bytes(self) -> bytes:
        """Give the manifest as JSON."""
        listed: dict[str, list[dict[str, Any]]] = {section: [] for section in self.sections}
        for record in self.arrays:
            entry = dataclasses.asdict(record)
            listed[entry.pop("section")].append(entry)
        document = {
            "format": FORMAT,
            "version": self.version,
            "minpy_version": self.minpy_version,
            "created": self.created,
            "sections": [{"path": path, "arrays": arrays} for path, arrays in listed.items()],
            "metadata": self.metadata,
        }
        # ASCII escapes: lone surrogates in user strings (undecodable file names) survive.
        return json.dumps(document, ensure_ascii=True, separators=(",", ":")).encode("ascii")

    @classmethod
    def from_bytes(cls, content: bytes, path: str) -> Manifest:
        """Read a manifest, trusting nothing that it says about sizes, types or names.

        Parameters
        ----------
        content : bytes
        path : str
            The file's name, for the messages.

        Returns
        -------
        Manifest

        Raises
        ------
        CheckpointFormatError
            If it is of a newer format version, or lists a dtype that may not be stored.
        CheckpointCorruptError
            If it is no valid manifest.
        """
        try:
            document = json.loads(content)
            _require(document["format"] == FORMAT, "its format name is another")
            check_version(document["version"], path)
            sections, arrays = [], []
            for section in document["sections"]:
                _require(_is_path(section["path"]), "a section has no valid name")
                sections.append(section["path"])
                arrays += [_record(section["path"], entry, path) for entry in section["arrays"]]
            unique = set(map(names.decode, sections))
            _require(len(unique) == len(sections), "a section is listed twice")
            listed = {(record.section, record.name) for record in arrays}
            _require(len(listed) == len(arrays), "an array is listed twice")
            for text in ("created", "minpy_version"):
                _require(isinstance(document[text], str), f"{text!r} is no text")
            _require(isinstance(document["metadata"], dict), "its metadata is no mapping")
            return cls(
                sections=tuple(sections),
                arrays=tuple(arrays),
                metadata=document["metadata"],
                created=document["created"],
                minpy_version=document["minpy_version"],
                version=document["version"],
            )
        except CheckpointError:
            raise
        # Crafted JSON can fail in many ways (depth, digits, missing keys, wrong types).
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise CheckpointCorruptError(
                f"checkpoint {path!r} is damaged: its manifest can't be read ({reason})"
            ) from error


def _require(condition: bool, reason: str) -> None:
    if not condition:
        raise ValueError(reason)


def _is_path(text: Any) -> bool:
    return isinstance(text, str) and text != "" and names.decode(text) != ""


def _is_size(number: Any) -> bool:
    return type(number) is int and 0 <= number < 2**63


def _record(section: str, entry: Mapping[str, Any], path: str) -> ArrayRecord:
    _require(_is_path(entry["path"]), f"an array of {section!r} has no valid name")
    shape = tuple(entry["shape"])
    record = ArrayRecord(section, entry["path"], entry["dtype"], shape, entry["sha256"])
    where = f"{section}: {entry['path']!r}"
    if not isinstance(record.dtype, str) or record.dtype not in DTYPES:
        raise CheckpointFormatError(
            f"checkpoint {path!r}, {record.label}: dtype {record.dtype!r} may not be stored; "
            "only booleans and numbers may"
        )
    _require(len(shape) <= 32 and all(map(_is_size, shape)), f"{where} has a bad shape")
    # NumPy refuses an empty array too when its other sizes multiply beyond this.
    room = math.prod(max(size, 1) for size in shape) * DTYPES[record.dtype].itemsize
    _require(room < 2**63, f"{where} declares {room} bytes")
    digest_found = isinstance(record.sha256, str) and re.fullmatch("[0-9a-f]{64}", record.sha256)
    _require(bool(digest_found), f"{where} has no valid digest")
    _require(_is_size(entry["offset"]), f"{where} has a bad offset")
    return dataclasses.replace(record, offset=entry["offset"])


def gaps(records: Sequence[ArrayRecord], header: Header, path: str) -> list[tuple[int, int]]:
    """List the stretches of a file that hold neither header, nor manifest, nor array.

    What the manifest declares is checked against the length of the file on the way, so that
    nothing is allocated that the file couldn't fill.

    Parameters
    ----------
    records : sequence of ArrayRecord
    header : Header
    path : str
        The file's name, for the messages.

    Returns
    -------
    list of (start, stop)
        In bytes from the start of the file, in order, none empty.

    Raises
    ------
    CheckpointCorruptError
        If something lies outside the file or on top of something else.
    """
    taken = [(header.manifest_offset, header.manifest_length, "the manifest")]
    taken += [(record.offset, record.nbytes, record.label) for record in records if record.nbytes]
    free, position = [], HEADER_SIZE
    for offset, nbytes, label in sorted(taken):
        if offset + nbytes > header.length:
            raise CheckpointCorruptError(
                f"checkpoint {path!r}, {label}: {nbytes} bytes are declared at {offset}, "
                f"more than the {header.length} bytes of the file can hold"
            )
        if offset < position:
            raise CheckpointCorruptError(f"checkpoint {path!r}, {label}: overlaps another part")
        if offset > position:
            free.append((position, offset))
        position = offset + nbytes
    if position < header.length:
        free.append((position, header.length))
    return free


def plain_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Copy metadata as what JSON gives back: dicts, lists, text, numbers, booleans and None.

    Tuples become lists, NumPy scalars Python numbers. NaN and the infinities stay.

    Parameters
    ----------
    metadata : mapping

    Returns
    -------
    dict

    Raises
    ------
    TypeError
        If something in it has no JSON form; the message says where.

    Examples
    --------
    >>> plain_metadata({"epoch": numpy.int64(3), "shape": (2, 3)})
    {'epoch': 3, 'shape': [2, 3]}
    >>> plain_metadata({"optimizer": {"moments": numpy.zeros(2)}})
    Traceback (most recent call last):
        ...
    TypeError: metadata['optimizer']['moments'] is a numpy.ndarray, which JSON can't hold; \
put arrays into a section, and everything else as text, numbers, lists and mappings
    """
    if not isinstance(metadata, Mapping):
        raise TypeError(f"metadata must be a mapping, got a {_type_name(metadata)}")
    return _plain(metadata, "metadata")


def _plain(value: Any, where: str, depth: int = 0) -> Any:
    if depth > _MAX_DEPTH:
        raise TypeError(f"{where[:60]}… is nested more than {_MAX_DEPTH} levels deep")
    if isinstance(value, numpy.generic):
        value = value.item()
    if value is None or isinstance(value, bool):
        return value
    for kind in (int, float):  # plain ones: an enum or a subclass has its own way into JSON
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, str):
        text = str.__str__(value)
        if json.loads(json.dumps(text)) != text:
            raise TypeError(f"{where} holds a pair of surrogates, which JSON would merge")
        return text
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"{where} has the key {key!r}; JSON keys must be text")
        return {
            _plain(key, where): _plain(item, f"{where}[{key!r}]", depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{where}[{place}]", depth + 1) for place, item in enumerate(value)]
    raise TypeError(
        f"{where} is a {_type_name(value)}, which JSON can't hold; "
        "put arrays into a section, and everything else as text, numbers, lists and mappings"
    )


def _type_name(value: Any) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
