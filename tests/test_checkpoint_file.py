"""The checkpoint file: what goes in comes out, in minpy and in other HDF5 programs."""

import datetime
import enum
import hashlib
import io
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import h5py
import hypothesis.extra.numpy as arrays_of
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import minpy
from minpy import checkpoint
from minpy.checkpoint.__main__ import main
from minpy.errors import CheckpointError, CheckpointMismatchError

MOMENT = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)

any_dtype = st.one_of(
    arrays_of.boolean_dtypes(),
    arrays_of.integer_dtypes(endianness="?"),
    arrays_of.unsigned_integer_dtypes(endianness="?"),
    arrays_of.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    arrays_of.complex_number_dtypes(endianness="?", sizes=(64, 128)),
)
any_array = any_dtype.flatmap(
    lambda dtype: arrays_of.arrays(dtype, arrays_of.array_shapes(min_dims=0, min_side=0))
)
any_name = st.text(st.characters() | st.sampled_from("/.%é\0\ud800\udc00"), min_size=1)
any_section = st.dictionaries(any_name, any_array, max_size=4)
any_metadata = st.dictionaries(
    st.text(),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    ),
    max_size=4,
)


def assert_same_sections(found, expected):
    assert list(found) == list(expected)
    for section, members in expected.items():
        assert list(found[section]) == list(members)
        for name, value in members.items():
            array = found[section][name]
            assert (array.dtype.str, array.shape) == (value.dtype.str, value.shape)
            assert array.tobytes() == value.tobytes()


@given(st.dictionaries(any_name, any_section, max_size=3), any_metadata)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_arrays_names_and_metadata_come_back_bit_for_bit(tmp_path, sections, metadata):
    path = tmp_path / "any.h5"
    checkpoint.write(path, sections, metadata)
    by_manifest = checkpoint.read(path)
    by_structure = checkpoint.read(path, check="arrays")
    for found in (by_manifest, by_structure):
        assert_same_sections(found.sections, sections)
        # repr, since NaN is equal to nothing
        assert repr(found.metadata) == repr(metadata)


@pytest.mark.parametrize("code", list("?bhilBHILefdgFDG"))
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_number_type_is_stored_in_its_own_byte_order(tmp_path, code, order):
    dtype = np.dtype(code).newbyteorder("=" if code in "gG" else order)
    array = np.array([[0, 1, 1]], dtype=dtype)
    checkpoint.write(tmp_path / "one.h5", {"weights": {"w": array}})
    assert_same_sections(checkpoint.read(tmp_path / "one.h5").sections, {"weights": {"w": array}})
    with h5py.File(tmp_path / "one.h5") as file:
        assert file["weights/w"].dtype == dtype
        np.testing.assert_array_equal(file["weights/w"][()], array)


def test_nan_payloads_signed_zeros_and_denormals_keep_their_bits(tmp_path):
    bits = np.array([0x7FC00001, 0x7F800001, 0xFFC12345, 0x80000000, 1], dtype=np.uint32)
    checkpoint.write(tmp_path / "nan.h5", {"weights": {"w": bits.view(np.float32)}})
    found = checkpoint.read(tmp_path / "nan.h5").sections["weights"]["w"]
    assert found.view(np.uint32).tolist() == bits.tolist()


@pytest.mark.parametrize(
    "make",
    [
        lambda a: np.asfortranarray(a),
        lambda a: a[::2, ::-1],
        lambda a: a.T,
        lambda a: np.broadcast_to(a[0], (5, 4)),
        lambda a: a[1:2, 2],
        lambda a: a[3, 1],
    ],
)
def test_arrays_of_any_memory_layout_are_stored_by_value(tmp_path, make):
    array = make(np.arange(24.0).reshape(6, 4))
    checkpoint.write(tmp_path / "layout.h5", {"weights": {"w": array}})
    found = checkpoint.read(tmp_path / "layout.h5").sections["weights"]["w"]
    np.testing.assert_array_equal(found, array)
    assert found.flags.writeable and found.flags.owndata and found.flags.c_contiguous


