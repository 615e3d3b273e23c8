"""Files from the web: where they are kept, what is checked, what archives may put where."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import zipfile

import pytest
from official_files_server import serving

from minpy.errors import DatasetError
from minpy.utils import get_file

TEXT = b"a,b\n1,2\n" * 50


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MINPY_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache"


def tar_of(*members):
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if isinstance(content, tuple):
                member.type, member.linkname = content
                archive.addfile(member)
            else:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return target.getvalue()


def zip_of(**members):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/"), content)
    return target.getvalue()


def below(folder):
    """Return the contents of all files below a folder, by their paths in it."""
    return {
        os.path.relpath(os.path.join(root, name), folder): content(os.path.join(root, name))
        for root, _, names in os.walk(folder)
        for name in names
    }


def content(path):
    with open(path, "rb") as stream:
        return stream.read()


def test_a_file_is_fetched_once_and_kept(cache):
    with serving({"a.csv": TEXT, "a.csv?version=1": TEXT}) as server:
        path = get_file(origin=server.url + "a.csv?version=1")
        assert path == str(cache / "datasets" / "a.csv")
        assert content(path) == TEXT
        assert get_file("a.csv", server.url + "a.csv") == path
        assert len(server.requests) == 1
        get_file("a.csv", server.url + "a.csv", force_download=True)
        assert len(server.requests) == 2
        other = get_file("b.csv", server.url + "a.csv", cache_subdir="x", cache_dir=cache / "y")
    assert other == str(cache / "y" / "x" / "b.csv")
    assert below(cache) == {"datasets/a.csv": TEXT, "y/x/b.csv": TEXT}


@pytest.mark.parametrize(
    "options",
    [
        {"file_hash": hashlib.sha256(TEXT).hexdigest()},
        {"file_hash": hashlib.md5(TEXT).hexdigest()},
        {"file_hash": hashlib.md5(TEXT).hexdigest().upper(), "hash_algorithm": "md5"},
        {"md5_hash": hashlib.md5(TEXT).hexdigest()},
    ],
)
def test_a_file_with_another_digest_is_fetched_again(options, cache):
    with serving({"a.csv": TEXT}) as server:
        path = get_file("a.csv", server.url + "a.csv", **options)
        get_file("a.csv", server.url + "a.csv", **options)
        assert len(server.requests) == 1
        with open(path, "wb") as stream:
            stream.write(b"spoilt")
        get_file("a.csv", server.url + "a.csv", **options)
        assert len(server.requests) == 2
        assert content(path) == TEXT
        server.behaviour = "wrong content"
        os.unlink(path)
        with pytest.raises(DatasetError, match=r"(SHA-256|MD5) is [0-9a-f]+, expected"):
            get_file("a.csv", server.url + "a.csv", **options)
    assert below(cache) == {}


@pytest.mark.parametrize("known", [False, True])
def test_a_broken_download_is_completed_where_the_digest_is_known(known, cache):
    options = {"file_hash": hashlib.sha256(TEXT).hexdigest()} if known else {}
    with serving({"a.csv": TEXT}) as server:
        server.behaviour = "breaks off"
        with pytest.raises(DatasetError, match="closed after 200 of 400 bytes"):
            get_file("a.csv", server.url + "a.csv", **options)
        server.behaviour = "good"
        path = get_file("a.csv", server.url + "a.csv", **options)
        assert [wanted for _, wanted in server.requests] == [None, "bytes=200-" if known else None]
    assert content(path) == TEXT


@pytest.mark.parametrize(
    ("packed", "options"),
    [
        (tar_of(("top/a.txt", b"1"), ("top/b/c.txt", b"2")), {"untar": True}),
        (tar_of(("top/a.txt", b"1"), ("top/b/c.txt", b"2")), {"extract": True}),
        (zip_of(top__a=b"1", top__b__c=b"2"), {"extract": True}),
        (zip_of(top__a=b"1", top__b__c=b"2"), {"extract": True, "archive_format": ["zip"]}),
    ],
)
@pytest.mark.parametrize(
    ("fname", "folder", "archive"),
    [
        (None, "data.tgz", "data.tgz_archive"),
        ("mine", "mine", "mine_archive"),
        ("mine.tar.gz", "mine_extracted", "mine.tar.gz"),
    ],
)
def test_archives_are_unpacked_into_the_folder_that_keras_names(
    packed, options, fname, folder, archive, cache
):
    with serving({"data.tgz": packed}) as server:
        for _ in range(2):
            path = get_file(fname, server.url + "data.tgz", **options)
            assert path == str(cache / "datasets" / folder)
            assert sorted(below(path).values()) == [b"1", b"2"]
        assert len(server.requests) == 1
    assert sorted(os.listdir(cache / "datasets")) == sorted([folder, archive])


@pytest.mark.parametrize(
    "bad",
    [
        ("../outside.txt", b"x"),
        ("/outside.txt", b"x"),
        ("link", (tarfile.SYMTYPE, "/etc")),
        ("link", (tarfile.SYMTYPE, "../..")),
        ("link", (tarfile.LNKTYPE, "../outside.txt")),
        ("pipe", (tarfile.FIFOTYPE, "")),
    ],
)
def test_what_an_archive_would_put_elsewhere_is_left_out(bad, cache):
    files = {"a.tar": tar_of(("good.txt", b"1"), bad, ("last.txt", b"2"))}
    with serving(files) as server, pytest.warns(UserWarning, match="left out"):
        path = get_file("a", server.url + "a.tar", untar=True)
    assert below(path) == {"good.txt": b"1", "last.txt": b"2"}
    assert not (cache / "outside.txt").exists()
    assert not (cache / "datasets" / "outside.txt").exists()


def test_a_file_through_a_link_to_elsewhere_is_left_out(cache):
    members = [("up", (tarfile.SYMTYPE, "..")), ("up/outside.txt", b"x"), ("in", (b"2", "."))]
    files = {"a.tar": tar_of(*members, ("in/b.txt", b"2"))}
    with serving(files) as server, pytest.warns(UserWarning, match="'up'"):
        path = get_file("a", server.url + "a.tar", untar=True)
    assert not (cache / "datasets" / "outside.txt").exists()
    assert below(path)["b.txt"] == b"2"


def test_what_is_no_archive_is_told(cache):
    with serving({"a.csv": TEXT}) as server, pytest.warns(UserWarning, match="no archive"):
        get_file("a", server.url + "a.csv", extract=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "expected origin"),
        ({"origin": "file:///etc/passwd"}, "http"),
        ({"origin": "http://127.0.0.1/"}, "name of a file"),
        ({"fname": "../a", "origin": "http://127.0.0.1/a"}, "without folders"),
        ({"origin": "http://127.0.0.1/a", "file_hash": "12"}, "32 hexadecimal digits of md5"),
        ({"origin": "http://127.0.0.1/a", "hash_algorithm": "sha1"}, "'sha256' or 'md5'"),
        ({"origin": "http://127.0.0.1/a", "extract": True, "archive_format": "rar"}, "'rar'"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_fetched(options, words, cache):
    with pytest.raises(ValueError, match=words):
        get_file(**options)
    assert not cache.exists()


def test_no_server_is_an_error_that_says_where_to_put_the_file(cache):
    with pytest.raises(DatasetError, match=r"(?s)Connection refused.*put the file at .*a\.csv"):
        get_file(origin="http://127.0.0.1:9/a.csv")
