"""Damaged, foreign and crafted checkpoint files: an error of our own type, or the right data."""

import dataclasses
import gzip
import io
import json
import os
import pickle
import resource
import subprocess
import sys
import textwrap
import tracemalloc
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

import minpy
from minpy import checkpoint
from minpy.checkpoint import layout
from minpy.errors import CheckpointCorruptError, CheckpointError, CheckpointFormatError

SECTIONS = {
    "weights": {
        "dense/kernel": np.arange(12, dtype=np.float32).reshape(3, 4),
        "dense/bias": np.linspace(0, 1, 4, dtype=np.float32),
    },
    "optimizer": {"m/kernel": np.full((3, 4), 2.5), "step": np.array(7)},
}
METADATA = {"epoch": 3, "history": [0.5, 0.25]}


@pytest.fixture
def path(tmp_path):
    checkpoint.write(tmp_path / "net.h5", SECTIONS, METADATA)
    return tmp_path / "net.h5"


def assert_intact(found):
    assert found.metadata == METADATA
    assert list(found.sections) == list(SECTIONS)
    for section, members in SECTIONS.items():
        assert list(found.sections[section]) == list(members)
        for name, value in members.items():
            array = found.sections[section][name]
            assert (array.dtype, array.shape) == (value.dtype, value.shape)
            assert array.tobytes() == value.tobytes()


def test_a_flip_of_any_byte_of_the_file_is_found(path):
    generator = np.random.default_rng(0)
    content = path.read_bytes()
    with open(path, "r+b", buffering=0) as file:
        for offset, byte in enumerate(content):
            mask = 1 << int(generator.integers(8))
            os.pwrite(file.fileno(), bytes([byte ^ mask]), offset)
            with pytest.raises(CheckpointError, match=r"net\.h5"):
                checkpoint.read(path)
            os.pwrite(file.fileno(), bytes([byte]), offset)
    assert_intact(checkpoint.read(path))


def test_a_file_cut_off_at_any_length_is_found(path):
    for length in reversed(range(path.stat().st_size)):
        os.truncate(path, length)
        for look in (checkpoint.read, checkpoint.describe):
            with pytest.raises(CheckpointCorruptError, match=r"net\.h5.*(truncated|is empty)"):
                look(path)


def test_random_garbage_over_any_stretch_is_found(path):
    generator = np.random.default_rng(1)
    content = path.read_bytes()
    for _ in range(300):
        start, stop = sorted(int(place) for place in generator.integers(0, len(content), 2))
        damaged = content[:start] + generator.bytes(stop - start + 1) + content[stop + 1 :]
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"net\.h5"):
            checkpoint.read(path)


def test_damage_to_an_array_is_reported_by_its_name(path):
    content = path.read_bytes()
    for section, members in SECTIONS.items():
        for name, value in members.items():
            place = content.index(value.tobytes())
            path.write_bytes(content[:place] + b"\xaa" + content[place + 1 :])
            with pytest.raises(CheckpointCorruptError, match=f"net.h5', {section}: '{name}': dam"):
                checkpoint.read(path)
            # the list of what is there doesn't depend on what the arrays hold
            assert checkpoint.describe(path).metadata == METADATA


def test_bytes_added_at_the_end_are_found(path):
    with open(path, "ab") as file:
        file.write(b"\0")
    with pytest.raises(CheckpointCorruptError, match="1 more than then"):
        checkpoint.read(path)


