"""Matching what a checkpoint holds with what is expected: every problem, by name."""

import numpy as np
import pytest

from minpy import checkpoint
from minpy.errors import CheckpointMismatchError

EXPECTED = {"fc/kernel": ((4, 3), "float32"), "fc/bias": ((3,), np.float32)}


def given(**changed):
    arrays = {"bias": np.zeros(3, np.float32), "kernel": np.ones((4, 3), np.float32)}
    arrays |= changed
    return {f"fc/{name}": array for name, array in arrays.items() if array is not None}


def problems_of(arrays, expected=EXPECTED):
    usable, problems = checkpoint.match(
        arrays, expected, path="net.h5", section="weights", strict=False
    )
    if problems:
        with pytest.raises(CheckpointMismatchError) as info:
            checkpoint.match(arrays, expected, path="net.h5", section="weights")
        assert "'net.h5', weights" in str(info.value)
        assert all(problem in str(info.value) for problem in problems)
    return list(usable), problems


def test_arrays_that_fit_come_back_as_they_were_in_the_expected_order():
    arrays = given()
    usable, problems = checkpoint.match(arrays, EXPECTED, path="net.h5", section="weights")
    assert list(usable) == ["fc/kernel", "fc/bias"]
    assert all(usable[name] is arrays[name] for name in usable)
    assert problems == []


def test_a_missing_array_is_named_with_what_was_expected():
    usable, problems = problems_of(given(bias=None))
    assert usable == ["fc/kernel"]
    assert problems == ["'fc/bias': missing, expected (3,) float32"]


def test_a_renamed_array_is_suggested_both_ways():
    usable, problems = problems_of(given(bias=None, biases=np.zeros(3)))
    assert usable == ["fc/kernel"]
    assert problems == [
        "'fc/bias': missing, expected (3,) float32; did you mean 'fc/biases'?",
        "'fc/biases': not expected here; did you mean 'fc/bias'?",
    ]


def test_a_misshapen_array_is_named_with_both_shapes():
    usable, problems = problems_of(given(kernel=np.ones((3, 4), np.float32)))
    assert usable == ["fc/bias"]
    assert problems == ["'fc/kernel': expected shape (4, 3), the file has (3, 4)"]


@pytest.mark.parametrize(
    ("expected", "array", "problem"),
    [
        ("float32", np.zeros(2), None),
        ("float64", np.zeros(2, np.float16), None),
        ("float32", np.zeros(2, ">f8"), None),
        ("float32", np.array([1e300, np.nan]), "has values that float32 can't hold"),
        ("float16", np.array([np.inf, np.nan, 1.0]), None),
        ("float32", np.zeros(2, int), "expected floats (float32), the file has integers (int64)"),
        ("int64", np.zeros(2), "expected integers (int64), the file has floats (float64)"),
        ("int32", np.array([5, -5]), None),
        ("uint8", np.array([5, 300]), "has values that uint8 can't hold"),
        ("uint64", np.array([-1]), "has values that uint64 can't hold"),
        ("int64", np.array([2**63], np.uint64), "has values that int64 can't hold"),
        ("bool", np.array([1, 0]), "expected booleans (bool), the file has integers (int64)"),
        ("float32", np.zeros(2, bool), "expected floats (float32), the file has booleans (bool)"),
        ("float32", np.zeros(2, complex), "the file has complex numbers (complex128)"),
        ("complex64", np.zeros(2, complex), None),
        ("complex64", np.array([1e300j]), "has values that complex64 can't hold"),
    ],
)
def test_another_width_fits_where_the_values_do_and_another_kind_never(expected, array, problem):
    usable, problems = problems_of({"x": array}, {"x": (array.shape, expected)})
    assert usable == ([] if problem else ["x"])
    assert len(problems) == bool(problem)
    assert all(problem in found for found in problems)


def test_all_problems_are_reported_at_once():
    arrays = given(kernel=np.ones((3, 4), int), bias=None, other=np.zeros(1))
    usable, problems = problems_of(arrays)
    assert usable == []
    assert [problem.split(":")[0] for problem in problems] == [
        "'fc/kernel'",
        "'fc/kernel'",
        "'fc/bias'",
        "'fc/other'",
    ]


def test_thousands_of_renamed_arrays_get_suggestions_for_the_first_few_only():
    arrays = {f"old_layer_{number}/kernel": np.zeros(2) for number in range(3000)}
    expected = {f"new_layer_{number}/kernel": ((2,), "float64") for number in range(3000)}
    usable, problems = problems_of(arrays, expected)
    assert usable == []
    assert len(problems) == 6000
    assert sum("did you mean" in problem for problem in problems) == 10
