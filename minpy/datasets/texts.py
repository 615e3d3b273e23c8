"""Texts as numbers of words, from Keras' files; must not know about minpy's own arrays."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

import numpy as np

from minpy.datasets.prepared import Split, arrays_of, check_share, official_file, shuffled
from minpy.errors import DatasetError

__all__ = ["imdb", "imdb_word_index", "reuters", "reuters_label_names", "reuters_word_index"]


def imdb(
    path: str | os.PathLike[str] | None = None,
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
    *,
    url: str | None = None,
) -> Split:
    """Return reviews of films: 25,000 to train on and 25,000 to test on, good or bad.

    Words are numbers, the most frequent one first: `imdb.get_word_index()` tells which.

    Parameters
    ----------
    path : str or path, optional
        The file ``imdb.npz``, or a folder with it. By default the folder ``imdb`` in the one that
        the environment variable MINPY_DATA names, or else in ``~/.cache/minpy``; there it is
        fetched to. It has pickled lists, and is read only if its SHA-256 is the official one.
    num_words : int, optional
        Numbers from this one on become `oov_char`; all are kept if not given.
    skip_top : int
        Numbers below this one become `oov_char`, too.
    maxlen : int, optional
        Longer reviews, and those of just this length, are left out.
    seed : int
        Of the order.
    start_char : int or None
        What each review begins with.
    oov_char : int or None
        What takes the place of words that aren't kept; None leaves them out.
    index_from : int
        Added to the number of each word.
    url : str, optional
        Address of a folder to fetch the official file from.

    Returns
    -------
    (x_train, y_train), (x_test, y_test) : tuples of ndarray
        Lists of int as an array of objects; labels, 1 for good ones, as int64.

    Raises
    ------
    ValueError
        When `maxlen` leaves nothing.
    DatasetError
        When the file can't be fetched, or isn't the official one; it says what to do.

    References
    ----------
    A. Maas and others, Learning word vectors for sentiment analysis, ACL 2011.

    Examples
    --------
    >>> from minpy import datasets
    >>> (x_train, y_train), (x_test, y_test) = datasets.imdb(num_words=10000)  # doctest: +SKIP
    >>> words = datasets.imdb.get_word_index()  # doctest: +SKIP
    """
    names = ("x_train", "y_train", "x_test", "y_test")
    stored = arrays_of(official_file("imdb", "imdb.npz", path, url), names, True)
    splits, generator = [], np.random.RandomState(seed)
    for part in ("train", "test"):
        x, y = shuffled(generator, stored[f"x_{part}"], stored[f"y_{part}"])
        splits.append(_short(_numbered(x, start_char, index_from), y, maxlen, "imdb"))
    (x_train, y_train), (x_test, y_test) = splits
    kept = _kept(x_train + x_test, num_words, skip_top, oov_char)
    return (_objects(kept[: len(x_train)]), y_train), (_objects(kept[len(x_train) :]), y_test)


def reuters(
    path: str | os.PathLike[str] | None = None,
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    test_split: float = 0.2,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
    *,
    url: str | None = None,
) -> Split:
    """Return 11,228 newswires of 46 topics, whose names `reuters.get_label_names()` gives.

    Parameters
    ----------
    test_split : float
        Share of the newswires to test on.
    path, num_words, skip_top, maxlen, seed, start_char, oov_char, index_from, url
        As of `imdb`; the file is ``reuters.npz``.

    Returns
    -------
    (x_train, y_train), (x_test, y_test) : tuples of ndarray
        Lists of int as an array of objects; labels, from 0 to 45, as int64.

    Raises
    ------
    ValueError
        When `maxlen` leaves nothing, or `test_split` isn't from 0 to below 1.
    DatasetError
        When the file can't be fetched, or isn't the official one; it says what to do.

    Examples
    --------
    >>> from minpy import datasets
    >>> (x_train, y_train), (x_test, y_test) = datasets.reuters(num_words=10000)  # doctest: +SKIP
    """
    check_share(test_split, "reuters")
    stored = arrays_of(official_file("reuters", "reuters.npz", path, url), ("x", "y"), True)
    x, y = shuffled(np.random.RandomState(seed), stored["x"], stored["y"])
    x, y = _short(_numbered(x, start_char, index_from), y, maxlen, "reuters")
    kept = _kept(x, num_words, skip_top, oov_char)
    cut = int(len(kept) * (1 - test_split))
    return (_objects(kept[:cut]), y[:cut]), (_objects(kept[cut:]), y[cut:])


# --- numbers of words -----------------------------------------------------------------------------


def _numbered(texts: Sequence, start: int | None, first: int) -> list[list[int]]:
    begin = [] if start is None else [start]
    return [[*begin, *(word + first for word in text)] for text in texts]


def _short(
    texts: list[list[int]], labels: np.ndarray, maxlen: int | None, who: str
) -> tuple[list[list[int]], np.ndarray]:
    if not maxlen:
        return texts, labels
    short = [i for i, text in enumerate(texts) if len(text) < maxlen]
    if not short:
        raise ValueError(f"{who}: no text is shorter than maxlen={maxlen}; give a larger one")
    return [texts[i] for i in short], labels[short]


def _kept(
    texts: list[list[int]], num_words: int | None, skip_top: int, other: int | None
) -> list[list[int]]:
    end = num_words or max(max(text, default=0) for text in texts)
    if other is None:
        return [[word for word in text if skip_top <= word < end] for text in texts]
    return [[word if skip_top <= word < end else other for word in text] for text in texts]


def _objects(texts: list[list[int]]) -> np.ndarray:
    found = np.empty(len(texts), dtype=object)
    found[:] = texts
    return found


# --- what numbers mean ----------------------------------------------------------------------------


def imdb_word_index(
    path: str | os.PathLike[str] | None = None, *, url: str | None = None
) -> dict[str, int]:
    """Return the number of each word of `imdb`, to which `index_from` is added there."""
    return _index("imdb", path, url)


def reuters_word_index(
    path: str | os.PathLike[str] | None = None, *, url: str | None = None
) -> dict[str, int]:
    """Return the number of each word of `reuters`, to which `index_from` is added there."""
    return _index("reuters", path, url)


def _index(dataset: str, path: str | os.PathLike[str] | None, url: str | None) -> dict[str, int]:
    file = official_file(dataset, f"{dataset}_word_index.json", path, url)
    try:
        return json.loads(file.read_text())
    except ValueError as error:
        raise DatasetError(f"{file}: expected JSON: {error}") from error


_TOPICS_TEXT = """
    cocoa grain veg-oil earn acq wheat copper housing money-supply coffee sugar trade reserves ship
    cotton carcass crude nat-gas cpi money-fx interest gnp meal-feed alum oilseed gold tin
    strategic-metal livestock retail ipi iron-steel rubber heat jobs lei bop zinc orange pet-chem
    dlr gas silver wpi hog lead
"""


def reuters_label_names() -> tuple[str, ...]:
    """Return the names of the topics of `reuters`, by their numbers.

    Examples
    --------
    >>> reuters_label_names()[:3]
    ('cocoa', 'grain', 'veg-oil')
    """
    return tuple(_TOPICS_TEXT.split())