def test_flips_met_by_the_hdf5_library_end_in_our_error_or_in_the_right_data(path, tmp_path):
    # In a process of its own: HDF5's library parses what nobody has verified, and could crash.
    code = """
import os, random, sys
from minpy import checkpoint
from minpy.errors import CheckpointError
path, randomly = sys.argv[1], random.Random(0)
content = open(path, "rb").read()
whole = repr(checkpoint.read(path))
outcomes = {"error": 0, "same": 0}
for offset in randomly.sample(range(len(content)), 1500):
    changed = bytearray(content)
    changed[offset] ^= 1 << randomly.randrange(8)
    open(path, "wb").write(changed)
    try:
        found = repr(checkpoint.read(path, check="arrays"))
    except CheckpointError as error:
        assert path in str(error), error
        outcomes["error"] += 1
    else:
        assert found == whole, offset
        outcomes["same"] += 1
print(outcomes)
"""
    environment = os.environ | {"PYTHONPATH": str(Path(minpy.__file__).parents[1])}
    command = [sys.executable, "-c", textwrap.dedent(code), str(path)]
    done = subprocess.run(
        command, env=environment, timeout=120, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("{'error': ")


def written(write_to, **arguments):
    content = io.BytesIO()
    write_to(content, **arguments)
    return content.getvalue()


def zipped(file):
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("model.json", "{}")


def keras_like(file):
    with h5py.File(file, "w") as opened:
        opened.attrs["keras_version"] = "3.0"
        opened["model_weights/dense/kernel"] = np.zeros(3)


FOREIGN = {
    "HDF5": (written(keras_like), "HDF5 file of another program"),
    "PNG": (b"\x89PNG\r\n\x1a\n" + bytes(600), "PNG image"),
    "ZIP": (written(zipped), r"ZIP archive, such as \.keras"),
    "NPY": (written(lambda file: np.save(file, np.zeros(99))), r"\.npy"),
    "pickle": (pickle.dumps(["x" * 600]), "pickle"),
    "gzip": (gzip.compress(b"x" * 600), "gzip"),
    "text": (b"hello\n" * 200, "no minpy checkpoint"),
    "zeros": (bytes(2000), "no minpy checkpoint"),
    "short": (b"x", "no minpy checkpoint"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_file_of_another_program_is_recognised_and_named(tmp_path, kind):
    content, message = FOREIGN[kind]
    path = tmp_path / "other.h5"
    path.write_bytes(content)
    for look in (checkpoint.read, checkpoint.verify, checkpoint.describe):
        with pytest.raises(CheckpointFormatError, match=f"other.h5.*{message}"):
            look(path)
    with pytest.raises(CheckpointError, match=r"other\.h5"):
        checkpoint.read(path, check="arrays")


def test_an_empty_file_is_called_empty(tmp_path):
    (tmp_path / "none.h5").touch()
    with pytest.raises(CheckpointCorruptError, match=r"none\.h5.*empty"):
        checkpoint.read(tmp_path / "none.h5")


def test_what_is_no_file_at_all_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    cases = {
        "missing": "No such file",
        "missing/net.h5": "No such file",
        "": "[Dd]irectory",
        "pipe": "pipe",
        "loop": "symbolic link",
        "x" * 300: "too long",
        "nul\0": "NUL",
    }
    for name, message in cases.items():
        with pytest.raises(CheckpointError, match=message):
            checkpoint.read(os.path.join(tmp_path, name))


def test_refused_files_leave_no_descriptor_open(path):
    before = len(os.listdir("/proc/self/fd"))
    for unreadable in (path.parent, path.parent / "missing", Path("/dev/null")):
        with pytest.raises(CheckpointError):
            checkpoint.read(unreadable)
    os.truncate(path, 700)
    for check in ("file", "arrays"):
        with pytest.raises(CheckpointError):
            checkpoint.read(path, check=check)
    assert len(os.listdir("/proc/self/fd")) == before


def reseal(path, change):
    """Rewrite a file's manifest, with every digest right again, as an attacker would."""
    content = path.read_bytes()
    header = layout.Header.from_bytes(content[:512], str(path))
    start, stop = header.manifest_offset, header.manifest_offset + header.manifest_length
    document = json.loads(content[start:stop])
    changed = change(document)
    manifest = changed if isinstance(changed, bytes) else json.dumps(document).encode()
    body = content[512:] + manifest
    header = dataclasses.replace(
        header,
        length=512 + len(body),
        manifest_offset=len(content),
        manifest_length=len(manifest),
        manifest_sha256=layout.digest(manifest),
        structure_sha256="0" * 64,
    )
    path.write_bytes(header.to_bytes() + body)


def first(document):
    return document["sections"][0]["arrays"][0]


CRAFTED = {
    "a huge shape": (lambda d: first(d).update(shape=[2**20, 2**20]), "dense/kernel.*declared"),
    "a shape beyond 64 bits": (lambda d: first(d).update(shape=[2**62, 8]), "dense/kernel.*decl"),
    "a size beyond 64 bits": (lambda d: first(d).update(shape=[2**64]), "bad shape"),
    "an empty array too large": (lambda d: first(d).update(shape=[0, 2**62]), "dense/kernel.*decl"),
    "a negative size": (lambda d: first(d).update(shape=[-1]), "bad shape"),
    "a fractional size": (lambda d: first(d).update(shape=[1.5]), "bad shape"),
    "a true size": (lambda d: first(d).update(shape=[True]), "bad shape"),
    "a shape of text": (lambda d: first(d).update(shape="34"), "bad shape"),
    "33 dimensions": (lambda d: first(d).update(shape=[1] * 33), "bad shape"),
    "no shape": (lambda d: first(d).pop("shape"), "no 'shape'"),
    "objects": (lambda d: first(d).update(dtype="|O"), "may not be stored"),
    "a dtype that is a list": (lambda d: first(d).update(dtype=[["a", "O"]]), "may not be stored"),
    "an offset outside": (lambda d: first(d).update(offset=10**9), "dense/kernel.*declared"),
    "a negative offset": (lambda d: first(d).update(offset=-8), "bad offset"),
    "an offset in the header": (lambda d: first(d).update(offset=64), "dense/kernel.*overlaps"),
    "an overlap": (
        lambda d: first(d).update(offset=d["sections"][0]["arrays"][1]["offset"]),
        "overlaps",
    ),
    "a digest of another array": (
        lambda d: first(d).update(sha256=d["sections"][0]["arrays"][1]["sha256"]),
        "dense/kernel.*checksum|changed",
    ),
    "no digest": (lambda d: first(d).update(sha256=None), "no valid digest"),
    "an empty name": (lambda d: first(d).update(path=""), "no valid name"),
    "a name that is no text": (lambda d: first(d).update(path=3), "no valid name"),
    "bytes that are no UTF-8": (lambda d: first(d).update(path="%FF"), "manifest can't be read"),
    "the same array twice": (
        lambda d: d["sections"][0]["arrays"].append(dict(first(d))),
        "listed twice",
    ),
    "the same name, spelt otherwise": (
        lambda d: d["sections"][0]["arrays"][1].update(path="dense%2Fkernel"),
        "listed twice",
    ),
    "the same section twice": (
        lambda d: d["sections"].append({"path": "weights", "arrays": []}),
        "listed twice",
    ),
    "no sections": (lambda d: d.pop("sections"), "no 'sections'"),
    "sections of another kind": (lambda d: d.update(sections=3), "can't be read"),
    "metadata of another kind": (lambda d: d.update(metadata=[]), "no mapping"),
    "another format": (lambda d: d.update(format="other"), "format name"),
    "version 0": (lambda d: d.update(version=0), "no valid format version"),
    "deep nesting": (lambda d: b"[" * 200_000, "can't be read"),
    "a number of a million digits": (
        lambda d: b'{"format":' + b"9" * 10**6 + b"}",
        "can't be read",
    ),
    "no JSON": (lambda d: b"\xff\xfe", "can't be read"),
    "a list": (lambda d: b"[]", "can't be read"),
    "nothing": (lambda d: b" ", "can't be read"),
}


@pytest.mark.parametrize("case", CRAFTED)
def test_a_manifest_that_lies_under_right_digests_is_refused_before_memory_is_taken(path, case):
    change, message = CRAFTED[case]
    reseal(path, change)
    tracemalloc.start()
    try:
        with pytest.raises((CheckpointCorruptError, CheckpointFormatError), match=message) as info:
            checkpoint.read(path)
        assert tracemalloc.get_traced_memory()[1] < 30 << 20
    finally:
        tracemalloc.stop()
    assert "net.h5" in str(info.value)


def test_an_array_larger_than_memory_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "net.h5"
    checkpoint.write(path, {"weights": {"w": np.zeros(1 << 26, np.uint8)}})
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 25), hard))
    try:
        with pytest.raises(CheckpointError, match=r"net\.h5', weights: 'w': no memory"):
            checkpoint.read(path)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def newer_header(header):
    """What version 2 could look like: the first two lines and the seal are for all versions."""
    content = header.to_bytes()[:-65].replace(b"version 1\nlength", b"version 2\nlongth")
    return content + layout.digest(content).encode() + b"\n"


