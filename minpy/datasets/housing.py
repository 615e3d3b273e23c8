"""Prices of houses, from Keras' files; must not know about minpy's own arrays."""

from __future__ import annotations

import os

import numpy as np

from minpy.datasets.prepared import Split, arrays_of, check_share, official_file, shuffled

__all__ = ["boston_housing", "california_housing"]

_SMALL = 600


def boston_housing(
    path: str | os.PathLike[str] | None = None,
    test_split: float = 0.2,
    seed: int = 113,
    *,
    url: str | None = None,
) -> Split:
    """Return Boston's housing prices: 506 districts by 13 numbers, the price in 1000 dollars.

    One of the numbers was made from the share of black inhabitants: for tests of programs only.

    Parameters
    ----------
    path : str or path, optional
        The file ``boston_housing.npz``, or a folder with it. By default the folder
        ``boston_housing`` in the one that the environment variable MINPY_DATA names, or else in
        ``~/.cache/minpy``; there it is fetched to, and compared with its SHA-256.
    test_split : float
        Share of the rows to test on.
    seed : int
        Of the order of the rows.
    url : str, optional
        Address of a folder to fetch the official file from.

    Returns
    -------
    (x_train, y_train), (x_test, y_test) : tuples of ndarray
        float64, of shapes (n, 13) and (n,).

    Raises
    ------
    ValueError
        When `test_split` isn't from 0 to below 1.
    DatasetError
        When the file can't be fetched, or isn't what it should be; it says what to do.

    References
    ----------
    D. Harrison and D. Rubinfeld, Hedonic prices and the demand for clean air, Journal of
    Environmental Economics and Management 5, 81-102, 1978.

    Examples
    --------
    >>> from minpy import datasets
    >>> (x_train, y_train), (x_test, y_test) = datasets.boston_housing()  # doctest: +SKIP
    """
    return _splits("boston_housing", path, test_split, seed, url, None)


def california_housing(
    version: str = "large",
    path: str | os.PathLike[str] | None = None,
    test_split: float = 0.2,
    seed: int = 113,
    *,
    url: str | None = None,
) -> Split:
    """Return California's housing prices: 20,640 districts of 1990 by 8 numbers, in dollars.

    Parameters
    ----------
    version : str
        'large' for all rows, 'small' for the first 600.
    path, test_split, seed, url
        As of `boston_housing`; the file is ``california_housing.npz``.

    Returns
    -------
    (x_train, y_train), (x_test, y_test) : tuples of ndarray
        Of shapes (n, 8) and (n,).

    Raises
    ------
    ValueError
        When `version` or `test_split` is none of those.
    DatasetError
        When the file can't be fetched, or isn't what it should be; it says what to do.

    References
    ----------
    R. Pace and R. Barry, Sparse spatial autoregressions, Statistics and Probability Letters 33,
    291-297, 1997.

    Examples
    --------
    >>> from minpy import datasets
    >>> (x_train, y_train), _ = datasets.california_housing('small')  # doctest: +SKIP
    """
    if version not in ("large", "small"):
        raise ValueError(
            f"california_housing: expected version 'large' or 'small', got {version!r}"
        )
    rows = _SMALL if version == "small" else None
    return _splits("california_housing", path, test_split, seed, url, rows)


def _splits(
    dataset: str,
    path: str | os.PathLike[str] | None,
    test_split: float,
    seed: int,
    url: str | None,
    rows: int | None,
) -> Split:
    check_share(test_split, dataset)
    stored = arrays_of(official_file(dataset, f"{dataset}.npz", path, url), ("x", "y"), False)
    x, y = shuffled(np.random.RandomState(seed), stored["x"][:rows], stored["y"][:rows])
    cut = int(len(x) * (1 - test_split))
    return (x[:cut].copy(), y[:cut].copy()), (x[cut:].copy(), y[cut:].copy())
