"""The HDF5 side of a checkpoint file; the one module here that calls h5py.

Knows nothing of the disk when it writes: `build` makes an HDF5 file without the elements of its
arrays, in memory, and says at which offsets those belong. So HDF5's library never meets a full
disk, and the elements go from the arrays into the file without a copy between.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from minpy.checkpoint import layout
from minpy.checkpoint.names import MANIFEST_PATH
from minpy.errors import CheckpointCorruptError, CheckpointError, CheckpointFormatError

if TYPE_CHECKING:
    import h5py

_PAGE = 4096
_DIGEST_ATTRIBUTE = "sha256"


class SparseFile(io.RawIOBase):
    """A file in memory that takes room only where something was written."""

    def __init__(self) -> None:
        super().__init__()
        self._pages: dict[int, bytearray] = {}
        self._position = 0
        self.length = 0

    def readable(self) -> bool:
        """Say yes, as h5py asks."""
        return True

    def writable(self) -> bool:
        """Say yes, as h5py asks."""
        return True

    def seekable(self) -> bool:
        """Say yes, as h5py asks."""
        return True

    def tell(self) -> int:
        """Give the position in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to `offset` bytes from the start, the position or the end."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.length}
        self._position = base[whence] + offset
        return self._position

    def truncate(self, size: int | None = None) -> int:
        """Set the length; h5py only ever grows it."""
        self.length = self._position if size is None else size
        return self.length

    def write(self, data: Any) -> int:
        """Write at the position, and move it on."""
        view = memoryview(data).cast("B")
        for page, inner, outer in self._spans(len(view)):
            self._pages.setdefault(page, bytearray(_PAGE))[inner] = view[outer]
        self._position += len(view)
        self.length = max(self.length, self._position)
        return len(view)

    def readinto(self, buffer: Any) -> int:
        """Read from the position, and move it on; what was never written is zero."""
        view = memoryview(buffer).cast("B")
        view = view[: max(0, min(len(view), self.length - self._position))]
        for page, inner, outer in self._spans(len(view)):
            view[outer] = self._pages.get(page, bytes(_PAGE))[inner]
        self._position += len(view)
        return len(view)

    def _spans(self, count: int) -> Iterable[tuple[int, slice, slice]]:
        done = 0
        while done < count:
            page, inner = divmod(self._position + done, _PAGE)
            size = min(_PAGE - inner, count - done)
            yield page, slice(inner, inner + size), slice(done, done + size)
            done += size

    def between(self, start: int, stop: int) -> bytes:
        """Give the bytes from `start` to `stop`."""
        self.seek(start)
        return self.read(stop - start)


def build(
    sections: Sequence[str],
    records: Sequence[layout.ArrayRecord],
    make_manifest: Callable[[Sequence[layout.ArrayRecord]], bytes],
    attributes: dict[str, Any],
) -> tuple[SparseFile, bytes, int]:
    """Make the HDF5 file around some arrays, all but their elements and the user block.

    The same arguments give the same bytes.

    Parameters
    ----------
    sections : sequence of str
        Encoded group names.
    records : sequence of ArrayRecord
        What to make room for; their offsets are found here.
    make_manifest : callable
        Gives the manifest for the records with their offsets.
    attributes : dict
        Text and numbers for the root group, for readers with other programs.

    Returns
    -------
    file : SparseFile
    manifest : bytes
        The manifest, which isn't in `file`.
    offset : int
        Where it belongs, in bytes from the start of the file.
    """
    import h5py
    import numpy

    content = SparseFile()
    # v108: readable since HDF5 1.8 (2008), and each piece of structure has a checksum.
    with h5py.File(
        content, "w", userblock_size=layout.HEADER_SIZE, libver=("v108", "v108"), track_order=True
    ) as file:
        for name, value in attributes.items():
            file.attrs[name] = value
        groups = {(): file}
        for section in sections:
            _group(groups, (section,))
        placed = []
        for record in records:
            *parents, leaf = (record.section, *record.path.split("/"))
            kind = h5py.h5t.py_create(layout.DTYPES[record.dtype], logical=True)
            offset = _make_room(
                _group(groups, tuple(parents)), leaf, kind, record.shape, record.sha256
            )
            placed.append(dataclasses.replace(record, offset=offset))
        manifest = make_manifest(placed)
        text = h5py.h5t.py_create(numpy.dtype(("S", len(manifest))), logical=True)
        offset = _make_room(file, MANIFEST_PATH, text, (), layout.digest(manifest))
    return content, manifest, offset


