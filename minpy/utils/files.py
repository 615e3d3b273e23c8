"""Files from the web, as Keras' ``get_file`` fetches them; archives are unpacked into a folder."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
import urllib.parse
import warnings
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from minpy.datasets.download import fetched, is_right
from minpy.datasets.official_files import OfficialFile

__all__ = ["get_file"]

_OPEN = {
    "tar": (tarfile.is_tarfile, tarfile.open),
    "zip": (zipfile.is_zipfile, zipfile.ZipFile),
}
_DIGITS = {"sha256": 64, "md5": 32}


def get_file(
    fname: str | os.PathLike[str] | None = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: Any = "auto",
    cache_dir: str | os.PathLike[str] | None = None,
    force_download: bool = False,
) -> str:
    """Return the path of a file from the web, fetched when it is first asked for.

    Parameters
    ----------
    fname : str, optional
        What it is to be called; as the address' last part if not given.
    origin : str
        The address, http:// or https://.
    untar, extract : bool
        Whether the file is an archive to be unpacked; `untar` is of tar alone.
    md5_hash : str, optional
        The MD5, where there is no `file_hash`.
    file_hash : str, optional
        What the file's digest must be. A file that is there and has another is fetched again.
    cache_subdir : str
        Folder in `cache_dir`.
    hash_algorithm : {'auto', 'sha256', 'md5'}
        Of `file_hash`; ``'auto'`` tells by its length.
    archive_format : {'auto', 'tar', 'zip', None} or a list of them
        What is tried; None is not to unpack.
    cache_dir : str or path, optional
        The folder that the environment variable MINPY_DATA names if not given, or else
        ``~/.cache/minpy``.
    force_download : bool
        Whether to fetch a file that is there.

    Returns
    -------
    str
        The path of the file; of an archive the folder with what was in it.

    Raises
    ------
    ValueError
        If an argument is none of those named.
    DatasetError
        If the file can't be fetched, or isn't what `file_hash` says.

    Notes
    -----
    A file that arrived in part is completed by a later call; of two processes, one fetches. What
    an archive would put outside of its folder is left out, with a warning.

    Examples
    --------
    >>> get_file('data.csv', 'https://example.org/data.csv')  # doctest: +SKIP
    '/home/user/.cache/minpy/datasets/data.csv'
    """
    if origin is None:
        raise ValueError("get_file: expected origin, the address of the file")
    if not str(origin).startswith(("https://", "http://")):
        raise ValueError(
            f"get_file: origin must begin with https:// or http://, got {origin!r}; a file on this "
            "machine needs no fetching"
        )
    name = os.fspath(fname) if fname else os.path.basename(urllib.parse.urlsplit(origin).path)
    if not name or name in (".", "..") or os.path.basename(name) != name:
        raise ValueError(
            f"get_file: expected fname as the name of a file, without folders, got {name!r}; "
            "cache_dir and cache_subdir name the folder"
        )
    if file_hash is None and md5_hash is not None:
        file_hash, hash_algorithm = md5_hash, "md5"
    formats = _formats("tar" if untar else archive_format) if untar or extract else []
    base = cache_dir or os.environ.get("MINPY_DATA") or "~/.cache/minpy"
    folder = (Path(base).expanduser() / cache_subdir).absolute()
    unpacked = folder / name
    if untar or extract:
        # As Keras names them: an archive with a suffix keeps its name, its folder gets another.
        if fname and "." in name:
            unpacked = folder / f"{name[: name.find('.')]}_extracted"
        else:
            name = f"{name}_archive"
    file = _file(name, file_hash, hash_algorithm)
    target = folder / name
    right = target.is_file() and not force_download
    if right and file.digest is not None:
        with target.open("rb") as stream:
            right = is_right(stream, file)
    if not right:
        fetched(
            "get_file",
            file,
            folder,
            [origin],
            where="by cache_dir=... or the environment variable MINPY_DATA",
            otherwise=f"To do without the network, put the file at {target}.",
            again=True,
        )
    if not (untar or extract):
        return str(target)
    if not right or not unpacked.is_dir():
        _unpack(target, unpacked, formats)
    return str(unpacked)


def _file(name: str, file_hash: str | None, algorithm: str) -> OfficialFile:
    if algorithm not in ("auto", *_DIGITS):
        raise ValueError(
            f"get_file: expected hash_algorithm 'auto', 'sha256' or 'md5', got {algorithm!r}"
        )
    if file_hash is None:
        return OfficialFile(name)
    given = str(file_hash).lower()
    if algorithm == "auto":
        algorithm = "sha256" if len(given) == _DIGITS["sha256"] else "md5"
    if len(given) != _DIGITS[algorithm] or not set(given) <= set("0123456789abcdef"):
        raise ValueError(
            f"get_file: expected file_hash as {_DIGITS[algorithm]} hexadecimal digits of "
            f"{algorithm}, got {file_hash!r}"
        )
    return OfficialFile(name, **{algorithm: given})


def _formats(given: Any) -> list[str]:
    if given is None:
        return []
    found = ["tar", "zip"] if given == "auto" else [given] if isinstance(given, str) else [*given]
    if not set(found) <= set(_OPEN):
        raise ValueError(
            f"get_file: expected archive_format 'auto', 'tar', 'zip', a list or None, got {given!r}"
        )
    return found


# --- archives -------------------------------------------------------------------------------------


def _unpack(path: Path, folder: Path, formats: Iterable[str]) -> None:
    """Unpack an archive; the folder is there when all of it is."""
    for kind in formats:
        fits, opened = _OPEN[kind]
        if fits(path):
            break
    else:
        warnings.warn(f"get_file: {path} is no archive that is unpacked here", stacklevel=3)
        return
    made = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        with opened(path) as archive:
            members = archive.infolist() if kind == "zip" else archive
            for member in members:
                if _stays_inside(member, made):
                    _extract(archive, member, made)
                else:
                    name = getattr(member, "filename", None) or member.name
                    warnings.warn(
                        f"get_file: left out {name!r} of {path.name}: it would be outside of the "
                        "folder, or is no file",
                        stacklevel=3,
                    )
        made.chmod(0o755)
        if folder.is_dir():
            shutil.rmtree(folder)
        os.replace(made, folder)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise


def _stays_inside(member: Any, folder: Path) -> bool:
    """Say whether a file, folder or link of an archive lies in a folder, and where it points to."""
    root = os.path.realpath(folder)

    def inside(*parts: str) -> bool:
        place = os.path.realpath(os.path.join(root, *parts))
        return os.path.commonpath([root, place]) == root

    if isinstance(member, zipfile.ZipInfo):
        return inside(member.filename)
    if not inside(member.name):
        return False
    if member.issym():
        return inside(os.path.dirname(member.name), member.linkname)
    if member.islnk():
        return inside(member.linkname)
    return member.isfile() or member.isdir()


def _extract(archive: Any, member: Any, folder: Path) -> None:
    if isinstance(member, zipfile.ZipInfo):
        archive.extract(member, folder)
    elif hasattr(tarfile, "data_filter"):
        archive.extract(member, folder, filter="data")
    else:  # Python before 3.10.12
        archive.extract(member, folder, set_attrs=False)
