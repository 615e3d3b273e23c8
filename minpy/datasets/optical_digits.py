"""The 8×8 handwritten digits that the package ships; knows about its own file and nothing else."""

from __future__ import annotations

import zipfile
import zlib
from importlib import resources

import numpy as np

from minpy.errors import DatasetError

__all__ = ["digits"]

_FILE = "digits.npz"


def digits(
    test_fraction: float = 0.2, split_seed: int = 0
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return the 1,797 handwritten digits of the UCI test set, split for training and testing.

    Each image is 8×8; a pixel counts the ink in a 4×4 block of the 32×32 scan. The file is part
    of the package, so that no network is needed.

    The split is random and stratified: every digit has the same share in both parts, and rows are
    shuffled. In the file's own order the last writers would only be tested on, which costs any
    model several per cent of accuracy. The same arguments give the same rows in the same order on
    every machine and with every NumPy.

    Parameters
    ----------
    test_fraction : float
        Share of each digit's images to test on, in [0, 1); rounded to whole images for each digit.
    split_seed : int
        Picks another split, in [0, 2**32).

    Returns
    -------
    (x_train, y_train), (x_test, y_test) : tuples of ndarray
        Images of shape (n, 8, 8), uint8, from 0 (paper) to 16 (ink); labels of shape (n,), int64,
        from 0 to 9. With the defaults n is 1438 for training and 359 for testing.

    Raises
    ------
    ValueError
        Where an argument is out of its range.
    DatasetError
        Where the shipped file is missing or damaged.

    References
    ----------
    E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
    Repository, 1998, https://doi.org/10.24432/C50P49, CC BY 4.0. See ``DIGITS.txt`` beside this
    module.

    Examples
    --------
    >>> from minpy import datasets
    >>> (x_train, y_train), (x_test, y_test) = datasets.digits()
    >>> x_train.shape, x_test.shape
    ((1438, 8, 8), (359, 8, 8))
    >>> print(x_train[y_train == 1][0])
    [[ 0  0  1  8 10  8  3  0]
     [ 0  0  1 16 16 16  8  0]
     [ 0  0  0 14 16 16  3  0]
     [ 0  0  1 16 16 15  0  0]
     [ 0  0  6 16 16 10  0  0]
     [ 0  0 10 16 15  4  0  0]
     [ 0  0  8 16 14  0  0  0]
     [ 0  0  1  8  8  1  0  0]]
    """
    if not 0 <= test_fraction < 1:
        raise ValueError(
            f"digits: test_fraction must be at least 0 and less than 1, got {test_fraction!r}"
        )
    if not 0 <= split_seed < 2**32:
        raise ValueError(f"digits: split_seed must be in [0, 2**32), got {split_seed!r}")
    images, labels = _load()
    # RandomState and not default_rng: NumPy promises that its stream never changes (NEP 19).
    order = np.random.RandomState(split_seed).permutation(len(labels))
    images, labels = images[order], labels[order]
    tested = np.zeros(len(labels), bool)
    for digit in range(10):
        rows = np.flatnonzero(labels == digit)
        tested[rows[: round(test_fraction * len(rows))]] = True
    return (images[~tested], labels[~tested]), (images[tested], labels[tested])


def _load() -> tuple[np.ndarray, np.ndarray]:
    """Return all images and labels in the order of the original file."""
    try:
        with resources.files(__package__).joinpath(_FILE).open("rb") as stream:
            content = np.load(stream, allow_pickle=False)
            return content["images"], content["labels"].astype(np.int64)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DatasetError(
            f"digits: {_FILE}, a part of the package minpy, can't be read ({error}); "
            "install minpy again"
        ) from error