def test_anything_with_an_array_interface_can_be_stored(tmp_path):
    class Wrapped:
        def __array__(self, dtype=None, copy=None):
            return np.arange(3, dtype=np.float32)

    members = {"wrapped": Wrapped(), "list": [1.5, 2.5], "float": 3.0}
    checkpoint.write(tmp_path / "like.h5", {"weights": members})
    found = checkpoint.read(tmp_path / "like.h5").sections["weights"]
    assert found["wrapped"].dtype == np.float32
    assert [value.tolist() for value in found.values()] == [[0, 1, 2], [1.5, 2.5], 3.0]


@pytest.mark.parametrize(
    "value",
    [
        np.array(["text"]),
        np.array([b"bytes"]),
        np.array([object()]),
        np.array([(1, 2.0)], dtype="i4,f8"),
        np.array(["2026-01-01"], dtype="datetime64[s]"),
        np.zeros(2, dtype="V4"),
        {"a": 1},
        None,
    ],
    ids=["str", "bytes", "object", "record", "datetime", "void", "dict", "None"],
)
def test_arrays_of_anything_but_numbers_are_refused_by_name(tmp_path, value):
    with pytest.raises(TypeError, match=r"weights: 'dense/kernel': dtype .* can't be stored"):
        checkpoint.write(tmp_path / "no.h5", {"weights": {"dense/kernel": value}})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sections", [{"": {}}, {3: {}}, {"w": {"": [1.0]}}, {"w": {3: [1.0]}}])
def test_empty_names_and_names_that_are_not_text_are_refused(tmp_path, sections):
    with pytest.raises(TypeError, match="must be text, got"):
        checkpoint.write(tmp_path / "no.h5", sections)
    assert list(tmp_path.iterdir()) == []


def test_metadata_takes_what_training_state_is_made_of(tmp_path):
    class Mode(str, enum.Enum):
        MIN = "min"

    given = {
        "epoch": np.int64(3),
        "best": math.inf,
        "lr": np.float32(0.1),
        "done": np.bool_(True),
        "shape": (2, 3),
        "mode": Mode.MIN,
        "seed": 2**100,
    }
    checkpoint.write(tmp_path / "meta.h5", {}, given)
    assert checkpoint.read(tmp_path / "meta.h5").metadata == {
        "epoch": 3,
        "best": math.inf,
        "lr": float(np.float32(0.1)),
        "done": True,
        "shape": [2, 3],
        "mode": "min",
        "seed": 2**100,
    }


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return {"deep": value}


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"a": {"b": [1, {2}]}}, r"metadata\['a'\]\['b'\]\[1\] is a set"),
        ({"w": np.zeros(2)}, r"metadata\['w'\] is a numpy.ndarray.*put arrays into a section"),
        ({"a": {1: "x"}}, r"metadata\['a'\] has the key 1"),
        ({"z": 1j}, r"metadata\['z'\] is a complex"),
        ({"s": "\ud800\udc00"}, r"metadata\['s'\] holds a pair of surrogates"),
        ([1], "metadata must be a mapping, got a list"),
        (nested(100_000), "nested more than 100 levels deep"),
    ],
)
def test_metadata_without_a_json_form_is_refused_where_it_lies(tmp_path, metadata, message):
    with pytest.raises(TypeError, match=message):
        checkpoint.write(tmp_path / "no.h5", {}, metadata)
    assert list(tmp_path.iterdir()) == []


def test_other_hdf5_programs_see_groups_datasets_and_their_checksums(tmp_path):
    kernel = np.arange(6, dtype=np.float32).reshape(2, 3)
    checkpoint.write(
        tmp_path / "net.h5",
        {"weights": {"dense_1/kernel": kernel, "dense_1/bias": kernel[0]}, "optimizer": {}},
        {"epoch": 3},
    )
    with h5py.File(tmp_path / "net.h5") as file:
        assert list(file) == ["weights", "optimizer", "manifest"]
        assert list(file["weights/dense_1"]) == ["kernel", "bias"]
        np.testing.assert_array_equal(file["weights/dense_1/kernel"][()], kernel)
        stored = file["weights/dense_1/kernel"].attrs["sha256"].decode()
        assert stored == hashlib.sha256(kernel.tobytes()).hexdigest()
        manifest = json.loads(file["manifest"][()])
        assert manifest["metadata"] == {"epoch": 3}
        assert file.attrs["format"] == "minpy checkpoint"
        assert file.attrs["version"] == 1


