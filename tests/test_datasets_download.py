"""Fetching official files from a web server: what arrives, what is kept, what is refused."""

import io
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from official_files_server import cifar_like, mnist_like, official, serving, tar_bytes

from minpy import datasets
from minpy.datasets import download
from minpy.datasets.official_files import SOURCES, Source
from minpy.errors import DatasetError

IMAGES = "train-images-idx3-ubyte.gz"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MINPY_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def server(monkeypatch):
    """A server with a small MNIST, which the table of official files describes."""
    files, arrays = mnist_like(seed=1)
    with serving(files) as server:
        for dataset in ("mnist", "fashion_mnist"):
            monkeypatch.setitem(SOURCES, dataset, Source((server.url,), official(files)))
        server.arrays = arrays
        yield server


def assert_is_small_mnist(result, arrays):
    (x_train, y_train), (x_test, y_test) = result
    for got, expected in zip((x_train, y_train, x_test, y_test), arrays.values(), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("dataset", ["mnist", "fashion_mnist"])
def test_fetched_files_are_read_and_kept(dataset, server, cache):
    load = getattr(datasets, dataset)
    assert_is_small_mnist(load(), server.arrays)
    assert {file.name: file.read_bytes() for file in (cache / dataset).iterdir()} == server.files
    asked = len(server.requests)
    assert_is_small_mnist(load(), server.arrays)
    assert len(server.requests) == asked


def test_cifar10_archive_is_fetched_and_kept(cache, monkeypatch):
    batches, arrays = cifar_like(seed=2)
    files = {"cifar-10-python.tar.gz": tar_bytes(batches)}
    with serving(files) as server:
        monkeypatch.setitem(SOURCES, "cifar10", Source((server.url,), official(files)))
        (x_train, _), (x_test, y_test) = datasets.cifar10()
    assert len(x_train) == 20
    np.testing.assert_array_equal(x_test, arrays["test_batch"][0])
    np.testing.assert_array_equal(y_test, arrays["test_batch"][1])
    assert [file.name for file in (cache / "cifar10").iterdir()] == ["cifar-10-python.tar.gz"]


def test_a_folder_given_by_path_takes_the_place_of_the_cache(server, cache, tmp_path):
    datasets.mnist(tmp_path / "mine")
    assert (tmp_path / "mine" / IMAGES).exists()
    assert not cache.exists()


def test_without_path_and_variable_the_cache_is_in_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("MINPY_DATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert download.data_folder("mnist", None) == tmp_path / ".cache" / "minpy" / "mnist"


def test_only_missing_files_are_fetched(server, tmp_path):
    (tmp_path / IMAGES).write_bytes(server.files[IMAGES])
    datasets.mnist(tmp_path)
    assert IMAGES not in [name for name, _ in server.requests]


def test_url_takes_the_place_of_the_mirrors(server, cache, monkeypatch):
    files = SOURCES["mnist"].files
    monkeypatch.setitem(SOURCES, "mnist", Source(("http://127.0.0.1:9/",), files))
    assert_is_small_mnist(datasets.mnist(url=server.url.rstrip("/")), server.arrays)


def test_the_next_mirror_is_tried_where_one_fails(server, cache, monkeypatch):
    files = SOURCES["mnist"].files
    monkeypatch.setitem(SOURCES, "mnist", Source(("http://127.0.0.1:9/", server.url), files))
    assert_is_small_mnist(datasets.mnist(), server.arrays)


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        ("not found", "HTTP 404 Not Found"),
        ("stalls", "no answer in 0.2 s"),
        ("hangs up", "without response"),
        ("wrong content", "SHA-256 is [0-9a-f]{64}, expected [0-9a-f]{64}"),
        ("goes on", "sends more than the [0-9]+ bytes of the official file"),
        ("breaks off", "connection closed after [0-9]+ of [0-9]+ bytes"),
    ],
)
def test_a_misbehaving_server_is_an_error_that_says_where_to_put_which_file(
    behaviour, said, server, cache, monkeypatch
):
    monkeypatch.setattr(download, "TIMEOUT", 0.2)
    server.behaviour = behaviour
    with pytest.raises(DatasetError, match=said) as caught:
        datasets.mnist()
    message = str(caught.value)
    assert server.url + IMAGES in message
    assert all(file.name in message for file in SOURCES["mnist"].files)
    assert str(cache / "mnist") in message
    assert "mnist(path=...)" in message
    assert not (cache / "mnist" / IMAGES).exists()
    server.behaviour = "good"
    assert_is_small_mnist(datasets.mnist(), server.arrays)


