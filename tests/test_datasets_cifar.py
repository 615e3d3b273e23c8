"""CIFAR-10's archive and batches: what is read, and that nothing in them is ever run."""

import dataclasses
import os
import pickle
import pickletools
import tarfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from official_files_server import cifar_like, python2_array, python2_batch, tar_bytes

from minpy import config, datasets
from minpy.datasets import cifar
from minpy.errors import DatasetError

ARCHIVE = "cifar-10-python.tar.gz"

BATCH = python2_batch(*cifar_like(seed=5, rows=2)[1]["test_batch"])


def write_folder(folder, batches):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in batches.items():
        (folder / name).write_bytes(content)


@pytest.fixture(params=["archive", "archive by name", "folder above", "folder itself"])
def source(request, tmp_path):
    """The same six batches, in every place where they may be."""
    batches, arrays = cifar_like(seed=6)
    if request.param.startswith("archive"):
        (tmp_path / ARCHIVE).write_bytes(tar_bytes(batches))
        return (tmp_path / ARCHIVE if "name" in request.param else tmp_path), arrays
    folder = tmp_path / "cifar-10-batches-py"
    write_folder(folder, batches)
    return (folder if request.param == "folder itself" else tmp_path), arrays


def test_batches_are_read_wherever_they_are(source):
    path, arrays = source
    (x_train, y_train), (x_test, y_test) = datasets.cifar10(path)
    train = [arrays[f"data_batch_{i}"] for i in range(1, 6)]
    np.testing.assert_array_equal(x_train, np.concatenate([images for images, _ in train]))
    np.testing.assert_array_equal(y_train, np.concatenate([labels for _, labels in train]))
    np.testing.assert_array_equal(x_test, arrays["test_batch"][0])
    np.testing.assert_array_equal(y_test, arrays["test_batch"][1])
    assert (x_train.dtype, y_train.dtype) == (np.uint8, np.int64)
    assert x_train.flags.writeable
    assert x_test.flags.writeable


def test_layout_follows_the_argument_or_else_the_setting(tmp_path):
    batches, arrays = cifar_like(seed=7)
    write_folder(tmp_path, batches)
    images = arrays["test_batch"][0]
    last = np.moveaxis(images, 1, -1)
    _, (x_test, _) = datasets.cifar10(tmp_path, data_format="channels_last")
    np.testing.assert_array_equal(x_test, last)
    config.set_image_data_format("channels_last")
    try:
        _, (x_test, _) = datasets.cifar10(tmp_path)
        np.testing.assert_array_equal(x_test, last)
        _, (x_test, _) = datasets.cifar10(tmp_path, data_format="channels_first")
        np.testing.assert_array_equal(x_test, images)
    finally:
        config.set_image_data_format("channels_first")
    with pytest.raises(ValueError, match="data_format must be"):
        datasets.cifar10(tmp_path, data_format="NCHW")


def test_the_batches_made_here_are_as_python_2_and_numpy_1_wrote_them():
    # What cPickle writes at protocol 2, less the memo, which only serves repeated objects.
    names = [opcode.name for opcode, _, _ in pickletools.genops(BATCH)]
    assert set(names) == {
        *("PROTO", "EMPTY_DICT", "MARK", "SHORT_BINSTRING", "BINSTRING", "EMPTY_LIST", "BININT"),
        *("BININT1", "BININT2", "APPENDS", "GLOBAL", "TUPLE1", "TUPLE3", "TUPLE", "REDUCE"),
        *("NONE", "BUILD", "NEWFALSE", "SETITEMS", "STOP"),
    }
    # Plain pickle and NumPy, which would run anything, read the same from it.
    batch = pickle.loads(BATCH, encoding="latin1")
    images, labels = cifar._read_batch(BATCH, "batch")
    np.testing.assert_array_equal(images.reshape(2, -1), batch["data"])
    assert labels.tolist() == batch["labels"]


class Evil:
    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("place", ["instead", "as data", "as labels", "beside"])