def _group(groups: dict[tuple[str, ...], h5py.Group], path: tuple[str, ...]) -> h5py.Group:
    """Give a group, making it and those above it where they are missing from `groups`."""
    if path not in groups:
        parent = _group(groups, path[:-1])
        groups[path] = parent.create_group(path[-1], track_order=True)
    return groups[path]


def _make_room(
    group: h5py.Group, leaf: str, kind: h5py.h5t.TypeID, shape: tuple[int, ...], sha256: str
) -> int:
    """Create a dataset whose elements the caller writes, and give their offset in the file."""
    import h5py
    import numpy

    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_layout(h5py.h5d.CONTIGUOUS)
    creation.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    creation.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    creation.set_obj_track_times(False)
    link = h5py.h5p.create(h5py.h5p.LINK_CREATE)
    link.set_char_encoding(h5py.h5t.CSET_UTF8)
    space = h5py.h5s.create_simple(shape) if shape else h5py.h5s.create(h5py.h5s.SCALAR)
    made = h5py.h5d.create(group.id, leaf.encode(), kind, space, creation, link)
    h5py.Dataset(made).attrs.create(_DIGEST_ATTRIBUTE, numpy.bytes_(sha256.encode()))
    return made.get_offset() or 0


def find_arrays(file: BinaryIO, path: str) -> layout.Manifest:
    """Find a checkpoint's arrays the way another HDF5 program would, by walking its groups.

    For files that such a program has changed or copied, so that header and offsets no longer
    hold. What is in the groups must be just what the manifest lists: contiguous datasets with
    hard links to them. The elements are not looked at.

    Parameters
    ----------
    file : binary file
        Open for reading.
    path : str
        Its name, for the messages.

    Returns
    -------
    Manifest
        With the offsets as they are now.

    Raises
    ------
    CheckpointFormatError, CheckpointCorruptError
    """
    import h5py

    size = file.seek(0, io.SEEK_END)
    try:
        with h5py.File(file, "r") as opened:
            manifest = _read_manifest(file, opened, size, path)
            return _Walk(opened, manifest, size, path).placed()
    except CheckpointError:
        raise
    # On a damaged file h5py raises about anything: OSError, KeyError, RuntimeError, ValueError…
    except Exception as error:
        raise CheckpointCorruptError(
            f"checkpoint {path!r} can't be read as HDF5: {error}"
        ) from error


def _read_manifest(file: BinaryIO, opened: h5py.File, size: int, path: str) -> layout.Manifest:
    import h5py

    if MANIFEST_PATH not in opened:
        raise CheckpointFormatError(f"{path!r} is an HDF5 file, but no minpy checkpoint")
    where = "the manifest"
    dataset = _dataset(opened, MANIFEST_PATH, path, where)
    kind = dataset.get_type()
    if not isinstance(kind, h5py.h5t.TypeStringID) or kind.is_variable_str() or dataset.shape:
        raise CheckpointFormatError(f"checkpoint {path!r}: {where} is no fixed-length text")
    offset, nbytes = _stored_at(dataset, size, path, where)
    file.seek(offset)
    content = file.read(nbytes)
    expected = _digest_attribute(dataset)
    if layout.digest(content) != expected:
        raise CheckpointCorruptError(
            f"checkpoint {path!r} is damaged: its manifest doesn't match its checksum"
        )
    return layout.Manifest.from_bytes(content, path)


def _digest_attribute(dataset: h5py.h5d.DatasetID) -> str | None:
    import h5py

    if not h5py.h5a.exists(dataset, _DIGEST_ATTRIBUTE.encode()):
        return None
    attribute = h5py.h5a.open(dataset, _DIGEST_ATTRIBUTE.encode())
    kind = attribute.get_type()
    if not isinstance(kind, h5py.h5t.TypeStringID) or kind.is_variable_str() or attribute.shape:
        return None
    return h5py.AttributeManager(h5py.Dataset(dataset))[_DIGEST_ATTRIBUTE].decode()


def _dataset(parent: h5py.Group, name: str, path: str, where: str) -> h5py.h5d.DatasetID:
    """Open a dataset, after the checks that it is in this file and stored as one plain block."""
    import h5py

    member = _member(parent, name, path, where)
    if not isinstance(member, h5py.h5d.DatasetID):
        raise CheckpointCorruptError(f"checkpoint {path!r}, {where}: not a dataset")
    creation = member.get_create_plist()
    if creation.get_layout() != h5py.h5d.CONTIGUOUS:
        raise CheckpointFormatError(
            f"checkpoint {path!r}, {where}: stored compact, chunked or virtual; "
            "only contiguous datasets may be there"
        )
    if creation.get_nfilters():
        raise CheckpointFormatError(f"checkpoint {path!r}, {where}: has filters, none may be there")
    if creation.get_external_count():
        raise CheckpointFormatError(
            f"checkpoint {path!r}, {where}: its elements lie in another file, which is not allowed"
        )
    return member