def test_no_network_is_an_error_that_names_every_mirror(cache, monkeypatch):
    # Port 9 of this machine has no server, and .invalid no address (RFC 2606).
    mirrors = ("http://127.0.0.1:9/a", "http://nowhere.invalid/b/")
    monkeypatch.setitem(SOURCES, "mnist", Source(mirrors, SOURCES["mnist"].files))
    with pytest.raises(DatasetError) as caught:
        datasets.mnist()
    message = str(caught.value)
    assert f"http://127.0.0.1:9/a/{IMAGES}: Connection refused" in message
    assert f"http://nowhere.invalid/b/{IMAGES}: " in message
    assert list((cache / "mnist").iterdir()) == []


@pytest.mark.parametrize("url", ["file:///etc", "ftp://127.0.0.1/", "data"])
def test_an_address_that_is_not_of_the_web_is_refused(url, cache):
    with pytest.raises(DatasetError, match="must begin with https:// or http://"):
        datasets.mnist(url=url)
    assert not cache.exists()


@pytest.mark.parametrize("behaviour", ["good", "ignores ranges", "refuses ranges"])
def test_an_interrupted_download_is_completed(behaviour, server, cache):
    server.behaviour = "breaks off"
    with pytest.raises(DatasetError, match="call again to fetch the rest"):
        datasets.mnist()
    arrived = (cache / "mnist" / f"{IMAGES}.part").read_bytes()
    assert arrived == server.files[IMAGES][: len(server.files[IMAGES]) // 2]
    server.behaviour = behaviour
    server.requests.clear()
    assert_is_small_mnist(datasets.mnist(), server.arrays)
    assert server.requests[0] == (IMAGES, f"bytes={len(arrived)}-")
    assert not (cache / "mnist" / f"{IMAGES}.part").exists()


@pytest.mark.parametrize("excess", [-10, 0, 10])
def test_what_an_earlier_download_left_is_dropped_when_it_was_wrong(excess, server, cache):
    (cache / "mnist").mkdir(parents=True)
    left = bytes(len(server.files[IMAGES]) + excess)
    (cache / "mnist" / f"{IMAGES}.part").write_bytes(left)
    assert_is_small_mnist(datasets.mnist(), server.arrays)


def test_two_threads_that_fetch_at_once_fetch_each_file_once(server, cache):
    server.behaviour = "slow"
    results = []
    threads = [threading.Thread(target=lambda: results.append(datasets.mnist())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        assert_is_small_mnist(result, server.arrays)
    assert len(results) == 4
    assert sorted(name for name, _ in server.requests) == sorted(server.files)


def test_a_killed_download_leaves_no_file_that_passes_for_whole(server, cache, tmp_path):
    server.behaviour = "slow"
    program = f"""
import minpy.datasets as d
from minpy.datasets.official_files import SOURCES, OfficialFile, Source
SOURCES["mnist"] = {SOURCES["mnist"]!r}
d.mnist()
"""
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL)
    part = cache / "mnist" / f"{IMAGES}.part"
    while not (server.requests or process.poll() is not None):
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not (cache / "mnist" / IMAGES).exists()
    assert part.exists()
    server.behaviour = "good"
    assert_is_small_mnist(datasets.mnist(), server.arrays)


def test_a_file_in_place_of_the_folder_is_reported(server, tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(DatasetError, match="path must be a folder"):
        datasets.mnist(tmp_path / "taken")
    with pytest.raises(DatasetError, match=r"can't write .*Not a directory.*MINPY_DATA"):
        datasets.mnist(tmp_path / "taken" / "below")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_reported(server, tmp_path):
    (tmp_path / f"{IMAGES}.part").symlink_to("/dev/full")
    with pytest.raises(DatasetError, match=r"can't write .*No space left.*MINPY_DATA"):
        datasets.mnist(tmp_path)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_reported(server, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(DatasetError, match=r"can't write .*Permission denied.*MINPY_DATA"):
        datasets.mnist(tmp_path)


def test_a_system_without_file_locks_fetches_too(server, cache, monkeypatch):
    monkeypatch.setattr(download, "fcntl", None)
    assert_is_small_mnist(datasets.mnist(), server.arrays)


def test_a_terminal_sees_a_progress_bar_and_a_pipe_does_not(server, cache, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for stream, names_file in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setenv("MINPY_DATA", str(cache / str(names_file)))
        datasets.mnist()
        assert (IMAGES in stream.getvalue()) is names_file


def test_the_table_has_the_published_sizes_and_digests_in_full():
    for source in SOURCES.values():
        assert all(mirror.endswith("/") for mirror in source.mirrors)
        for file in source.files:
            algorithm, digest = file.digest
            assert len(bytes.fromhex(digest)) == {"sha256": 32, "md5": 16}[algorithm]
    # MNIST's sizes as its authors' page gives them.
    assert [file.size for file in SOURCES["mnist"].files] == [9912422, 28881, 1648877, 4542]
