"""A web server on this machine that has small files in the official formats, and misbehaves."""

import contextlib
import gzip
import hashlib
import http.server
import io
import struct
import tarfile
import threading
import time

import numpy as np

from minpy.datasets.official_files import OfficialFile


def idx_bytes(array):
    """Write an array in the IDX format: the reverse of what minpy.datasets.idx reads."""
    codes = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}
    code = codes[array.dtype.str[1:]]
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def mnist_like(seed, train=7, test=3):
    """Return the four gz files by name, and the arrays in them."""
    random = np.random.default_rng(seed)
    arrays = {
        "train-images-idx3-ubyte.gz": random.integers(0, 256, (train, 28, 28), np.uint8),
        "train-labels-idx1-ubyte.gz": random.integers(0, 10, train, np.uint8),
        "t10k-images-idx3-ubyte.gz": random.integers(0, 256, (test, 28, 28), np.uint8),
        "t10k-labels-idx1-ubyte.gz": random.integers(0, 10, test, np.uint8),
    }
    return {name: gzip.compress(idx_bytes(array)) for name, array in arrays.items()}, arrays


def _string(text):
    """Pickle a str as Python 2 did."""
    raw = text if isinstance(text, bytes) else text.encode("latin1")
    return (
        b"U" + bytes([len(raw)]) + raw
        if len(raw) < 256
        else b"T" + struct.pack("<i", len(raw)) + raw
    )


def _number(value):
    if value < 256:
        return b"K" + bytes([value])
    return b"M" + struct.pack("<H", value) if value < 65536 else b"J" + struct.pack("<i", value)


def python2_array(array, code="u1"):
    """Pickle a uint8 array as NumPy 1 under Python 2 did, protocol 2."""
    shape = b"(" + b"".join(map(_number, array.shape)) + b"t"
    return (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
        + (_number(0) + b"\x85" + _string("b") + b"\x87R")
        + (b"(" + _number(1) + shape)
        + (b"cnumpy\ndtype\n" + _string(code) + _number(0) + _number(1) + b"\x87R")
        + (b"(" + _number(3) + _string("|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb")
        + (b"\x89" + _string(array.tobytes()) + b"tb")
    )


def python2_batch(images, labels, label="training batch 1 of 5", data=None):
    """Pickle a batch as the authors of CIFAR-10 did: a dict of str, list, array and list."""
    items = [
        _string("batch_label") + _string(label),
        _string("labels") + b"](" + b"".join(_number(int(n)) for n in labels) + b"e",
        _string("data") + (data or python2_array(images.reshape(len(images), -1))),
        _string("filenames") + b"](" + b"".join(_string(f"{i}.png") for i in labels) + b"e",
    ]
    return b"\x80\x02}(" + b"".join(items) + b"u."


def cifar_like(seed, rows=4):
    """Return the batches by name, and the images (n, 3, 32, 32) and labels in them."""
    random = np.random.default_rng(seed)
    arrays = {
        name: (random.integers(0, 256, (rows, 3, 32, 32), np.uint8), random.integers(0, 10, rows))
        for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")
    }
    return {name: python2_batch(*pair) for name, pair in arrays.items()}, arrays


def tar_bytes(batches, folder="cifar-10-batches-py/", extra=()):
    """Pack batches as cifar-10-python.tar.gz, with more (TarInfo, bytes) members where given."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        for member, content in extra:
            archive.addfile(member, io.BytesIO(content) if content is not None else None)
        for name, content in batches.items():
            member = tarfile.TarInfo(folder + name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return target.getvalue()


def official(files):
    """Return the entries of the table of official files that fit these contents."""
    return tuple(
        OfficialFile(name, len(content), hashlib.sha256(content).hexdigest())
        for name, content in files.items()
    )


class Server(http.server.ThreadingHTTPServer):
    """Serves `files`; `behaviour` names what goes wrong, `requests` records what was asked."""

    daemon_threads = True

    def __init__(self, files):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = dict(files)
        self.behaviour = "good"
        self.requests = []
        self.stop_stalling = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/data/"

    def handle_error(self, request, client_address):
        """Say nothing when a client goes away."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        server = self.server
        name = self.path.rpartition("/")[2]
        wanted = self.headers.get("Range")
        server.requests.append((name, wanted))
        if server.behaviour == "stalls":
            server.stop_stalling.wait(10)
            self.close_connection = True
            return
        if server.behaviour == "hangs up":
            self.close_connection = True
            return
        if server.behaviour == "not found" or name not in server.files:
            self.send_error(404)
            return
        content, status, first = server.files[name], 200, 0
        if wanted and server.behaviour != "ignores ranges":
            first = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if server.behaviour == "refuses ranges":
                self.send_error(416)
                return
            status = 206
        body = content[first:]
        if server.behaviour == "wrong content":
            body = bytes(255 - byte for byte in body)
        if server.behaviour == "goes on":
            body += b"more"
        self.send_response(status)
        if status == 206:
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if server.behaviour == "breaks off":
            body = body[: len(body) // 2]
            self.close_connection = True
        if server.behaviour == "slow":
            for start in range(0, len(body), 200):
                self.wfile.write(body[start : start + 200])
                time.sleep(0.002)
        else:
            self.wfile.write(body)


@contextlib.contextmanager
def serving(files):
    """Run a server in a thread for as long as the block lasts."""
    server = Server(files)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.stop_stalling.set()
        server.shutdown()
        server.server_close()
        thread.join()