def _member(parent: h5py.Group, name: str, path: str, where: str) -> h5py.h5g.ObjectID:
    import h5py

    kind = parent.id.links.get_info(name.encode()).type
    if kind != h5py.h5l.TYPE_HARD:
        raise CheckpointFormatError(
            f"checkpoint {path!r}, {where}: {name!r} is a soft or external link, "
            "which is not allowed"
        )
    return h5py.h5o.open(parent.id, name.encode())


def _stored_at(dataset: h5py.h5d.DatasetID, size: int, path: str, where: str) -> tuple[int, int]:
    """Give offset and size in bytes of a dataset's elements, which must lie in the file."""
    nbytes = dataset.get_space().get_simple_extent_npoints() * dataset.get_type().get_size()
    if not nbytes:
        return 0, 0
    offset = dataset.get_offset()
    if offset is None or offset + nbytes > size:
        raise CheckpointCorruptError(
            f"checkpoint {path!r}, {where}: {nbytes} bytes are declared, "
            f"more than the {size} bytes of the file can hold"
        )
    return offset, nbytes


@dataclasses.dataclass
class _Walk:
    """Compare the groups of an HDF5 file with a manifest, and find each listed array."""

    file: h5py.File
    manifest: layout.Manifest
    size: int
    path: str

    def placed(self) -> layout.Manifest:
        tree: dict[str, Any] = {MANIFEST_PATH: None}
        tree |= {section: {} for section in self.manifest.sections}
        for record in self.manifest.arrays:
            *groups, leaf = record.path.split("/")
            branch = tree[record.section]
            for group in groups:
                branch = branch.setdefault(group, {})
            branch[leaf] = record
        found = {record: self._place(dataset, record) for dataset, record in self._pairs(tree)}
        records = tuple(found[record] for record in self.manifest.arrays)
        # Datasets may share storage in HDF5: without this a small file could declare any amount.
        declared = sum(record.nbytes for record in records)
        if declared > self.size:
            raise CheckpointCorruptError(
                f"checkpoint {self.path!r}: its arrays declare {declared} bytes, "
                f"more than the {self.size} bytes of the file"
            )
        return dataclasses.replace(self.manifest, arrays=records)

    def _pairs(self, tree: dict[str, Any]) -> Iterable[tuple[h5py.h5d.DatasetID, Any]]:
        import h5py

        pending = [("", self.file, tree)]
        while pending:
            prefix, group, branch = pending.pop()
            self._compare(prefix, set(group), set(branch))
            for name, below in branch.items():
                if isinstance(below, dict):
                    member = _member(group, name, self.path, prefix + name)
                    if not isinstance(member, h5py.h5g.GroupID):
                        raise CheckpointCorruptError(
                            f"checkpoint {self.path!r}, {prefix + name!r}: not a group"
                        )
                    pending.append((f"{prefix}{name}/", h5py.Group(member), below))
                elif below is not None:
                    yield _dataset(group, name, self.path, below.label), below

    def _compare(self, prefix: str, present: set[str], listed: set[str]) -> None:
        for problem, some in (("missing", listed - present), ("not listed", present - listed)):
            if some:
                shown = ", ".join(repr(prefix + name) for name in sorted(some)[:10])
                raise CheckpointCorruptError(
                    f"checkpoint {self.path!r} doesn't match its manifest: {problem}: {shown}"
                )

    def _place(self, dataset: h5py.h5d.DatasetID, record: layout.ArrayRecord) -> layout.ArrayRecord:
        import h5py

        kind = h5py.h5t.py_create(layout.DTYPES[record.dtype], logical=True)
        if dataset.shape != record.shape or not dataset.get_type().equal(kind):
            raise CheckpointCorruptError(
                f"checkpoint {self.path!r}, {record.label}: expected {record.shape} "
                f"{record.dtype}, the dataset is {dataset.shape} {dataset.dtype}"
            )
        offset, _ = _stored_at(dataset, self.size, self.path, record.label)
        return dataclasses.replace(record, offset=offset)