def test_a_newer_format_version_says_what_is_read_and_to_upgrade(path):
    content = path.read_bytes()
    header = layout.Header.from_bytes(content[:512], str(path))
    path.write_bytes(newer_header(header) + content[512:])
    message = r"net\.h5.* version 2, this minpy reads up to 1: upgrade"
    for look in (checkpoint.read, checkpoint.verify, checkpoint.describe):
        with pytest.raises(CheckpointFormatError, match=message):
            look(path)


def test_a_newer_version_in_the_manifest_alone_is_refused_too(path):
    reseal(path, lambda document: document.update(version=2))
    with pytest.raises(CheckpointFormatError, match="version 2, this minpy reads up to 1"):
        checkpoint.read(path)


def without(name):
    def edit(file):
        del file[name]

    return edit


def replaced(make):
    def edit(file):
        del file["weights/dense/kernel"]
        make(file)

    return edit


def external_storage(file):
    file.create_dataset("weights/dense/kernel", (3, 4), "f4", external=[("secret.bin", 0, 48)])


def virtual(file):
    source = h5py.VirtualSource("other.h5", "w", (3, 4))
    layout_of = h5py.VirtualLayout((3, 4), "f4")
    layout_of[:] = source
    file.create_virtual_dataset("weights/dense/kernel", layout_of)