def test_names_that_hdf5_could_not_nest_stay_apart(tmp_path):
    members = {name: np.array(float(index)) for index, name in enumerate(
        ["a", "a/b", "a%2Fb", "a//b", "/", ".", "..", "./a", "a/", "b/c", "b/c/d", "%", "\n"]
    )}  # fmt: skip
    checkpoint.write(tmp_path / "odd.h5", {"manifest": members, "x/y": members})
    found = checkpoint.read(tmp_path / "odd.h5", check="arrays").sections
    assert_same_sections(found, {"manifest": members, "x/y": members})
    with h5py.File(tmp_path / "odd.h5") as file:
        assert file["x%2Fy/b/c"][()] == members["b/c"]
        assert file["x%2Fy/a%2Fb"][()] == members["a/b"]


def test_the_same_content_gives_the_same_bytes_in_another_process(tmp_path):
    code = """
import datetime, sys
import numpy as np
from minpy import checkpoint
weights = {f"dense_{n}/kernel": np.full((3, n), n, np.float32) for n in range(20)}
moment = datetime.datetime.fromisoformat(sys.argv[2])
checkpoint.write(sys.argv[1], {"weights": weights}, {"epoch": 3}, created=moment)
"""
    contents = []
    for name in ("one.h5", "two.h5"):
        path = tmp_path / name
        environment = os.environ | {"PYTHONPATH": str(Path(minpy.__file__).parents[1])}
        command = [sys.executable, "-c", code, str(path), MOMENT.isoformat()]
        subprocess.run(command, check=True, env=environment)
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]


def test_reading_some_sections_returns_those_and_verifies_all(tmp_path):
    path = tmp_path / "net.h5"
    weights, slots = {"w": np.arange(5.0)}, {"m": np.full(1000, 7.0)}
    checkpoint.write(path, {"weights": weights, "optimizer": slots}, {"epoch": 3})
    found = checkpoint.read(path, ["weights"])
    assert_same_sections(found.sections, {"weights": weights})
    assert found.metadata == {"epoch": 3}
    with pytest.raises(CheckpointMismatchError, match=r"net.h5.* no section 'aux'.*'optimizer'"):
        checkpoint.read(path, ["aux"])
    content = path.read_bytes()
    place = content.index(slots["m"].tobytes())
    path.write_bytes(content[:place] + b"\x01" + content[place + 1 :])
    with pytest.raises(CheckpointError, match="optimizer: 'm'"):
        checkpoint.read(path, ["weights"])
    with pytest.raises(CheckpointError, match="optimizer: 'm'"):
        checkpoint.verify(path)


def test_describe_lists_shapes_and_dtypes_without_reading_arrays(tmp_path, monkeypatch):
    path = tmp_path / "net.h5"
    weights = {"kernel": np.zeros((300, 300), np.float16), "step": np.array(3)}
    checkpoint.write(path, {"weights": weights, "aux": {}}, {"epoch": 3}, created=MOMENT)
    taken = []
    preadv = os.preadv
    monkeypatch.setattr(os, "preadv", lambda *given: taken.append(preadv(*given)) or taken[-1])
    found = checkpoint.describe(path)
    assert sum(taken) < 2000
    assert found.sections == {
        "weights": {
            "kernel": ((300, 300), np.dtype("float16")),
            "step": ((), np.dtype("int64")),
        },
        "aux": {},
    }
    assert (found.metadata, found.version) == ({"epoch": 3}, 1)
    assert (found.created, found.length) == ("2026-01-02T03:04:05+00:00", path.stat().st_size)


