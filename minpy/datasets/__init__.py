"""Data sets to try things on, as NumPy arrays; must not know about minpy's own arrays or models.

``digits`` is shipped with the package. The others are read from a folder with their official
files, and fetched into it first when they are not there. ``datasets.imdb.load_data(...)``, as Keras
has it, is ``datasets.imdb(...)``; CIFAR's labels are (n, 1) there.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from minpy.datasets.cifar import cifar10, cifar100
from minpy.datasets.housing import boston_housing, california_housing
from minpy.datasets.mnist_files import fashion_mnist, mnist
from minpy.datasets.optical_digits import digits
from minpy.datasets.texts import (
    imdb,
    imdb_word_index,
    reuters,
    reuters_label_names,
    reuters_word_index,
)

__all__ = [
    "boston_housing",
    "california_housing",
    "cifar10",
    "cifar100",
    "digits",
    "fashion_mnist",
    "imdb",
    "mnist",
    "reuters",
]


def _with_columns(load: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that gives labels of shape (n, 1)."""

    @functools.wraps(load)
    def load_data(*args: Any, **kwargs: Any) -> Any:
        return tuple((x, y[:, None]) for x, y in load(*args, **kwargs))

    return load_data


for _set in (boston_housing, california_housing, fashion_mnist, imdb, mnist, reuters):
    _set.load_data = _set
for _set in (cifar10, cifar100):
    _set.load_data = _with_columns(_set)
imdb.get_word_index = imdb_word_index
reuters.get_word_index = reuters_word_index
reuters.get_label_names = reuters_label_names
