"""CIFAR-10 and CIFAR-100, from their archives; must not run anything that pickles in them name."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from minpy import config
from minpy.datasets.download import data_folder, fetch
from minpy.datasets.official_files import SOURCES
from minpy.errors import DatasetError

__all__ = ["cifar10", "cifar100"]


@dataclass(frozen=True)
class _Archive:
    """How one of the two archives is laid out."""

    dataset: str
    title: str
    folder: str
    train: tuple[str, ...]
    test: str
    labels: str
    classes: int
    most_bytes: int  # more than any official batch has


_TEN = _Archive(
    "cifar10",
    "CIFAR-10",
    "cifar-10-batches-py",
    tuple(f"data_batch_{i}" for i in range(1, 6)),
    "test_batch",
    "labels",
    10,
    64 << 20,  # 31,035,704 at most
)
_HUNDRED = _Archive(
    "cifar100", "CIFAR-100", "cifar-100-python", ("train",), "test", "fine_labels", 100, 256 << 20
)
_COARSE = replace(_HUNDRED, labels="coarse_labels", classes=20)

_ROW = 3 * 32 * 32


def cifar10(
    path: str | os.PathLike[str] | None = None,
    *,
    url: str | None = None,
    data_format: str | None = None,
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return CIFAR-10: 50,000 small colour photographs to train on and 10,000 to test on.

    The labels: 0 airplane, 1 automobile, 2 bird, 3 cat, 4 deer, 5 dog, 6 frog, 7 horse, 8 ship,
    9 truck. An archive or batches that the folder has are read as they are; else the archive is
    fetched (170.5 MB) and compared with its SHA-256 first. It is never unpacked to disk, and the
    pickles in it are read without importing or calling anything that they name.

    Parameters
    ----------
    path : str or path, optional
        The archive ``cifar-10-python.tar.gz``, or a folder with it, or with what was unpacked from
        it. By default the folder ``cifar10`` in the one that the environment variable MINPY_DATA
        names, or else in ``~/.cache/minpy``.
    url : str, optional
        Address of a folder to fetch the official archive from, instead of the known mirrors.
    data_format : str, optional
        'channels_first' for images of shape (n, 3, 32, 32), 'channels_last' for (n, 32, 32, 3).
        By default what ``minpy.config.image_data_format()`` says.

    Returns
    -------
    (x_train, y_train), (x_test, y_test) : tuples of ndarray
        Images, uint8, channels red, green, blue, from 0 to 255; labels of shape (n,), int64, from
        0 to 9.

    Raises
    ------
    ValueError
        When `data_format` is neither of the two.
    DatasetError
        When the archive can't be fetched, or isn't what it should be; it says what to do.

    References
    ----------
    A. Krizhevsky, Learning multiple layers of features from tiny images, technical report,
    University of Toronto, 2009.

    Examples
    --------
    >>> from minpy import datasets
    >>> (x_train, y_train), (x_test, y_test) = datasets.cifar10()  # doctest: +SKIP
    """
    return _splits(_TEN, path, url, data_format)