def test_the_command_lists_a_file_and_verifies_it(tmp_path, capsys):
    path = tmp_path / "net.h5"
    weights = {"kernel": np.ones((30, 40), np.float32), "evil\x1b[2J": np.array(3)}
    checkpoint.write(path, {"weights": weights}, {"epoch": 3, "text": "\x1b[2J"})
    assert main([str(path), "--verify"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"kernel +float32 +\(30, 40\)", printed)
    assert '"epoch": 3' in printed and "verified" in printed
    assert "\x1b" not in printed  # a file must not send commands to the terminal
    path.write_bytes(path.read_bytes()[:-1])
    assert main([str(path)]) == 1
    assert "truncated" in capsys.readouterr().err


@pytest.mark.parametrize("rewrite", ["copied", "annotated"])
def test_a_file_that_another_program_rewrote_is_read_by_its_arrays_on_request(tmp_path, rewrite):
    path, other = tmp_path / "net.h5", tmp_path / "other.h5"
    sections = {
        "weights": {"dense/kernel": np.arange(12.0).reshape(3, 4), "none": np.zeros((0, 2))},
        "aux": {},
    }
    checkpoint.write(path, sections, {"epoch": 3})
    if rewrite == "copied":  # as h5repack does: no user block any more, other offsets
        with h5py.File(path) as source, h5py.File(other, "w") as target:
            for name in source:
                source.copy(name, target)
    else:
        other.write_bytes(path.read_bytes())
        with h5py.File(other, "r+") as target:
            target.attrs["note"] = "the good one"
            target["weights/dense"].attrs["note"] = "x" * 3000
    with pytest.raises(CheckpointError, match=r"check='arrays'|another program"):
        checkpoint.read(other)
    found = checkpoint.read(other, check="arrays")
    assert_same_sections(found.sections, sections)
    assert found.metadata == {"epoch": 3}


def test_reading_never_hands_the_file_to_the_hdf5_library(tmp_path):
    checkpoint.write(tmp_path / "net.h5", {"weights": {"w": np.arange(3.0)}})
    code = """
import sys
sys.modules["h5py"] = None  # an import of it fails
from minpy import checkpoint
checkpoint.verify(sys.argv[1])
checkpoint.describe(sys.argv[1])
print(checkpoint.read(sys.argv[1]).sections["weights"]["w"].tolist())
"""
    environment = os.environ | {"PYTHONPATH": str(Path(minpy.__file__).parents[1])}
    command = [sys.executable, "-c", code, str(tmp_path / "net.h5")]
    done = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE, text=True)
    assert done.stdout == "[0.0, 1.0, 2.0]\n"


def test_an_unknown_check_is_refused(tmp_path):
    checkpoint.write(tmp_path / "net.h5", {})
    with pytest.raises(ValueError, match="'file' or 'arrays', got 'none'"):
        checkpoint.read(tmp_path / "net.h5", check="none")


def test_saving_takes_no_second_copy_of_the_arrays_in_memory(tmp_path):
    code = """
import resource, sys
import numpy as np
from minpy import checkpoint
checkpoint.write(sys.argv[1], {"w": {"small": np.zeros(3)}})
weights = {f"w{n}": np.ones((1024, 1024), np.float32) for n in range(24)}
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
checkpoint.write(sys.argv[1], {"w": weights})
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    environment = os.environ | {"PYTHONPATH": str(Path(minpy.__file__).parents[1])}
    command = [sys.executable, "-c", code, str(tmp_path / "big.h5")]
    done = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE)
    assert int(done.stdout) < 10 * 1024  # KiB, beside arrays of 96 MiB


def test_paths_may_be_text_bytes_or_path_objects(tmp_path):
    for path in (str(tmp_path / "a.h5"), os.fsencode(tmp_path / "b.h5"), tmp_path / "ç\udcff.h5"):
        checkpoint.write(path, {"w": {"x": np.ones(1)}})
        assert checkpoint.read(path).path == os.fsdecode(path)
        checkpoint.describe(path)
        checkpoint.verify(path)
    assert len(list(tmp_path.iterdir())) == 3


def test_sparse_file_behaves_as_a_file_in_memory():
    from minpy.checkpoint.hdf5 import SparseFile

    generator = np.random.default_rng(0)
    sparse, plain = SparseFile(), io.BytesIO()
    for _ in range(200):
        offset, size = (int(number) for number in generator.integers(0, 10_000, 2))
        data = generator.bytes(size)
        for file in (sparse, plain):
            file.seek(offset)
            file.write(data)
        offset, size = (int(number) for number in generator.integers(0, 25_000, 2))
        pieces = []
        for file in (sparse, plain):
            file.seek(offset)
            pieces.append(file.read(size))
        assert pieces[0] == pieces[1]
    assert sparse.between(0, sparse.length) == plain.getvalue()
