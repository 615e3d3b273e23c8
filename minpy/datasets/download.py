"""Fetches files and checks their digests; must not know what is in them."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from minpy.config import settings
from minpy.datasets.official_files import SOURCES, OfficialFile
from minpy.errors import DatasetError

try:
    import fcntl
except ImportError:  # Windows: nothing keeps two processes from fetching the same file at once
    fcntl = None

__all__ = ["data_folder", "fetch", "fetched", "is_right"]

# Seconds that a server may stay silent.
TIMEOUT = 30.0

_CHUNK = 1 << 16
_ALGORITHMS = {"sha256": "SHA-256", "md5": "MD5"}


def data_folder(dataset: str, path: str | os.PathLike[str] | None) -> Path:
    """Return the folder where a data set's files are, or will be.

    Parameters
    ----------
    dataset : str
        A key of ``SOURCES``.
    path : str, path or None
        The folder itself. None: the folder called `dataset` in the one that the environment
        variable MINPY_DATA names, or else in ``~/.cache/minpy``.

    Returns
    -------
    Path
        Absolute; need not exist.
    """
    if path is None:
        path = Path(os.environ.get("MINPY_DATA") or "~/.cache/minpy") / dataset
    return Path(path).expanduser().absolute()


def fetch(dataset: str, file: OfficialFile, folder: Path, url: str | None = None) -> Path:
    """Fetch one official file into a folder.

    What has arrived is kept as ``<name>.part`` until it is complete and its SHA-256 is right, then
    renamed. A later call goes on where an interrupted one stopped. Of two processes that want the
    same file, the second waits for the first.

    Parameters
    ----------
    dataset : str
        A key of ``SOURCES``.
    file : OfficialFile
        The one to fetch.
    folder : Path
        Where to; made if it isn't there.
    url : str, optional
        Address of the folder to fetch from, instead of the mirrors in ``SOURCES``. The digest has
        to be the official one all the same.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    DatasetError
        When no mirror gives the right file, or the folder can't be written to.
    """
    mirrors = SOURCES[dataset].mirrors if url is None else (url,)
    for mirror in mirrors:
        if not mirror.startswith(("https://", "http://")):
            raise DatasetError(
                f"{dataset}: url must begin with https:// or http://, got {mirror!r}; for files on "
                f"this machine use {dataset}(path=...)"
            )
    addresses = [f"{mirror.rstrip('/')}/{file.name}" for mirror in mirrors]
    names = ", ".join(file.name for file in SOURCES[dataset].files)
    return fetched(
        dataset,
        file,
        folder,
        addresses,
        where=f"by {dataset}(path=...) or the environment variable MINPY_DATA",
        otherwise=f"To do without the network, put {names} into {folder}, or name the folder where "
        f"they are, by {dataset}(path=...).",
    )


def fetched(
    who: str,
    file: OfficialFile,
    folder: Path,
    addresses: Sequence[str],
    where: str,
    otherwise: str,
    again: bool = False,
) -> Path:
    """Fetch a file into a folder, from the first address that gives the right one; see `fetch`.

    Parameters
    ----------
    who : str
        Begins the message of an error.
    file : OfficialFile
        What it is to be called, and what is known of it.
    folder : Path
        Where to; made if it isn't there.
    addresses : sequence of str
        Where it is, the best one first.
    where, otherwise : str
        How to name another folder, and what else to do: the ends of messages.
    again : bool
        Whether to fetch it where it is there already, in its place.
    """
    target = folder / file.name
    failures = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = folder / f"{file.name}.part"
        with _exclusive(unfinished) as stream:
            if target.exists() and not again:  # another process fetched it while this one waited
                return target
            for address in addresses:
                failure = _fetch_from(address, file, stream)
                if failure is None:
                    stream.flush()
                    os.fsync(stream.fileno())
                    if fcntl is None:
                        stream.close()  # Windows renames no open file
                    os.replace(unfinished, target)
                    return target
                failures.append(f"  {address}: {failure}")
    except OSError as error:
        raise DatasetError(
            f"{who}: can't write {target}: {error.strerror or error}; mend that or give "
            f"another folder, {where}"
        ) from error
    size = "" if file.size is None else f" ({file.size / 1e6:.1f} MB)"
    told = "\n".join(failures)
    raise DatasetError(f"{who}: can't fetch {file.name}{size}\n{told}\n{otherwise}")


@contextlib.contextmanager
def _exclusive(path: Path) -> Iterator[BinaryIO]:
    """Open a file for this process alone, made if it isn't there, its content kept."""
    while True:
        stream = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
        if fcntl is None:
            break
        fcntl.flock(stream, fcntl.LOCK_EX)
        # Whoever had the lock before may have renamed or removed this file: then take the new one.
        if _is_at(stream, path):
            break
        stream.close()
    with stream:
        yield stream
        # An empty file says nothing to a later call. Still under the lock, so that it is ours.
        if not stream.closed and stream.seek(0, os.SEEK_END) == 0 and _is_at(stream, path):
            os.unlink(path)


