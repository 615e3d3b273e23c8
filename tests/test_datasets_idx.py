"""The IDX format, and MNIST's four files in it: round trips, damage, files that don't fit."""

import gzip
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from official_files_server import idx_bytes, mnist_like

from minpy import datasets
from minpy.datasets.idx import read_idx
from minpy.errors import DatasetError

quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

arrays = hnp.arrays(
    dtype=st.sampled_from(["u1", "i1", "i2", "i4", "f4", "f8"]),
    shape=hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
)


@given(array=arrays, compressed=st.booleans())
@quick
def test_every_type_and_shape_comes_back(array, compressed, tmp_path):
    content = idx_bytes(array)
    path = tmp_path / "array"
    path.write_bytes(gzip.compress(content) if compressed else content)
    result = read_idx(path)
    assert result.dtype == array.dtype
    np.testing.assert_array_equal(result, array)
    assert result.flags.writeable


def test_a_file_written_by_hand_is_read_as_the_format_says(tmp_path):
    path = tmp_path / "array"
    path.write_bytes(bytes.fromhex("00000b02 00000002 00000001 0102 fffe"))
    np.testing.assert_array_equal(read_idx(path), np.array([[258], [-2]], np.int16))


@given(array=arrays, compressed=st.booleans(), data=st.data())
@quick
def test_a_shortened_file_is_refused_by_name(array, compressed, data, tmp_path):
    content = idx_bytes(array)
    content = gzip.compress(content) if compressed else content
    length = data.draw(st.integers(0, len(content) - 1))
    path = tmp_path / "shortened"
    path.write_bytes(content[:length])
    with pytest.raises(DatasetError, match="shortened: "):
        read_idx(path)


@given(content=st.binary(max_size=60), begin=st.sampled_from([b"", b"\x1f\x8b\x08", b"\0\0\x08"]))
@quick
def test_any_other_bytes_are_an_array_or_our_error(content, begin, tmp_path):
    path = tmp_path / "garbage"
    path.write_bytes(begin + content)
    try:
        result = read_idx(path)
    except DatasetError as error:
        assert "garbage" in str(error)
    else:
        assert idx_bytes(result) == begin + content


def test_a_flipped_bit_in_a_gzip_file_is_noticed(tmp_path):
    content = gzip.compress(idx_bytes(np.arange(2000, dtype="i4")), mtime=0)
    path = tmp_path / "flipped.gz"
    for position in range(10, len(content), 97):
        path.write_bytes(
            content[:position] + bytes([content[position] ^ 4]) + content[position + 1 :]
        )
        with pytest.raises(DatasetError, match=r"flipped\.gz"):
            read_idx(path)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_huge_declared_shape_is_refused_before_memory_is_taken(compressed, tmp_path):
    content = struct.pack(">BBBB3I", 0, 0, 14, 3, *[2**32 - 1] * 3) + bytes(100)
    path = tmp_path / "huge"
    path.write_bytes(gzip.compress(content) if compressed else content)
    with pytest.raises(DatasetError, match="more than the file can hold"):
        read_idx(path)


@pytest.mark.parametrize("compressed", [False, True])
def test_bytes_after_the_array_are_refused(compressed, tmp_path):
    content = idx_bytes(np.arange(3, dtype="u1")) + b"x"
    path = tmp_path / "long"
    path.write_bytes(gzip.compress(content) if compressed else content)
    with pytest.raises(DatasetError, match="goes on after the 3 bytes"):
        read_idx(path)


def test_a_missing_file_and_a_folder_are_reported(tmp_path):
    with pytest.raises(DatasetError, match="nothing-here: can't be read: No such file"):
        read_idx(tmp_path / "nothing-here")
    with pytest.raises(DatasetError, match="can't be read: Is a directory"):
        read_idx(tmp_path)


@pytest.mark.parametrize("naming", ["packed", "unpacked", "with dots"])
def test_mnist_is_read_from_packed_and_unpacked_files(naming, tmp_path):
    files, expected = mnist_like(seed=3)
    for name, content in files.items():
        if naming != "packed":
            name, content = name.removesuffix(".gz"), gzip.decompress(content)
        if naming == "with dots":
            name = name.replace("-idx", ".idx")
        (tmp_path / name).write_bytes(content)
    (x_train, y_train), (x_test, y_test) = datasets.mnist(str(tmp_path))
    for got, array in zip((x_train, y_train, x_test, y_test), expected.values(), strict=True):
        np.testing.assert_array_equal(got, array)
    assert (x_train.dtype, y_train.dtype) == (np.uint8, np.int64)


@pytest.mark.parametrize(
    ("name", "array", "said"),
    [
        ("train-images-idx3-ubyte.gz", np.zeros((7, 28, 27), "u1"), r"expected images of shape"),
        ("train-images-idx3-ubyte.gz", np.zeros((7, 28, 28), "f4"), r"got \(7, 28, 28\), float32"),
        ("train-images-idx3-ubyte.gz", np.zeros(7, "u1"), r"got \(7,\), uint8"),
        ("t10k-labels-idx1-ubyte.gz", np.zeros((3, 1), "u1"), r"expected labels of shape \(n,\)"),
        ("t10k-labels-idx1-ubyte.gz", np.zeros(4, "u1"), r"4 labels for the 3 images in .*t10k-im"),
        ("t10k-labels-idx1-ubyte.gz", np.array([1, 10, 2], "u1"), "must be from 0 to 9, got 10"),
    ],
)
def test_files_that_are_no_mnist_are_refused_by_name(name, array, said, tmp_path):
    files, _ = mnist_like(seed=4)
    files[name] = gzip.compress(idx_bytes(array))
    for file, content in files.items():
        (tmp_path / file).write_bytes(content)
    with pytest.raises(DatasetError, match=said) as caught:
        datasets.fashion_mnist(tmp_path)
    assert name in str(caught.value)
