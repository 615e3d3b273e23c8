"""`minpy.utils`' functions of arrays: labels as rows, vectors of length one, padded sequences."""

from __future__ import annotations

import subprocess
import sys

import numpy
import pytest

from minpy import utils
from minpy.utils import normalize, pad_sequences, to_categorical


def test_rows_of_labels_are_those_of_an_identity_matrix():
    labels = numpy.array([[2, 0], [3, 1]])
    assert numpy.array_equal(to_categorical(labels, 5), numpy.eye(5)[labels])
    assert to_categorical(labels[..., None]).shape == (2, 2, 4)
    assert to_categorical([], 3).shape == (0, 3)


@pytest.mark.parametrize(
    ("labels", "classes", "says"),
    [
        ([0, 3], 3, "from 0 to 2, got 3"),
        ([-1], None, "got -1"),
        (["cat"], None, "number the classes first"),
        ([0.5], None, "expected integers"),
    ],
)
def test_labels_that_are_none_are_refused(labels, classes, says):
    with pytest.raises(ValueError, match=says):
        to_categorical(labels, classes)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_normalized_vectors_have_length_one_and_zeros_stay(order):
    x = numpy.random.default_rng(0).normal(size=(3, 4, 5))
    x[1, :, 2] = 0
    lengths = numpy.linalg.norm(normalize(x, 1, order), order, axis=1)
    expected = numpy.ones((3, 5))
    expected[1, 2] = 0
    assert numpy.allclose(lengths, expected)


def test_sequences_are_filled_and_cut_on_either_side():
    given = [[1, 2, 3, 4], [5], []]
    assert pad_sequences(given).tolist() == [[1, 2, 3, 4], [0, 0, 0, 5], [0] * 4]
    post = pad_sequences(given, 2, padding="post", truncating="post", value=9, dtype="float32")
    assert post.tolist() == [[1, 2], [5, 9], [9, 9]]
    assert post.dtype == numpy.float32
    assert pad_sequences([numpy.ones((2, 3)), numpy.ones((1, 3))]).shape == (2, 2, 3)
    assert pad_sequences([["a"], ["b", "c"]], dtype=object, value="-").tolist()[0] == ["-", "a"]


@pytest.mark.parametrize(
    ("given", "options", "says"),
    [
        ([1, 2], {}, "entry 0 is 1"),
        ([[1]], {"padding": "left"}, "padding='pre' or 'post'"),
        ([[[1, 2]], [[1]]], {}, "sequence 1"),
        ([[1]], {"value": "x"}, "use dtype=object"),
    ],
)
def test_what_is_no_list_of_sequences_is_refused(given, options, says):
    with pytest.raises(ValueError, match=says):
        pad_sequences(given, **options)


def test_every_name_is_there_and_none_is_imported_before_it_is_used():
    for name in utils.__all__:
        assert callable(getattr(utils, name)), name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = utils.nothing
    text = "import sys, minpy.utils; assert not any('minpy.models' in m for m in sys.modules)"
    subprocess.run([sys.executable, "-c", text], check=True)