def _is_at(stream: BinaryIO, path: Path) -> bool:
    """Say whether an open file is the one that a path names."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def _fetch_from(address: str, file: OfficialFile, stream: BinaryIO) -> str | None:
    """Complete a file from one address; return what was wrong, or None when its digest is right."""
    while True:
        had = stream.seek(0, os.SEEK_END)
        if file.digest is None:  # nothing says whether what lies there is right
            had = stream.seek(0)
            stream.truncate()
        whole = had > 0 and is_right(stream, file) if file.size is None else had >= file.size
        if not whole:
            failure = _transfer(address, file, stream, stream.seek(0, os.SEEK_END))
            if failure is not None:
                return failure
        if file.digest is None:
            return None
        algorithm, expected = file.digest
        found = _digest(stream, algorithm)
        if found == expected:
            return None
        stream.seek(0)
        stream.truncate()
        if not had:
            return f"{_ALGORITHMS[algorithm]} is {found}, expected {expected}"
        # What lay there from an earlier call was wrong: once more, from the beginning.


def _transfer(address: str, file: OfficialFile, stream: BinaryIO, had: int) -> str | None:
    """Append what is missing of a file; return what went wrong, or None."""
    # Here, and not at the top: they take longer to import than the rest of the package together.
    import http.client
    import urllib.error
    import urllib.request

    request = urllib.request.Request(address, headers={"User-Agent": "minpy"})
    if had:
        request.add_header("Range", f"bytes={had}-")
    broken = (urllib.error.URLError, http.client.HTTPException, OSError, ValueError)
    try:
        response: Any = urllib.request.urlopen(request, timeout=TIMEOUT)
    except broken as error:
        if had and getattr(error, "code", None) == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            stream.truncate(0)
            return _transfer(address, file, stream, 0)
        return _reason(error)
    return _received(response, file, stream, had)


def _received(response: Any, file: OfficialFile, stream: BinaryIO, had: int) -> str | None:
    """Append what a server sends; return what went wrong, or None."""
    import http.client
    import urllib.error

    from tqdm.auto import tqdm

    broken = (urllib.error.URLError, http.client.HTTPException, OSError, ValueError)
    with response:
        if had and response.status != http.client.PARTIAL_CONTENT:  # it sends all of it again
            had = stream.seek(0)
            stream.truncate()
        rest = response.length  # None where the server doesn't say
        size = file.size if file.size is not None or rest is None else had + rest
        with tqdm(
            total=size,
            initial=had,
            desc=file.name,
            unit="B",
            unit_scale=True,
            # No bar where nobody watches.
            disable=None if settings.interactive_logging else True,
        ) as bar:
            while True:
                try:
                    chunk = response.read(_CHUNK)
                except broken as error:
                    return f"{_reason(error)} after {had} of {size} bytes"
                if not chunk:
                    break
                had += len(chunk)
                if size is not None and had > size:
                    stream.seek(0)
                    stream.truncate()
                    return f"sends more than the {size} bytes of the official file"
                stream.write(chunk)
                bar.update(len(chunk))
    if size is not None and had < size:
        return f"connection closed after {had} of {size} bytes; call again to fetch the rest"
    return None


def _reason(error: BaseException) -> str:
    """Say in a few words what a network error was."""
    code = getattr(error, "code", None)
    if code is not None:
        return f"HTTP {code} {getattr(error, 'reason', '')}".rstrip()
    cause = getattr(error, "reason", None) or error
    if isinstance(cause, TimeoutError):
        return f"no answer in {TIMEOUT:g} s"
    return str(getattr(cause, "strerror", None) or cause) or type(cause).__name__


def is_right(stream: BinaryIO, file: OfficialFile) -> bool:
    """Say whether an open file is what its authors published, as far as they say."""
    return file.digest is None or _digest(stream, file.digest[0]) == file.digest[1]


def _digest(stream: BinaryIO, algorithm: str) -> str:
    stream.seek(0)
    digest = hashlib.new(algorithm, usedforsecurity=False)
    while chunk := stream.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()
