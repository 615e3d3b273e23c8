"""The shipped digits: what is in the file, and how it is split."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minpy import datasets
from minpy.datasets import optical_digits
from minpy.errors import DatasetError

# From optdigits.names, the description at UCI.
PUBLISHED_COUNTS = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_digits_are_the_1797_published_ones():
    (x_train, y_train), (x_test, y_test) = datasets.digits()
    labels = np.concatenate([y_train, y_test])
    assert np.bincount(labels).tolist() == PUBLISHED_COUNTS
    images = np.concatenate([x_train, x_test])
    assert images.shape == (1797, 8, 8)
    assert (images.min(), images.max()) == (0, 16)


def test_first_digit_of_the_file_is_the_published_first_line():
    images, labels = optical_digits._load()
    # The first line of optdigits.tes.
    line = (
        "0,0,5,13,9,1,0,0,0,0,13,15,10,15,5,0,0,3,15,2,0,11,8,0,0,4,12,0,0,8,8,0,0,5,8,0,0,9,8,0,"
        "0,4,11,0,1,12,7,0,0,2,14,5,10,12,0,0,0,0,6,13,10,0,0,0,0"
    )
    assert [*images[0].ravel(), labels[0]] == [int(number) for number in line.split(",")]


def test_digits_equal_those_of_scikit_learn():
    reference = pytest.importorskip("sklearn.datasets").load_digits()
    images, labels = optical_digits._load()
    np.testing.assert_array_equal(images, reference.images)
    np.testing.assert_array_equal(labels, reference.target)


def test_images_are_bytes_and_labels_too_wide_to_overflow():
    (x_train, y_train), (x_test, y_test) = datasets.digits()
    assert {x.dtype for x in (x_train, x_test)} == {np.dtype(np.uint8)}
    assert {y.dtype for y in (y_train, y_test)} == {np.dtype(np.int64)}


def test_default_split_never_changes():
    (_, y_train), (x_test, y_test) = datasets.digits()
    assert (len(y_train), len(y_test)) == (1438, 359)
    digest = hashlib.sha256(x_test.tobytes() + y_test.astype("<i8").tobytes()).hexdigest()
    assert digest == "d49ed40ad52628ac601abae237fee376595539a25a7b8bda4f1069fba16d9956"


@given(
    fraction=st.floats(0, 1, exclude_max=True),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=30, deadline=None)
def test_every_split_has_each_image_once_and_each_digit_in_proportion(fraction, seed):
    (x_train, y_train), (x_test, y_test) = datasets.digits(fraction, seed)
    all_images, all_labels = optical_digits._load()

    def rows(images, labels):
        return np.concatenate([images.reshape(len(images), 64), labels[:, None]], axis=1)

    together = np.concatenate([rows(x_train, y_train), rows(x_test, y_test)])
    original = rows(all_images, all_labels)
    np.testing.assert_array_equal(
        together[np.lexsort(together.T)], original[np.lexsort(original.T)]
    )
    expected = fraction * np.array(PUBLISHED_COUNTS)
    assert np.all(np.abs(np.bincount(y_test, minlength=10) - expected) <= 0.5)


def test_another_seed_gives_another_split_and_the_same_seed_the_same():
    first, again, other = (datasets.digits(split_seed=seed)[1][0] for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_each_call_returns_arrays_of_its_own():
    datasets.digits()[0][0][:] = 0
    assert datasets.digits()[0][0].max() == 16


@pytest.mark.parametrize("fraction", [-0.1, 1, 1.5, float("nan")])
def test_fraction_out_of_range_is_refused(fraction):
    with pytest.raises(ValueError, match=r"test_fraction must be at least 0 and less than 1"):
        datasets.digits(fraction)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seed_out_of_range_is_refused(seed):
    with pytest.raises(ValueError, match="split_seed"):
        datasets.digits(split_seed=seed)


@pytest.mark.parametrize("damage", ["missing", "truncated", "flipped", "object array"])
def test_damaged_installation_is_reported(damage, tmp_path, monkeypatch):
    original = optical_digits.resources.files("minpy.datasets").joinpath("digits.npz").read_bytes()
    file = tmp_path / "digits.npz"
    if damage == "truncated":
        file.write_bytes(original[:20000])
    elif damage == "flipped":
        file.write_bytes(original[:20000] + bytes([original[20000] ^ 1]) + original[20001:])
    elif damage == "object array":
        np.savez(file, images=np.array([{}]), labels=np.array([1]))
    monkeypatch.setattr(optical_digits.resources, "files", lambda package: tmp_path)
    with pytest.raises(DatasetError, match=r"digits\.npz.*install minpy again"):
        datasets.digits()


def test_importing_the_data_sets_leaves_the_network_and_the_progress_bar_alone():
    program = (
        "import sys, minpy.datasets as d; d.digits(); "
        "slow = ('tqdm', 'urllib.request', 'http.client', 'tarfile'); "
        "print([name for name in slow if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout == "[]\n"