def test_a_pickle_that_wants_to_run_something_is_refused_and_runs_nothing(
    place, protocol, tmp_path
):
    batches, _ = cifar_like(seed=8)
    trace = tmp_path / "was-here"
    evil = Evil(os.mkdir, str(trace))
    content = {
        "instead": evil,
        "as data": {"data": evil, "labels": [1]},
        "as labels": {"data": 1, "labels": evil},
        "beside": {"data": 1, "labels": [1], "more": [evil]},
    }[place]
    batches["data_batch_3"] = pickle.dumps(content, protocol)
    write_folder(tmp_path, batches)
    with pytest.raises(DatasetError, match=r"data_batch_3.*mkdir, which no batch of CIFAR-10 does"):
        datasets.cifar10(tmp_path)
    assert not trace.exists()
    pickle.loads(batches["data_batch_3"])  # it would have
    assert trace.exists()


@pytest.mark.parametrize(
    "name",
    [
        "builtins\neval",
        "os\nsystem",
        "numpy\nload",
        "numpy.core.multiarray\nfromfile",
        "numpy\nsave",
    ],
)
def test_no_other_name_is_looked_up(name):
    content = b"\x80\x02c" + name.encode() + b"\n."
    with pytest.raises(DatasetError, match="which no batch of CIFAR-10 does"):
        cifar._read_batch(content, "batch")


def test_a_pickle_leaves_the_stand_ins_as_they_were():
    before = {kind: dict(vars(kind)) for kind in set(cifar._STAND_INS.values())}
    for name in ("numpy\nndarray", "numpy\ndtype", "numpy.core.multiarray\n_reconstruct"):
        # BUILD on the class itself, with a state of its dict and with one of its slots.
        for state in (b"}U\x04codeK\x01s", b"N}U\x04codeK\x01s\x86"):
            content = b"\x80\x02c" + name.encode() + b"\n" + state + b"b."
            with pytest.raises(DatasetError):
                cifar._read_batch(content, "batch")
    assert before == {kind: dict(vars(kind)) for kind in before}


IMAGE = np.zeros((1, 3072), np.uint8)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (python2_array(IMAGE[:, 1:]), r"expected 'data' of shape \(n, 3072\), dtype u1, got"),
        (python2_array(IMAGE, code="u2"), r"got \(1, 3072\), u2"),
        (python2_array(IMAGE, code="O8"), r"got \(1, 3072\), O8"),
        (python2_array(IMAGE[0]), "no array of two dimensions"),
        (python2_array(IMAGE).replace(b"(K\x01M", b"(K\x09M"), "has 3072 bytes"),
        (b"K\x01", "no array of two dimensions"),
        (b"cnumpy\nndarray\n", "no array of two dimensions"),
        (b"cnumpy\ndtype\n)R", "no array of two dimensions"),
    ],
)
def test_data_of_another_shape_or_type_is_refused(data, said):
    with pytest.raises(DatasetError, match=said):
        cifar._read_batch(python2_batch(IMAGE, [1], data=data), "batch")


@pytest.mark.parametrize("labels", [[], [1, 2], [10]])
def test_labels_that_do_not_fit_are_refused(labels):
    with pytest.raises(DatasetError, match="expected 1 labels from 0 to 9"):
        cifar._read_batch(python2_batch(IMAGE, labels), "batch")


@given(position=st.integers(0, len(BATCH) - 1), byte=st.integers(0, 255))
@settings(max_examples=200, deadline=None)
def test_a_changed_byte_gives_arrays_of_the_right_shape_or_our_error(position, byte):
    content = BATCH[:position] + bytes([byte]) + BATCH[position + 1 :]
    try:
        images, labels = cifar._read_batch(content, "batch")
    except DatasetError as error:
        assert str(error).startswith("batch: ")
    else:
        assert images.shape[1:] == (3, 32, 32)
        assert labels.shape == (len(images),)


@given(length=st.integers(0, len(BATCH) - 1))
@settings(max_examples=50, deadline=None)
def test_a_truncated_batch_is_refused(length):
    with pytest.raises(DatasetError, match="batch: not a batch"):
        cifar._read_batch(BATCH[:length], "batch")


@given(content=st.binary(max_size=100))
@settings(max_examples=200, deadline=None)
def test_random_bytes_are_refused(content):
    with pytest.raises(DatasetError, match="batch: "):
        cifar._read_batch(content, "batch")


