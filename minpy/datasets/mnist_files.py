"""MNIST and Fashion-MNIST, from their four IDX files; must not know about minpy's own arrays."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from minpy.datasets.download import data_folder, fetch
from minpy.datasets.idx import read_idx
from minpy.datasets.official_files import SOURCES, OfficialFile
from minpy.errors import DatasetError

__all__ = ["fashion_mnist", "mnist"]

Split = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def mnist(path: str | os.PathLike[str] | None = None, *, url: str | None = None) -> Split:
    """Return MNIST: 60,000 handwritten digits to train on and 10,000 to test on.

    Files that the folder has are read as they are. Those that it hasn't are fetched (11.6 MB in
    all) and compared with their SHA-256 first.

    Parameters
    ----------
    path : str or path, optional
        Folder with ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``,
        ``t10k-images-idx3-ubyte`` and ``t10k-labels-idx1-ubyte``, each with or without ``.gz``.
        By default the folder ``mnist`` in the one that the environment variable MINPY_DATA names,
        or else in ``~/.cache/minpy``.
    url : str, optional
        Address of a folder to fetch the official files from, instead of the known mirrors.

    Returns
    -------
    (x_train, y_train), (x_test, y_test) : tuples of ndarray
        Images of shape (n, 28, 28), uint8, from 0 (paper) to 255 (ink); labels of shape (n,),
        int64, from 0 to 9.

    Raises
    ------
    DatasetError
        When a file can't be fetched, or isn't what it should be; it says what to do.

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, Gradient-based learning applied to document
    recognition, Proceedings of the IEEE 86(11), 2278-2324, 1998.

    Examples
    --------
    >>> from minpy import datasets
    >>> (x_train, y_train), (x_test, y_test) = datasets.mnist()  # doctest: +SKIP
    """
    return _load("mnist", path, url)


def fashion_mnist(path: str | os.PathLike[str] | None = None, *, url: str | None = None) -> Split:
    """Return Fashion-MNIST: pictures of clothes, in the format and the numbers of MNIST.

    The labels: 0 T-shirt or top, 1 trouser, 2 pullover, 3 dress, 4 coat, 5 sandal, 6 shirt,
    7 sneaker, 8 bag, 9 ankle boot. 30.9 MB to fetch.

    Parameters
    ----------
    path : str or path, optional
        Folder with the four files, which have the names of MNIST's. By default the folder
        ``fashion_mnist`` in the one that the environment variable MINPY_DATA names, or else in
        ``~/.cache/minpy``.
    url : str, optional
        Address of a folder to fetch the official files from, instead of the known mirrors.

    Returns
    -------
    (x_train, y_train), (x_test, y_test) : tuples of ndarray
        Images of shape (n, 28, 28), uint8, from 0 (background) to 255; labels of shape (n,),
        int64, from 0 to 9.

    Raises
    ------
    DatasetError
        When a file can't be fetched, or isn't what it should be; it says what to do.

    References
    ----------
    H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST: a novel image dataset for benchmarking machine
    learning algorithms, arXiv:1708.07747, 2017.

    Examples
    --------
    >>> from minpy import datasets
    >>> (x_train, y_train), (x_test, y_test) = datasets.fashion_mnist()  # doctest: +SKIP
    """
    return _load("fashion_mnist", path, url)


def _load(dataset: str, path: str | os.PathLike[str] | None, url: str | None) -> Split:
    folder = data_folder(dataset, path)
    if folder.is_file():
        raise DatasetError(f"{dataset}: path must be a folder, got the file {path}")
    x_train, y_train, x_test, y_test = (
        _find(folder, file) or fetch(dataset, file, folder, url) for file in SOURCES[dataset].files
    )
    return _read_pair(x_train, y_train), _read_pair(x_test, y_test)


def _find(folder: Path, file: OfficialFile) -> Path | None:
    """Return a file by its official name or one of those that unpacking gives it."""
    unpacked = file.name.removesuffix(".gz")
    for name in (file.name, unpacked, unpacked.replace("-idx", ".idx")):
        if (folder / name).is_file():
            return folder / name
    return None


def _read_pair(images_path: Path, labels_path: Path) -> tuple[np.ndarray, np.ndarray]:
    images, labels = read_idx(images_path), read_idx(labels_path)
    if images.dtype != np.uint8 or images.shape[1:] != (28, 28):
        raise DatasetError(
            f"{images_path}: expected images of shape (n, 28, 28), uint8, "
            f"got {images.shape}, {images.dtype}"
        )
    if labels.dtype != np.uint8 or labels.ndim != 1:
        raise DatasetError(
            f"{labels_path}: expected labels of shape (n,), uint8, "
            f"got {labels.shape}, {labels.dtype}"
        )
    if len(images) != len(labels):
        raise DatasetError(
            f"{labels_path}: {len(labels)} labels for the {len(images)} images in {images_path}; "
            "they don't belong together"
        )
    if labels.size and labels.max() > 9:
        raise DatasetError(f"{labels_path}: labels must be from 0 to 9, got {labels.max()}")
    return images, labels.astype(np.int64)
