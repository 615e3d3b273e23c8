"""Saving is all or nothing: killed, on a full disk, forbidden or at the same time as another."""

import contextlib
import errno
import os
import resource
import socket
import stat
import subprocess
import sys
import tempfile
import textwrap
import threading
from pathlib import Path

import h5py
import numpy as np
import pytest

import minpy
from minpy import checkpoint
from minpy.checkpoint import atomic
from minpy.errors import CheckpointError

OLD = {"weights": {"w": np.arange(1000.0), "b": np.zeros(3)}}
NEW = {"weights": {"w": np.ones((400, 1000), np.float32)}}


def run(code, *arguments, **options):
    """Run a program in a process of its own; fail with what it said if it fails."""
    environment = os.environ | {"PYTHONPATH": str(Path(minpy.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def assert_holds(path, sections):
    found = checkpoint.read(path).sections
    assert {section: list(members) for section, members in found.items()} == {
        section: list(members) for section, members in sections.items()
    }
    for section, members in sections.items():
        for name, value in members.items():
            np.testing.assert_array_equal(found[section][name], value)


def assert_old_file_alone(path):
    assert_holds(path, OLD)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.fixture
def path(tmp_path):
    """A file that is there already, alone in its folder."""
    checkpoint.write(tmp_path / "net.h5", OLD)
    return tmp_path / "net.h5"


def test_kill_9_at_random_moments_leaves_the_old_or_the_new_file(path):
    printed = run(
        """
        import glob, os, random, signal, sys, time
        import numpy as np
        from minpy import checkpoint
        path, randomly = sys.argv[1], random.Random(0)

        def save(number):
            arrays = {f"w{n}": np.full(100_000, number, np.float32) for n in range(4)}
            checkpoint.write(path, {"weights": arrays, "optimizer": arrays}, {"number": number})

        save(0)
        number = killed_in_a_save = 0
        for _ in range(60):
            reader, writer = os.pipe()
            child = os.fork()
            if not child:
                while True:
                    number += 1
                    os.write(writer, b"+")  # begun
                    save(number)
                    os.write(writer, b"-")  # finished
            os.close(writer)
            time.sleep(0.005 + randomly.random() * 0.05)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            log = os.read(reader, 1 << 20)
            os.close(reader)
            permitted = {number + log.count(b"-"), number + log.count(b"+")}
            found = checkpoint.read(path)
            number = found.metadata["number"]
            assert number in permitted, (number, permitted)
            for members in found.sections.values():
                for array in members.values():
                    assert array.shape == (100_000,) and (array == number).all()
            killed_in_a_save += len(permitted) == 2
            leftovers = glob.glob(os.path.join(os.path.dirname(path), ".*.tmp"))
            assert len(leftovers) <= 1, leftovers  # the next save removed the one before
        save(0)
        assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]
        print(killed_in_a_save)
        """,
        path,
    )
    assert int(printed) > 10  # else the test has hit nothing


def test_kill_9_at_every_step_of_a_save_leaves_the_old_or_the_new_file(path):
    printed = run(
        """
        import os, signal, sys
        import numpy as np
        from minpy import checkpoint
        path = sys.argv[1]
        steps = ["open", "write", "fchmod", "fchown", "fsync", "replace", "unlink", "close", "stat"]

        def save(number):
            checkpoint.write(path, {"weights": {"w": np.full(1000, number)}}, {"number": number})

        def die_at(count):
            # Before step `count`, or halfway through it where it is a write.
            def hook(name, real):
                def step(*given, **named):
                    nonlocal count
                    count -= 1
                    if count == 0:
                        if name == "write":
                            real(given[0], given[1][: len(given[1]) // 2])
                        os.kill(os.getpid(), signal.SIGKILL)
                    return real(*given, **named)
                return step
            for name in steps:
                setattr(os, name, hook(name, getattr(os, name)))

        save(0)
        number, outcomes = 0, []
        while True:
            child = os.fork()
            if not child:
                die_at(len(outcomes) + 1)
                save(number + 1)
                os._exit(0)
            killed = os.waitpid(child, 0)[1] == signal.SIGKILL
            found = checkpoint.read(path)
            outcomes.append(found.metadata["number"] - number)
            number = found.metadata["number"]
            assert (found.sections["weights"]["w"] == number).all()
            if not killed:
                break
        save(0)
        assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]
        print(*outcomes)
        """,
        path,
    )
    outcomes = [int(word) for word in printed.split()]
    assert set(outcomes) == {0, 1}
    assert outcomes == sorted(outcomes)  # the old file up to one step, the new one from there on
    assert outcomes.count(0) > 10


def test_a_full_file_system_leaves_the_old_file(path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        with pytest.raises(CheckpointError, match=r"net\.h5.*too large.* takes 1\.6 MB") as info:
            checkpoint.write(path, NEW)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert info.value.errno == errno.EFBIG
    assert_old_file_alone(path)
    checkpoint.write(path, NEW)
    assert_holds(path, NEW)


def test_a_full_disk_leaves_the_old_file(tmp_path):
    mounted = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)]
    if os.geteuid() or subprocess.run(mounted, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small disk")
    try:
        path = tmp_path / "net.h5"
        checkpoint.write(path, OLD)
        with pytest.raises(CheckpointError, match=r"net\.h5.*takes 1\.6 MB, 1\.0 MB.*free") as info:
            checkpoint.write(path, NEW)
        assert info.value.errno == errno.ENOSPC
        assert_old_file_alone(path)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.parametrize("step", ["open", "write", "fsync", "replace", "fchmod"])
def test_a_disk_that_fails_at_any_step_leaves_the_old_file(path, monkeypatch, step):
    def failing(*given, **named):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, step, failing)
        with pytest.raises(CheckpointError, match=r"net\.h5.*input/output error") as info:
            checkpoint.write(path, NEW)
    assert info.value.errno == errno.EIO
    assert_old_file_alone(path)


def test_ctrl_c_during_a_save_leaves_the_old_file(path, monkeypatch):
    def interrupted(descriptor):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            checkpoint.write(path, NEW)
    assert_old_file_alone(path)


def test_content_is_on_the_disk_before_it_takes_the_name_and_the_name_after(path, monkeypatch):
    done = []

    def noting(name):
        real = getattr(os, name)

        def step(*given):
            if name == "fsync":
                synced = os.fstat(given[0])
                kind = "folder" if stat.S_ISDIR(synced.st_mode) else "file"
                done.append(f"fsync {kind} {os.path.exists(f'/proc/self/fd/{given[0]}')}")
            else:
                done.append(name)
            return real(*given)

        monkeypatch.setattr(os, name, step)

    noting("fsync")
    noting("replace")
    checkpoint.write(path, NEW)
    assert done == ["fsync file True", "replace", "fsync folder True"]


def test_a_failed_sync_of_the_folder_is_reported_though_the_file_is_there(path, monkeypatch):
    fsync = os.fsync

    def failing(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, "Input/output error")
        return fsync(descriptor)

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(CheckpointError, match="may not survive a power cut"):
        checkpoint.write(path, NEW)
    assert_holds(path, NEW)


def test_a_folder_in_the_way_is_left_alone(tmp_path):
    (tmp_path / "net.h5").mkdir()
    (tmp_path / "net.h5" / "inside").write_text("kept")
    for name in ("net.h5", "net.h5/", "new/"):
        with pytest.raises(CheckpointError, match="folder"):
            checkpoint.write(f"{tmp_path}/{name}", NEW)
    assert (tmp_path / "net.h5" / "inside").read_text() == "kept"
    assert [entry.name for entry in tmp_path.iterdir()] == ["net.h5"]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"folder '.*/runs' doesn't exist; create it first"):
        checkpoint.write(tmp_path / "runs" / "net.h5", NEW)
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match=r"file' is not a folder"):
        checkpoint.write(tmp_path / "file" / "net.h5", NEW)
    for name in ("", "nul\0.h5"):
        with pytest.raises(CheckpointError, match="empty or holds a NUL"):
            checkpoint.write(name, NEW)