def test_missing_batches_are_named(tmp_path):
    batches, _ = cifar_like(seed=9)
    del batches["data_batch_2"], batches["data_batch_4"]
    (tmp_path / ARCHIVE).write_bytes(tar_bytes(batches))
    with pytest.raises(DatasetError, match="data_batch_2, data_batch_4 missing"):
        datasets.cifar10(tmp_path)
    write_folder(tmp_path / "unpacked", batches)
    with pytest.raises(DatasetError, match="data_batch_2, data_batch_4 missing"):
        datasets.cifar10(tmp_path / "unpacked")


def test_an_archive_cut_anywhere_is_refused(tmp_path):
    content = tar_bytes(cifar_like(seed=10, rows=1)[0])
    path = tmp_path / ARCHIVE
    for length in (0, 1, 10, 100, len(content) // 2, len(content) - 9):
        path.write_bytes(content[:length])
        with pytest.raises(DatasetError, match=ARCHIVE):
            datasets.cifar10(path)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(position=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_an_archive_with_a_flipped_bit_is_read_right_or_refused(position, bit, tmp_path):
    batches, arrays = cifar_like(seed=11, rows=1)
    content = bytearray(tar_bytes(batches))
    content[position % len(content)] ^= 1 << bit
    (tmp_path / ARCHIVE).write_bytes(content)
    try:
        _, (x_test, y_test) = datasets.cifar10(tmp_path)
    except DatasetError as error:
        assert ARCHIVE in str(error)
    else:  # a bit in the gzip header, such as the time
        np.testing.assert_array_equal(x_test, arrays["test_batch"][0])
        np.testing.assert_array_equal(y_test, arrays["test_batch"][1])


def test_other_members_of_an_archive_have_no_effect(tmp_path):
    batches, arrays = cifar_like(seed=12)
    outside = tmp_path / "outside"

    def member(name, kind=tarfile.REGTYPE, target="", content=b""):
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size = kind, target, len(content)
        return info, content or None

    extra = [
        member(str(outside), content=b"absolute"),
        member("../outside", content=b"above"),
        member("cifar-10-batches-py/readme.html", content=b"readme"),
        member("cifar-10-batches-py/link", tarfile.SYMTYPE, "/etc/passwd"),
        member("elsewhere/test_batch", content=b"not the batch"),
    ]
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / ARCHIVE).write_bytes(tar_bytes(batches, extra=extra))
    _, (x_test, _) = datasets.cifar10(folder)
    np.testing.assert_array_equal(x_test, arrays["test_batch"][0])
    assert sorted(os.listdir(tmp_path)) == ["data"]
    assert os.listdir(folder) == [ARCHIVE]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_a_batch_that_is_a_link_is_not_followed(kind, tmp_path):
    batches, _ = cifar_like(seed=13)
    info = tarfile.TarInfo("cifar-10-batches-py/test_batch")
    info.type, info.linkname = kind, "cifar-10-batches-py/data_batch_1"
    del batches["test_batch"]
    (tmp_path / ARCHIVE).write_bytes(tar_bytes(batches, extra=[(info, None)]))
    with pytest.raises(DatasetError, match="test_batch missing"):
        datasets.cifar10(tmp_path)


def test_a_batch_that_comes_twice_is_refused(tmp_path):
    batches, _ = cifar_like(seed=14)
    info = tarfile.TarInfo("cifar-10-batches-py/test_batch")
    info.size = len(batches["test_batch"])
    (tmp_path / ARCHIVE).write_bytes(tar_bytes(batches, extra=[(info, batches["test_batch"])]))
    with pytest.raises(DatasetError, match="has test_batch twice"):
        datasets.cifar10(tmp_path)


def test_a_batch_of_unlikely_size_is_refused_unread(tmp_path, monkeypatch):
    batches, _ = cifar_like(seed=15)
    monkeypatch.setattr(cifar, "_TEN", dataclasses.replace(cifar._TEN, most_bytes=1000))
    (tmp_path / ARCHIVE).write_bytes(tar_bytes(batches))
    with pytest.raises(DatasetError, match=r"data_batch_1: has \d+ bytes, more than any batch"):
        datasets.cifar10(tmp_path)
    write_folder(tmp_path, batches)
    with pytest.raises(DatasetError, match=r"data_batch_1: has \d+ bytes, more than any batch"):
        datasets.cifar10(tmp_path)
