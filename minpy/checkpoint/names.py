"""Writes array and section names as HDF5 paths and reads them back; knows nothing of files.

In a path a slash is the border between two groups, so ``dense_1/kernel`` becomes a dataset
``kernel`` in a group ``dense_1``, which is what a person with an HDF5 viewer expects. A name
that can't be cut up like this (``a//b``, or ``a/b`` beside an array called ``a``) keeps its
slashes as ``%2F``. Decoding is the same for both: percent signs are undone, nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

MANIFEST_PATH = "manifest"
"""Where the manifest lies; a section of that name is escaped, so the two never meet."""

_RESERVED = re.compile("[\x00-\x1f\x7f%\ud800-\udfff]")


def _percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))


def _component(text: str) -> str:
    if text in (".", ".."):  # HDF5 reads the one as "this group", h5py both when it tidies paths
        return _percent(text)
    return _RESERVED.sub(lambda found: _percent(found[0]), text)


def encode_section(name: str) -> str:
    """Give the group name of a section.

    Parameters
    ----------
    name : str
        Any text but the empty one.

    Returns
    -------
    str

    Examples
    --------
    >>> encode_section("weights"), encode_section("a/b"), encode_section("manifest")
    ('weights', 'a%2Fb', '%6Danifest')
    """
    encoded = _component(name).replace("/", "%2F")
    if encoded == MANIFEST_PATH:
        return _percent(encoded[0]) + encoded[1:]
    return encoded


def encode_arrays(names: Iterable[str]) -> list[str]:
    r"""Give the path within its section of every array of that section.

    Parameters
    ----------
    names : iterable of str
        All array names of one section, each any text but the empty one, none twice.

    Returns
    -------
    list of str
        In the order of `names`; no path is a group of another.

    Examples
    --------
    >>> encode_arrays(["dense/kernel", "dense/bias", "50%"])
    ['dense/kernel', 'dense/bias', '50%25']
    >>> encode_arrays(["a", "a/b", "c//d", "e\n"])
    ['a', 'a%2Fb', 'c%2F%2Fd', 'e%0A']
    """
    names = list(names)
    taken = set(names)
    return [_encode_array(name, taken) for name in names]


def _encode_array(name: str, taken: set[str]) -> str:
    parts = name.split("/")
    parents = ("/".join(parts[:count]) for count in range(1, len(parts)))
    if "" in parts or any(parent in taken for parent in parents):
        return _component(name).replace("/", "%2F")
    return "/".join(map(_component, parts))


def decode(path: str) -> str:
    """Give the name that a path from `encode_section` or `encode_arrays` stands for.

    Parameters
    ----------
    path : str

    Returns
    -------
    str

    Raises
    ------
    UnicodeDecodeError
        If the percent-encoded bytes aren't UTF-8.

    Examples
    --------
    >>> decode("c%2F%2Fd"), decode("%6Danifest")
    ('c//d', 'manifest')
    """
    if "%" not in path:
        return path
    encoded = path.encode("utf-8", "surrogatepass")
    return unquote_to_bytes(encoded).decode("utf-8", "surrogatepass")