def assign(name, value):
    return lambda file: file.__setitem__(name, value)


KERNEL = SECTIONS["weights"]["dense/kernel"]
OTHER_FILE = h5py.ExternalLink("other.h5", "/w")
EDITS = {
    "a missing array": (without("weights/dense/kernel"), "missing: 'weights/dense/kernel'"),
    "a missing group": (without("weights/dense"), "missing: 'weights/dense'"),
    "a missing section": (without("optimizer"), "missing: 'optimizer'"),
    "an extra array": (assign("weights/more", KERNEL), "not listed: 'weights/more'"),
    "an extra section": (lambda f: f.create_group("more"), "not listed: 'more'"),
    "a renamed array": (
        lambda f: f.move("weights/dense/kernel", "weights/dense/kernal"),
        "missing: 'weights/dense/kernel'",
    ),
    "no manifest": (without("manifest"), "no minpy checkpoint"),
    "a soft link": (
        replaced(assign("weights/dense/kernel", h5py.SoftLink("/weights/dense/bias"))),
        "kernel.*soft or external link",
    ),
    "an external link": (
        replaced(assign("weights/dense/kernel", OTHER_FILE)),
        "kernel.*soft or external link",
    ),
    "a section that is an external link": (
        lambda f: (f.__delitem__("weights"), f.__setitem__("weights", OTHER_FILE)),
        "weights.*soft or external link",
    ),
    "a manifest that is an external link": (
        lambda f: (f.__delitem__("manifest"), f.__setitem__("manifest", OTHER_FILE)),
        "manifest.*soft or external link",
    ),
    "elements in another file": (replaced(external_storage), "kernel.*in another file"),
    "a virtual dataset": (replaced(virtual), "kernel.*virtual"),
    "a filter": (
        replaced(lambda f: f.create_dataset("weights/dense/kernel", data=KERNEL, compression=4)),
        "kernel.*chunked",
    ),
    "a group in its place": (
        replaced(lambda f: f.create_group("weights/dense/kernel")),
        "kernel.*not a dataset",
    ),
    "an array for a group": (
        lambda f: (f.__delitem__("weights/dense"), f.__setitem__("weights/dense", KERNEL)),
        "weights/dense.*not a group",
    ),
    "a group that holds itself": (
        lambda f: f["weights/dense"].__setitem__("self", f["weights"]),
        "not listed: 'weights/dense/self'",
    ),
    "another dtype": (
        replaced(assign("weights/dense/kernel", KERNEL.astype("f8"))),
        "kernel.*expected.*<f4.*float64",
    ),
    "another byte order": (
        replaced(assign("weights/dense/kernel", KERNEL.astype(">f4"))),
        "kernel.*expected.*<f4.*>f4",
    ),
    "another shape": (replaced(assign("weights/dense/kernel", KERNEL.T)), r"kernel.*\(4, 3\)"),
    "text of any length": (
        replaced(assign("weights/dense/kernel", np.full((3, 4), b"x", h5py.string_dtype()))),
        "kernel.*expected",
    ),
    "references": (
        replaced(lambda f: f.create_dataset("weights/dense/kernel", (3, 4), dtype=h5py.ref_dtype)),
        "kernel.*expected",
    ),
    "a value": (lambda f: f["weights/dense/kernel"].write_direct(KERNEL + 1), "kernel.*damaged"),
    "swapped arrays": (
        lambda f: (
            f.move("weights/dense/kernel", "weights/dense/x"),
            f.move("optimizer/m/kernel", "weights/dense/kernel"),
            f.move("weights/dense/x", "optimizer/m/kernel"),
        ),
        "kernel.*expected",
    ),
    "a manifest of any length": (
        lambda f: (f.__delitem__("manifest"), f.__setitem__("manifest", "{}")),
        "manifest is no fixed-length text",
    ),
}


