"""The signatures of NumPy's functions in C, which only their documentation tells.

It must not know any function by name.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from typing import Any

__all__ = ["documented", "signature_of"]


def signature_of(function: Callable[..., Any]) -> inspect.Signature:
    """Return the signature of a function of NumPy's.

    Parameters
    ----------
    function
        In Python or in C.

    Returns
    -------
    inspect.Signature
        Python's own, or the one that the first line of the documentation shows.

    Raises
    ------
    ValueError
        If neither tells, as for ``inspect.signature``.

    Examples
    --------
    >>> import numpy
    >>> signature_of(numpy.hypot)  # doctest: +ELLIPSIS
    <Signature (x1, x2, /, out=None, *, where=True, casting='same_kind', ...)>
    """
    try:
        return inspect.signature(function)
    except ValueError:
        return documented(function)


def documented(function: Callable[..., Any]) -> inspect.Signature:
    """Return the signature that the first line of a function's documentation shows.

    Raises
    ------
    ValueError
        If it shows none, or none that a Python function can have: ``arange([start,] stop)``.
    """
    paragraph = (inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " ")
    text = _in_parentheses(paragraph)
    if text is None:
        raise ValueError(f"no signature found for {function!r}")
    for unsaid in ("[, signature, extobj]", ", signature, extobj", "[, out1, out2]"):
        text = text.replace(unsaid, "")
    text = text.replace("<no value>", "None")
    try:
        parsed = ast.parse(f"lambda {_with_defaults(text)}: 0", mode="eval").body.args
        return inspect.Signature(_parameters(parsed))
    except (SyntaxError, ValueError) as wrong:
        raise ValueError(f"no signature found for {function!r}: {wrong}") from None


def _in_parentheses(text: str) -> str | None:
    """Return what stands between the first parenthesis, right after a name, and its partner."""
    start = re.match(r"[\w.]+\(", text)
    if start is None:
        return None
    depth = 1
    for end in range(start.end(), len(text)):
        depth += {"(": 1, ")": -1}.get(text[end], 0)
        if not depth:
            return text[start.end() : end]
    return None


def _with_defaults(text: str) -> str:
    """Give parameters in brackets the default None: ``a[, b]`` becomes ``a, b=None``."""

    def optional(found: re.Match[str]) -> str:
        names = [name.strip() for name in found[2].split(",")] if "(" not in found[2] else []
        shown = [name if "=" in name else f"{name}=None" for name in names if name]
        return found[1] + (", ".join(shown) if names else found[2])

    return re.sub(r"(?<!=)\[(,? ?)([^\]]*)\]", optional, text)


def _parameters(parsed: ast.arguments) -> list[inspect.Parameter]:
    kinds = inspect.Parameter
    positional = [(a.arg, kinds.POSITIONAL_ONLY) for a in parsed.posonlyargs]
    positional += [(a.arg, kinds.POSITIONAL_OR_KEYWORD) for a in parsed.args]
    without = [kinds.empty] * (len(positional) - len(parsed.defaults))
    defaults = without + [_value(node) for node in parsed.defaults]
    found = [kinds(n, kind, default=d) for (n, kind), d in zip(positional, defaults, strict=True)]
    if parsed.vararg:
        found.append(kinds(parsed.vararg.arg, kinds.VAR_POSITIONAL))
    for a, node in zip(parsed.kwonlyargs, parsed.kw_defaults, strict=True):
        default = kinds.empty if node is None else _value(node)
        found.append(kinds(a.arg, kinds.KEYWORD_ONLY, default=default))
    if parsed.kwarg:
        found.append(kinds(parsed.kwarg.arg, kinds.VAR_KEYWORD))
    return found


def _value(node: ast.expr) -> Any:
    """Return a default: a literal, or the name that stands for a type, as ``float`` does."""
    try:
        return ast.literal_eval(node)
    except ValueError:
        return _TYPES.get(ast.unparse(node), ast.unparse(node))


_TYPES = {"float": float, "int": int, "bool": bool, "np.float64": float}