def test_pipes_sockets_and_devices_are_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as opened:
        opened.bind(os.path.relpath(tmp_path / "socket"))
        for name in ("pipe", "socket"):
            with pytest.raises(CheckpointError, match="device, pipe or socket"):
                checkpoint.write(tmp_path / name, NEW)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert stat.S_ISSOCK((tmp_path / "socket").stat().st_mode)


def test_without_permission_the_old_file_stays():
    # Not in pytest's own folder: that one is closed to the user whom a root process turns into.
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        printed = run(
            """
            import os, sys
            import h5py  # before the change of user: Python's own folder may be closed to that one
            import numpy as np
            from minpy import checkpoint
            from minpy.errors import CheckpointError
            folder = sys.argv[1]
            if os.getuid() == 0:
                os.chown(folder, 65534, 65534)
                os.setgid(65534)
                os.setuid(65534)
            path = os.path.join(folder, "net.h5")

            def refused(look=lambda: checkpoint.write(path, {"w": {"x": np.ones(9)}})):
                try:
                    look()
                except CheckpointError as error:
                    print(error.errno, error)

            checkpoint.write(path, {"w": {"x": np.zeros(3)}})
            os.chmod(folder, 0o555)
            refused()
            os.chmod(folder, 0o755)
            os.chmod(path, 0o444)
            refused()
            assert checkpoint.read(path).sections["w"]["x"].tolist() == [0, 0, 0]
            os.chmod(path, 0o200)
            refused(lambda: checkpoint.read(path))
            assert os.listdir(folder) == ["net.h5"]
            """,
            folder,
        )
    lines = printed.splitlines()
    assert len(lines) == 3
    assert all(line.startswith(f"{errno.EACCES} can't ") and "net.h5" in line for line in lines)
    assert "permission denied" in lines[0] and "write-protected" in lines[1]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o666])
def test_permissions_of_the_file_that_is_replaced_are_kept(path, mode):
    path.chmod(mode)
    checkpoint.write(path, NEW)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert_holds(path, NEW)


