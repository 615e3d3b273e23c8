"""Functions and methods have NumPy's parameters: names, order, kinds and defaults."""

from __future__ import annotations

import inspect
from typing import Any

import numpy
import pytest
from numpy_names import functions, module_of

import minpy.numpy as np
from minpy.numpy.signatures import documented, signature_of

_DEFAULT = "dtype=None is the default float dtype, NumPy's float64 where that is chosen"
_NAMED = "NumPy hides the parameters of the function that this is another name for"
# What differs on purpose: NumPy's name → our signature, and why.
DELIBERATE: dict[str, tuple[str, str]] = {
    "alltrue": ("(a, axis=None, out=None, keepdims=<no value>, *, where=<no value>)", _NAMED),
    "arange": (
        "(*args, dtype=None, like=None, **kwargs)",
        "[start,] stop[, step,] is no signature of a Python function",
    ),
    "asarray": (
        "(a, dtype=None, order=None, *, copy=None, like=None)",
        "copy= is the array API standard's, and NumPy 2's",
    ),
    "concatenate": (
        "(arrays, /, axis=0, out=None, *, dtype=None, casting='same_kind')",
        "NumPy's text shows a tuple in place of the first parameter",
    ),
    "cumproduct": ("(a, axis=None, dtype=None, out=None)", _NAMED),
    "empty": ("(shape, dtype=None, order='C', *, like=None)", _DEFAULT),
    "eye": ("(N, M=None, k=0, dtype=None, order='C', *, like=None)", _DEFAULT),
    "product": (
        "(a, axis=None, dtype=None, out=None, keepdims=<no value>, initial=<no value>, "
        "where=<no value>)",
        _NAMED,
    ),
    "random.ranf": ("(size=None)", _NAMED),
    "random.sample": ("(size=None)", _NAMED),
    "sometrue": ("(a, axis=None, out=None, keepdims=<no value>, *, where=<no value>)", _NAMED),
    "tri": ("(N, M=None, k=0, dtype=None, *, like=None)", _DEFAULT),
    "zeros": ("(shape, dtype=None, order='C', *, like=None)", _DEFAULT),
}


def parameters(function: Any) -> list[tuple[str, Any, Any]]:
    """Return name, kind and default of each parameter, but for what says nothing to a caller."""
    found = []
    for p in signature_of(function).parameters.values():
        starred = p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        found.append(("" if starred else p.name, p.kind, p.default))
    return found


def without_context(found: list) -> list:
    """Leave out ``ctx``, the keyword that creation functions have beyond NumPy's."""
    return [p for p in found if p[:2] != ("ctx", inspect.Parameter.KEYWORD_ONLY)]


def shown(function: Any) -> str:
    """Return a signature as text, without annotations and ``ctx``."""
    try:
        found = signature_of(function)
    except ValueError:
        return ""
    kept = [p.replace(annotation=p.empty) for n, p in found.parameters.items() if n != "ctx"]
    return str(inspect.Signature(kept))


@pytest.mark.parametrize("path", functions())
def test_parameters_are_numpys(path):
    theirs, ours = module_of(numpy, path), module_of(np, path)
    if ours is theirs:
        return
    if path in DELIBERATE:
        assert shown(ours) == DELIBERATE[path][0], DELIBERATE[path][1]
        assert shown(theirs) != DELIBERATE[path][0]
        return
    try:
        expected = parameters(theirs)
    except ValueError:
        with pytest.raises(ValueError, match="no signature"):
            inspect.signature(ours)
        return
    assert without_context(parameters(ours)) == expected


# Methods whose parameters differ on purpose, as above.
DELIBERATE_METHODS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(
        ("conj", "conjugate"),
        ("(out=None)", "NumPy's text leaves the argument out"),
    ),
    "dot": ("(b, out=None)", "NumPy's method has no text"),
    "ravel": ("(order='C')", "NumPy's text says None, which it refuses"),
    "reshape": ("(*shape, order='C')", "NumPy's text leaves out that the shape may be in pieces"),
    "resize": ("(*shape, refcheck=True)", "NumPy's text leaves out the shape in pieces"),
}

METHODS = sorted(
    name for name in dir(numpy.ndarray) if name[0] != "_" and callable(getattr(numpy.ndarray, name))
)


@pytest.mark.parametrize("name", METHODS)
def test_parameters_of_methods_are_numpys(name):
    ours = getattr(np.ndarray, name)
    parts = list(signature_of(ours).parameters.values())[1:]  # without the array itself
    bound = inspect.Signature([p.replace(annotation=p.empty) for p in parts])
    if name in DELIBERATE_METHODS:
        assert str(bound) == DELIBERATE_METHODS[name][0], DELIBERATE_METHODS[name][1]
        return
    expected = signature_of(getattr(numpy.ndarray, name))
    given = [(p.name, p.kind) for p in bound.parameters.values()]
    assert given == [(p.name, p.kind) for p in expected.parameters.values()]
    for ours_p, theirs_p in zip(parts, expected.parameters.values(), strict=True):
        # NumPy's functions say <no value> where the text of the method says what that means.
        assert ours_p.default is numpy._NoValue or ours_p.default == theirs_p.default


def test_attributes_are_numpys():
    array = np.array([[1.0, 2.0]])
    for name in dir(numpy.ndarray):
        if name[0] != "_" and not callable(getattr(numpy.ndarray, name)):
            assert not callable(getattr(array, name)), name
            assert isinstance(getattr(np.ndarray, name), property), name


# What a class written for another kind of array could ask, and Python's own functions that do.
_SPECIAL = sorted(n for n in dir(numpy.ndarray) if n.startswith("__"))
_LEFT_OUT = {
    "__array_finalize__": "NumPy calls it for subclasses of its own array, which ours is none of",
    "__array_prepare__": "as above; gone in NumPy 2",
    "__array_struct__": "NumPy would take it in the place of __array__, which says what is refused",
    "__buffer__": "as above: NumPy has it from Python 3.12 on",
    "__array_wrap__": "NumPy asks it only of classes without __array_ufunc__",
    "__setstate__": "fills an array that __reduce__ made empty; ours makes it whole",
}


@pytest.mark.parametrize("name", _SPECIAL)
def test_special_methods_are_there(name):
    assert hasattr(np.ndarray, name) is (name not in _LEFT_OUT)


@pytest.mark.parametrize("text", ["broken(a, (b", "no parameters", "broken([a,] b)", ""])
def test_a_text_that_shows_no_parameters_is_no_signature(text):
    def broken():
        pass

    broken.__doc__ = text
    with pytest.raises(ValueError, match="no signature found"):
        documented(broken)
