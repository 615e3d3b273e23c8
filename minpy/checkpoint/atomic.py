"""Replaces a whole file at once, so that a crash leaves the old one or the new one.

Knows nothing of what is in the file. The content goes into a temporary file beside it, is synced
to the disk, and takes over the name with one rename.

While it writes, a process holds a lock (flock) on its temporary file, and the system drops that
lock when the process ends, however it ends. So a later save tells a file left over from a killed
process, which it removes, from one that another process is still writing, which it leaves. A
process number would not do: it means nothing in another container, and gets used again.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
import stat
from collections.abc import Iterable
from typing import Any

from minpy.errors import CheckpointError

_NAME_LIMIT = 200  # bytes of the target's name in the temporary one: 255 is the usual limit


def replace_file(path: str, pieces: Iterable[Any], length: int) -> None:
    """Write a file, or replace the one that is there, all at once.

    Where `path` is a symbolic link, the file that it points at is replaced. Permissions and,
    where possible, the owner of an existing file are kept.

    Parameters
    ----------
    path : str
    pieces : iterable of bytes-like
        The content, in order.
    length : int
        How many bytes they come to, for the message when the disk is full.

    Raises
    ------
    CheckpointError
        If the file can't be written; whatever was there still is.
    """
    try:
        target = _target(path)
        existing = _check_target(path, target)
        folder, name = os.path.split(target)
        _remove_leftovers(folder, name)
        descriptor, temporary = _create_locked(folder, name, existing)
        try:
            _fill(descriptor, pieces, existing)
            os.replace(temporary, target)
        except BaseException:  # Ctrl-C too must not leave the temporary file behind
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        finally:
            # Unlocked by hand: a child that was forked meanwhile may hold the descriptor too.
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)
    except CheckpointError:
        raise
    except OSError as error:
        raise _failure(path, error, length) from error
    _sync_folder(folder, path)


def _target(path: str) -> str:
    if not path or "\0" in path:
        raise _error(path, "its name is empty or holds a NUL", errno.EINVAL)
    if path.endswith("/"):
        raise _error(path, "its name is that of a folder; give the name of a file", errno.EISDIR)
    return os.path.realpath(path)


def _check_target(path: str, target: str) -> os.stat_result | None:
    """Refuse what a rename would replace though a plain write wouldn't; stat an existing file."""
    folder = os.path.dirname(target)
    try:
        if not stat.S_ISDIR(os.stat(folder).st_mode):
            raise NotADirectoryError
    except NotADirectoryError:
        raise _error(path, f"{folder!r} is not a folder", errno.ENOTDIR) from None
    except FileNotFoundError:
        reason = f"the folder {folder!r} doesn't exist; create it first"
        raise _error(path, reason, errno.ENOENT) from None
    try:
        existing = os.stat(target)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(existing.st_mode):
        raise _error(path, "it is a folder; give the name of a file", errno.EISDIR)
    if not stat.S_ISREG(existing.st_mode):
        raise _error(path, "it is a device, pipe or socket; give the name of a plain file")
    if not os.access(target, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        raise _error(path, "the file there is write-protected", errno.EACCES)
    return existing


def _remove_leftovers(folder: str, name: str) -> None:
    """Remove temporary files of processes that ended while they saved to `name`."""
    pattern = re.compile(re.escape(_prefix(name)) + r"\d+-[0-9a-f]{16}\.tmp")
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for leftover in [entry.path for entry in entries if pattern.fullmatch(entry.name)]:
            # A lock that is taken (BlockingIOError), or a file gone or not ours: leave it.
            with contextlib.suppress(OSError):
                descriptor = os.open(leftover, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.unlink(leftover)
                finally:
                    os.close(descriptor)


def _prefix(name: str) -> str:
    return f".{os.fsdecode(os.fsencode(name)[:_NAME_LIMIT])}."


def _create_locked(folder: str, name: str, existing: os.stat_result | None) -> tuple[int, str]:
    mode = stat.S_IMODE(existing.st_mode) if existing else 0o666  # less the umask
    while True:
        unique = f"{os.getpid()}-{secrets.token_hex(8)}.tmp"
        temporary = os.path.join(folder, _prefix(name) + unique)
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            # File systems without locks: leftovers stay there, everything else works.
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:
                return descriptor, temporary
        except BaseException:
            os.close(descriptor)
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        # Someone took it for a leftover before the lock was on it: make another one.
        os.close(descriptor)


def _fill(descriptor: int, pieces: Iterable[Any], existing: os.stat_result | None) -> None:
    for piece in pieces:
        view = memoryview(piece)
        while view:
            view = view[os.write(descriptor, view) :]
    if existing:
        with contextlib.suppress(PermissionError):  # only root may give a file away
            os.fchown(descriptor, existing.st_uid, existing.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(existing.st_mode))
    os.fsync(descriptor)


def _sync_folder(folder: str, path: str) -> None:
    """Make the new name survive a power cut; not every file system or permission allows it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise _error(
                path, f"it is written, but may not survive a power cut: {error}"
            ) from error
    finally:
        os.close(descriptor)


def _failure(path: str, error: Exception, length: int) -> CheckpointError:
    code = getattr(error, "errno", None)
    reason = (getattr(error, "strerror", None) or str(error)).lower()
    if code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        reason += f"; the checkpoint takes {length / 1e6:.1f} MB"
        with contextlib.suppress(OSError):
            disk = os.statvfs(os.path.dirname(os.path.realpath(path)))
            reason += f", {disk.f_bavail * disk.f_frsize / 1e6:.1f} MB of the disk are free"
    return _error(path, f"{reason}; what was there before is unchanged", code)


def _error(path: str, reason: str, code: int | None = None) -> CheckpointError:
    error = CheckpointError(f"can't write checkpoint {path!r}: {reason}")
    error.errno = code
    return error