def test_a_new_file_gets_the_permissions_that_the_umask_leaves(tmp_path):
    before = os.umask(0o027)
    try:
        checkpoint.write(tmp_path / "net.h5", NEW)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "net.h5").stat().st_mode) == 0o640


def test_the_owner_of_the_file_that_is_replaced_is_kept(path):
    if os.geteuid():
        pytest.skip("only root can give a file away")
    os.chown(path, 65534, 65533)
    checkpoint.write(path, NEW)
    assert (path.stat().st_uid, path.stat().st_gid) == (65534, 65533)


def test_a_symbolic_link_stays_and_its_target_is_replaced(path):
    (path.parent / "runs").mkdir()
    link = path.parent / "runs" / "latest.h5"
    link.symlink_to("../net.h5")
    checkpoint.write(link, NEW)
    assert link.is_symlink()
    assert_holds(path, NEW)
    assert [entry.name for entry in link.parent.iterdir()] == ["latest.h5"]
    path.unlink()
    checkpoint.write(link, OLD)  # a link that points at nothing yet
    assert link.is_symlink()
    assert_holds(path, OLD)


def test_names_of_the_greatest_length_can_be_saved(tmp_path):
    for name in ("x" * 252 + ".h5", "é" * 127):
        checkpoint.write(tmp_path / name, OLD)
        assert_holds(tmp_path / name, OLD)
    assert len(list(tmp_path.iterdir())) == 2


def test_leftovers_of_dead_processes_are_removed_and_nothing_else_is(path):
    folder = path.parent
    dead = folder / ".net.h5.1-0123456789abcdef.tmp"  # process 1 lives, but doesn't hold it
    kept = [
        folder / ".net.h5.tmp",
        folder / ".other.h5.1-0123456789abcdef.tmp",
        folder / "net.h5.1-0123456789abcdef.tmp",
        folder / ".net.h5.1-0123456789abcdef.tmp.old",
        folder / ".netxh5.1-0123456789abcdef.tmp",
    ]
    for file in (dead, *kept):
        file.write_text("x")
    directory = folder / ".net.h5.2-0123456789abcdef.tmp"
    directory.mkdir()
    link = folder / ".net.h5.3-0123456789abcdef.tmp"
    link.symlink_to(kept[0])
    checkpoint.write(path, NEW)
    assert {*folder.iterdir()} == {path, directory, link, *kept}
    assert kept[0].read_text() == "x"


def test_of_two_saves_at_once_the_last_to_end_wins_and_neither_disturbs_the_other(path):
    def slowly():
        yield b"outer"
        assert len(list(path.parent.glob(".*.tmp"))) == 1
        # A whole save, and its clearing of leftovers, in the middle of ours:
        atomic.replace_file(str(path), [b"inner"], 5)
        assert path.read_bytes() == b"inner"
        assert len(list(path.parent.glob(".*.tmp"))) == 1
        yield b"most"

    atomic.replace_file(str(path), slowly(), 9)
    assert path.read_bytes() == b"outermost"
    assert list(path.parent.iterdir()) == [path]


def test_a_temporary_file_taken_for_a_leftover_before_it_is_locked_is_made_anew(path, monkeypatch):
    flock, stolen = atomic.fcntl.flock, []

    def after_another_process(descriptor, operation):
        for found in path.parent.glob(".*.tmp") if not stolen else ():
            found.unlink()
            stolen.append(found)
        return flock(descriptor, operation)

    monkeypatch.setattr(atomic.fcntl, "flock", after_another_process)
    checkpoint.write(path, NEW)
    assert len(stolen) == 1
    assert_holds(path, NEW)
    assert list(path.parent.iterdir()) == [path]


def test_file_systems_without_locks_can_be_saved_to(path, monkeypatch):
    def unsupported(descriptor, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    leftover = path.parent / ".net.h5.1-0123456789abcdef.tmp"
    leftover.touch()
    monkeypatch.setattr(atomic.fcntl, "flock", unsupported)
    checkpoint.write(path, NEW)
    assert_holds(path, NEW)
    assert leftover.exists()  # it may be another process's


def test_threads_that_save_and_read_at_once_meet_only_whole_files(path):
    numbers, failures = range(4), []
    checkpoint.write(path, {"w": {"x": np.full(50_000, 0)}})

    def save(number):
        try:
            for _ in range(8):
                checkpoint.write(path, {"w": {"x": np.full(50_000, number)}}, {"number": number})
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=save, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        array = checkpoint.read(path).sections["w"]["x"]
        assert (array == array[0]).all()
    for thread in threads:
        thread.join()
    assert failures == []
    assert list(path.parent.iterdir()) == [path]


def test_other_programs_can_open_the_file_as_soon_as_it_is_saved(path):
    # HDF5's library locks a file that it reads, and gives up where someone else's lock is on it.
    checkpoint.write(path, NEW)
    with h5py.File(path, "r", locking=True) as file:
        np.testing.assert_array_equal(file["weights/w"][()], NEW["weights"]["w"])