def cifar100(
    label_mode: str = "fine",
    path: str | os.PathLike[str] | None = None,
    *,
    url: str | None = None,
    data_format: str | None = None,
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return CIFAR-100: 50,000 small colour photographs of 100 classes, and 10,000 to test on.

    The archive (about 170 MB) is fetched, checked and read as that of `cifar10` is.

    Parameters
    ----------
    label_mode : str
        'fine' for the numbers of the 100 classes, 'coarse' for those of the 20 groups of five.
    path, url, data_format
        As of `cifar10`; the archive is ``cifar-100-python.tar.gz``.

    Returns
    -------
    (x_train, y_train), (x_test, y_test) : tuples of ndarray
        Images, uint8; labels of shape (n,), int64. ``cifar100.load_data(label_mode)`` gives them in
        Keras' shape (n, 1).

    Raises
    ------
    ValueError
        When `label_mode` or `data_format` is none of the two.
    DatasetError
        When the archive can't be fetched, or isn't what it should be; it says what to do.

    Examples
    --------
    >>> from minpy import datasets
    >>> (x_train, y_train), (x_test, y_test) = datasets.cifar100('coarse')  # doctest: +SKIP
    """
    layouts = {"fine": _HUNDRED, "coarse": _COARSE}
    if label_mode not in layouts:
        raise ValueError(f"cifar100: label_mode must be 'fine' or 'coarse', got {label_mode!r}")
    return _splits(layouts[label_mode], path, url, data_format)


def _splits(
    layout: _Archive,
    path: str | os.PathLike[str] | None,
    url: str | None,
    data_format: str | None,
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return images and labels to train on and to test on, in a layout of images."""
    if data_format is None:
        data_format = config.image_data_format()
    if data_format not in ("channels_first", "channels_last"):
        raise ValueError(
            f"{layout.dataset}: data_format must be 'channels_first' or 'channels_last', got "
            f"{data_format!r}"
        )
    batches = _read_all(layout, data_folder(layout.dataset, path), url)
    test_images, test_labels = batches.pop(layout.test)
    train_images = np.concatenate([batches[name][0] for name in layout.train])
    train_labels = np.concatenate([batches[name][1] for name in layout.train])
    if data_format == "channels_last":
        train_images, test_images = (
            np.ascontiguousarray(images.transpose(0, 2, 3, 1))
            for images in (train_images, test_images)
        )
    return (train_images, train_labels), (test_images, test_labels)


def _read_all(
    layout: _Archive, path: Path, url: str | None
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return images (n, 3, 32, 32) and labels of all batches, by the names of their files."""
    (archive,) = SOURCES[layout.dataset].files
    for folder in (path, path / layout.folder):
        if (folder / layout.test).is_file():
            members = _from_folder(layout, folder)
            source = str(folder)
            break
    else:
        file = path if path.is_file() else path / archive.name
        if not file.is_file():
            file = fetch(layout.dataset, archive, path, url)
        members = _from_archive(layout, file)
        source = str(file)
    batches = {}
    for name, content in members:
        if name in batches:
            raise DatasetError(f"{source}: has {name} twice; fetch it again")
        batches[name] = _read_batch(content, f"{source}: {name}", layout)
    missing = [name for name in (*layout.train, layout.test) if name not in batches]
    if missing:
        raise DatasetError(f"{source}: {', '.join(missing)} missing; fetch or unpack it again")
    return batches


def _from_folder(layout: _Archive, folder: Path) -> Iterator[tuple[str, bytes]]:
    for name in (*layout.train, layout.test):
        file = folder / name
        if file.is_file():
            try:
                size, content = file.stat().st_size, b""
                if size <= layout.most_bytes:
                    content = file.read_bytes()
            except OSError as error:
                raise DatasetError(f"{file}: can't be read: {error.strerror or error}") from error
            _check_size(layout, size, str(file))
            yield name, content


def _from_archive(layout: _Archive, file: Path) -> Iterator[tuple[str, bytes]]:
    """Read the batches straight from the archive: what else is in it, links too, has no effect."""
    import gzip
    import tarfile
    import zlib

    wanted = (*layout.train, layout.test)
    try:
        with gzip.open(file) as unpacked, tarfile.open(fileobj=unpacked, mode="r:") as archive:
            for member in archive:
                folder, _, name = member.name.rpartition("/")
                if folder == layout.folder and name in wanted and member.isreg():
                    _check_size(layout, member.size, f"{file}: {name}")
                    stream = archive.extractfile(member)
                    yield name, stream.read()
            # tarfile stops at the last member; gzip compares its checksum at its own end.
            while unpacked.read(1 << 20):
                pass
    except DatasetError:
        raise
    except (tarfile.TarError, EOFError, zlib.error, OSError, ValueError, MemoryError) as error:
        raise DatasetError(
            f"{file}: not a readable .tar.gz archive ({error}); remove it and fetch it again"
        ) from error


def _check_size(layout: _Archive, size: int, where: str) -> None:
    if size > layout.most_bytes:
        raise DatasetError(f"{where}: has {size} bytes, more than any batch of {layout.title}")


class _PickledType:
    """Stands for ``numpy.dtype`` while a batch is read: keeps what the pickle says of it."""

    def __init__(self, code: object = None, *flags: object) -> None:
        self.code = code

    def __setstate__(self, state: object) -> None:
        """Take the byte order and the fields, which one-byte numbers have none of."""


class _PickledArray:
    """Stands for ``numpy.ndarray`` while a batch is read: keeps what the pickle says of it."""

    state: object = None

    def __init__(self, *arguments: object) -> None:
        """Take the arguments of NumPy's ``_reconstruct``, which the state makes superfluous."""

    def __setstate__(self, state: object) -> None:
        self.state = state


# All that the official batches, written by Python 2 and NumPy 1, refer to by name. Classes, and no
# function: a pickle can set attributes of what it finds here, except where __setstate__ says how.
_STAND_INS = {
    ("numpy.core.multiarray", "_reconstruct"): _PickledArray,
    ("numpy", "ndarray"): _PickledArray,
    ("numpy", "dtype"): _PickledType,
}


class _BatchUnpickler(pickle.Unpickler):
    """Unpickles plain containers, numbers and strings, and the description of a NumPy array."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in for a name; nothing is ever imported."""
        try:
            return _STAND_INS[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it refers to {module}.{name}, which no batch of CIFAR-10 does"
            ) from None


def _read_batch(
    content: bytes, where: str, layout: _Archive = _TEN
) -> tuple[np.ndarray, np.ndarray]:
    """Return the images (n, 3, 32, 32) and labels (n,) in a pickled batch."""
    try:
        batch = _BatchUnpickler(io.BytesIO(content), encoding="latin1").load()
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise DatasetError(f"{where}: not a batch of {layout.title}: {error}") from error
    if not isinstance(batch, dict) or not {"data", layout.labels} <= batch.keys():
        raise DatasetError(
            f"{where}: not a batch of {layout.title}: expected 'data' and {layout.labels!r} in it"
        )
    images = _images(batch["data"], where)
    labels = batch[layout.labels]
    if (
        not isinstance(labels, list)
        or len(labels) != len(images)
        or not all(type(label) is int and 0 <= label < layout.classes for label in labels)
    ):
        raise DatasetError(
            f"{where}: expected {len(images)} labels from 0 to {layout.classes - 1}, one an image"
        )
    return images, np.array(labels, dtype=np.int64)


def _images(pickled: object, where: str) -> np.ndarray:
    """Build the array that a pickle describes as (version, shape, dtype, Fortran order, bytes)."""
    try:
        _, shape, dtype, fortran_order, raw = pickled.state
        rows, columns = shape
        code = dtype.code
        content = raw.encode("latin1")
    except (AttributeError, TypeError, ValueError) as error:
        raise DatasetError(f"{where}: 'data' is no array of two dimensions") from error
    if code not in ("u1", "|u1") or columns != _ROW or fortran_order:
        raise DatasetError(
            f"{where}: expected 'data' of shape (n, {_ROW}), dtype u1, got {shape}, {code}"
        )
    if type(rows) is not int or len(content) != rows * _ROW:
        raise DatasetError(f"{where}: 'data' of shape {shape} has {len(content)} bytes")
    return np.frombuffer(content, np.uint8).reshape(rows, 3, 32, 32).copy()