@pytest.mark.parametrize("case", EDITS)
def test_an_edit_with_another_hdf5_program_is_found_in_both_ways_of_reading(path, case):
    edit, message = EDITS[case]
    with h5py.File(path.parent / "other.h5", "w") as other:
        other["w"] = KERNEL
    (path.parent / "secret.bin").write_bytes(KERNEL.tobytes())
    with h5py.File(path, "r+") as file:
        edit(file)
    with pytest.raises(CheckpointCorruptError, match=r"net\.h5.*(changed since|damaged|truncated)"):
        checkpoint.read(path)
    with pytest.raises((CheckpointCorruptError, CheckpointFormatError), match=message) as info:
        checkpoint.read(path, check="arrays")
    assert "net.h5" in str(info.value)


def declare(path, shape, make):
    """Put a dataset of a huge shape into the file, and a manifest that agrees with it."""
    with h5py.File(path, "r+") as file:
        document = json.loads(file["manifest"][()])
        first(document).update(shape=list(shape))
        text = json.dumps(document).encode()
        del file["manifest"], file["weights/dense/kernel"]
        make(file)
        creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        creation.set_layout(h5py.h5d.CONTIGUOUS)
        file.create_dataset("manifest", data=np.bytes_(text), dcpl=creation)
        file["manifest"].attrs["sha256"] = np.bytes_(layout.digest(text).encode())


@pytest.mark.parametrize("layout_name", ["contiguous", "chunked"])
def test_a_huge_declared_shape_in_the_hdf5_structure_is_refused(path, layout_name):
    shape = (1 << 30, 1 << 12)
    chunks = (1024, 1024) if layout_name == "chunked" else None
    declare(
        path,
        shape,
        lambda file: file.create_dataset("weights/dense/kernel", shape, "f4", chunks=chunks),
    )
    with pytest.raises(CheckpointError, match=r"dense/kernel.*(more than the|chunked)"):
        checkpoint.read(path, check="arrays")


def test_arrays_that_share_their_storage_can_not_declare_more_than_the_file_holds(tmp_path):
    path = tmp_path / "net.h5"
    big = np.zeros(1000)
    checkpoint.write(path, {"weights": {f"w{n}": big if n == 0 else big[:0] for n in range(50)}})
    with h5py.File(path, "r+") as file:
        document = json.loads(file["manifest"][()])
        for entry in document["sections"][0]["arrays"][1:]:
            entry.update(shape=[1000], sha256=layout.digest(big))
            del file["weights"][entry["path"]]
            file["weights"][entry["path"]] = file["weights/w0"]  # a hard link
        text = json.dumps(document).encode()
        del file["manifest"]
        file["manifest"] = np.bytes_(text)
        file["manifest"].attrs["sha256"] = np.bytes_(layout.digest(text).encode())
    with pytest.raises(CheckpointCorruptError, match="declare 400000 bytes, more than"):
        checkpoint.read(path, check="arrays")


def test_a_file_that_shrinks_while_it_is_read_is_an_error(path, monkeypatch):
    preadv = os.preadv

    def shrinking(descriptor, buffers, offset):
        os.truncate(path, offset)
        return preadv(descriptor, buffers, offset)

    monkeypatch.setattr(os, "preadv", shrinking)
    with pytest.raises(CheckpointCorruptError, match=r"ended at byte .* while it was read"):
        checkpoint.read(path)


def test_a_disk_that_fails_while_it_is_read_is_an_error_with_its_number(path, monkeypatch):
    def failing(descriptor, buffers, offset):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "preadv", failing)
    with pytest.raises(CheckpointError, match=r"net\.h5.*Input/output error") as info:
        checkpoint.read(path)
    assert info.value.errno == 5
