"""Files that Keras prepared: found or fetched, and checked before they are read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from minpy.datasets.download import data_folder, fetch, is_right
from minpy.datasets.official_files import SOURCES
from minpy.errors import DatasetError

__all__ = ["Split", "arrays_of", "check_share", "official_file", "shuffled"]

Split = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def official_file(
    dataset: str, name: str, path: str | os.PathLike[str] | None, url: str | None
) -> Path:
    """Return where an official file is, fetched if need be, after its digest was compared.

    Parameters
    ----------
    dataset, name : str
        A key of ``SOURCES``, and the name of one of its files.
    path : str, path or None
        The file, or a folder with it; None, or the bare name, is the folder of the data set (see
        `minpy.datasets.download.data_folder`).
    url : str, optional
        Address of a folder to fetch it from, instead of the known mirrors.

    Raises
    ------
    DatasetError
        When it can't be fetched, or isn't the official one.
    """
    (file,) = (file for file in SOURCES[dataset].files if file.name == name)
    if path is not None and os.fspath(path) == name and not os.path.exists(name):
        path = None  # Keras' default: the name alone
    place = data_folder(dataset, path)
    found = place if place.is_file() else place / name
    if not found.is_file():
        found = fetch(dataset, file, place, url)
    with found.open("rb") as stream:
        if not is_right(stream, file):
            raise DatasetError(
                f"{dataset}: {found} isn't the official {name}: its digest is another; remove it, "
                "and it is fetched again"
            )
    return found


def arrays_of(file: Path, names: tuple[str, ...], pickled: bool) -> Mapping[str, Any]:
    """Return the arrays of a ``.npz`` file, of lists where it has `pickled` ones."""
    try:
        with np.load(file, allow_pickle=pickled) as stored:
            return {name: stored[name] for name in names}
    except (KeyError, ValueError, OSError) as error:
        raise DatasetError(f"{file}: expected the arrays {', '.join(names)}: {error}") from error


def shuffled(generator: np.random.RandomState, *arrays: np.ndarray) -> list[np.ndarray]:
    """Return arrays in one order, which is Keras' for a generator's seed."""
    order = np.arange(len(arrays[0]))
    generator.shuffle(order)
    return [array[order] for array in arrays]


def check_share(test_split: float, who: str) -> None:
    """Raise `ValueError` unless a share to test on leaves something to train on."""
    if not 0 <= test_split < 1:
        raise ValueError(f"{who}: expected test_split from 0 to below 1, got {test_split!r}")
