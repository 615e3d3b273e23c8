"""Each public name of Keras is here or explained, and the page that lists them is up to date."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
_spec = importlib.util.spec_from_file_location("keras_page", ROOT / "tools" / "keras_page.py")
keras_page = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(keras_page)
ROWS = list(keras_page.rows())


def test_each_name_is_here_or_says_why_not():
    unexplained = [
        f"{section}.{name}"
        for section, name, _, status, said in ROWS
        if status == "left out" and not said
    ]
    assert not unexplained, "say why in the tables of tools/keras_page.py"
    assert len(ROWS) > 800
    assert sum(status == "here" for *_, status, _ in ROWS) > 600


MODULES = ("image", "linalg", "nn", "numpy", "schedules")


def test_what_is_said_to_be_here_can_be_imported_and_is_no_module():
    for section, name, here, status, _ in ROWS:
        if status != "left out":
            value = keras_page.found(here.strip("`").removeprefix("minpy."))
            assert value is not None, (section, name)
            assert type(value).__name__ != "module" or name in MODULES, (section, name)


def test_nothing_is_explained_that_is_here_and_nothing_that_keras_has_not():
    names = keras_page.stored()
    paths = {f"{m}.{n}" for t in ("modules", "classes") for m, ns in names[t].items() for n in ns}
    last = {path.rpartition(".")[2] for path in paths}
    for path in {**keras_page.LEFT_OUT, **keras_page.DIFFERENT}:
        known = path[2:] in last if path.startswith("*.") else path in paths
        assert known, f"{path} is no name of Keras {names['keras']}"
    places = keras_page.MODULES | keras_page.CLASSES
    for path in keras_page.LEFT_OUT:
        module, _, name = path.rpartition(".")
        if module != "*":
            here = f"{places.get(module, module)}.{name}"
            assert keras_page.found(here) is None, f"{path} is here; take it out of the table"


def test_each_argument_that_is_not_taken_says_why():
    left = keras_page.arguments_left_out()
    unexplained = [
        (argument, path)
        for argument, paths in left.items()
        for path in paths
        if not keras_page.of_argument(path, argument)
    ]
    assert not unexplained, "say why in ARGUMENTS of tools/keras_page.py"
    used = {*left, *(f"{p.split('.')[0]}.{a}" for a, paths in left.items() for p in paths)}
    assert set(keras_page.ARGUMENTS) <= used


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        ("2", "(2, 2)", True),
        ("'zeros'", "'Zeros'", True),
        ("None", "-1", False),
        ("0.5", "required", True),
        ("required", "None", False),
    ],
)
def test_defaults_are_compared_by_what_they_mean(ours, theirs, same):
    assert keras_page.equal(ours, theirs) is same


def test_a_class_that_takes_less_than_keras_is_seen():
    class Less:
        def __init__(self, units, use_bias=False):
            pass

    theirs = [["units", "positional", "required"], ["use_bias", "positional", "True"],
              ["activation", "positional", "None"]]  # fmt: skip
    assert list(keras_page.differences("layers.Less", theirs, Less)) == [
        ("default", "`use_bias=False`, not True"),
        ("without", "activation"),
    ]


def test_the_page_is_up_to_date():
    text = keras_page.page()
    if text != keras_page.PAGE.read_text():
        changed = sorted(set(text.splitlines()) ^ set(keras_page.PAGE.read_text().splitlines()))
        pytest.fail("\n".join(["python tools/keras_page.py writes another page:", *changed[:20]]))
