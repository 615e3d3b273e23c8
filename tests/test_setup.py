"""How minpy is installed: its requirements, its files, and what make does on a fresh clone."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import minpy

ROOT = Path(__file__).parents[1]

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


@pytest.fixture(scope="module")
def distribution():
    try:
        return metadata.distribution("minpy")
    except metadata.PackageNotFoundError:
        pytest.skip("minpy is not installed (pip install -e .)")


def required(distribution, extra="", **environment):
    """Return the names of what is required on a machine, with an extra or without."""
    requirements = map(Requirement, distribution.requires)
    environment = {**environment, "extra": extra}
    return {r.name for r in requirements if r.marker is None or r.marker.evaluate(environment)}


def machine(python="3.11", system="linux", processor="x86_64"):
    return {"python_version": python, "sys_platform": system, "platform_machine": processor}


def test_installed_version_is_the_one_that_the_package_says(distribution):
    assert distribution.version == minpy.__version__


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12"])
def test_mxnet_is_required_where_it_has_a_wheel(python, distribution):
    assert "mxnet" in required(distribution, **machine(python))
    assert "mxnet" in required(distribution, **machine(python, "darwin", "x86_64"))
    assert "mxnet" in required(distribution, **machine(python, "linux", "aarch64"))


@pytest.mark.parametrize(
    "where",
    [
        machine(python="3.13"),
        machine(system="darwin", processor="arm64"),
        machine(system="win32", processor="AMD64"),
        machine(python="3.13", system="darwin", processor="arm64"),
    ],
)
def test_mxnet_is_left_out_where_it_has_none_and_all_else_stays(where, distribution):
    assert required(distribution, **where) >= {"numpy", "h5py", "tqdm", "tensorboardX", "numba"}
    assert "mxnet" not in required(distribution, **where)
    assert "mxnet-cu117" not in required(distribution, "gpu", **{**where, "python_version": "3.13"})


def test_setuptools_stands_in_for_distutils_where_python_has_none(distribution):
    assert "setuptools" not in required(distribution, **machine("3.11"))
    assert "setuptools" in required(distribution, **machine("3.12"))


def test_gpu_extra_brings_every_library_that_mxnet_links_to(distribution):
    libraries = {
        *("cublas", "cuda-nvrtc", "cuda-runtime", "cudnn", "cufft", "curand", "cusolver"),
        *("cusparse", "nccl", "nvtx"),
    }
    extra = required(distribution, "gpu", **machine()) - required(distribution, **machine())
    assert extra == {"mxnet-cu117", *(f"nvidia-{name}-cu11" for name in libraries)}


def test_every_requirement_has_a_comment_that_says_why():
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    begin = lines.index("dependencies = [")
    for line in lines[begin + 1 : lines.index("]", begin)]:
        assert line.startswith("    "), line
    uncommented = [
        line
        for before, line in zip(
            lines[begin:], lines[begin + 1 : lines.index("]", begin)], strict=False
        )
        if line.startswith('    "') and not before.startswith(("    #", '    "'))
    ]
    assert uncommented == []


@pytest.mark.slow
def test_wheel_and_source_archive_hold_the_data_and_the_licences(tmp_path):
    source = tmp_path / "source"
    shutil.copytree(
        ROOT, source, ignore=shutil.ignore_patterns(".*", "build", "dist", "out", "*.egg-info")
    )
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path, source],
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {"minpy/datasets/digits.npz", "minpy/datasets/DIGITS.txt"} <= set(names)
    assert any(re.search(r"dist-info/.*LICENSE$", name) for name in names)
    packages = {path.parent.relative_to(ROOT) for path in (ROOT / "minpy").rglob("__init__.py")}
    assert {Path(name).parent for name in names if name.endswith("/__init__.py")} == packages
    assert not any(name.startswith(("tests/", "tools/", "examples/")) for name in names)


def run(*command, **environment):
    """Run a command at the top of the repository; without make's own variables."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTHON", "VENV", "ARGS")
    }
    return subprocess.run(
        command, cwd=ROOT, env={**clean, **environment}, capture_output=True, text=True, check=False
    )


def program(path, script):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def python_of_version(path, version):
    """Make a program that answers like a Python of another version."""
    prelude = (
        f"import sys, platform; sys.version_info = tuple(map(int, '{version}'.split('.'))); "
        f"platform.python_version = lambda: '{version}'; "
    )
    return program(path, f'shift; exec "{sys.executable}" -c "{prelude}$*"')


@needs_make
@pytest.mark.parametrize("version", ["2.7.18", "3.9.18", "3.13.0"])
def test_an_unfitting_python_gets_one_line_and_no_environment(version, tmp_path):
    python = python_of_version(tmp_path / "python", version)
    result = run("make", "test", f"PYTHON={python}", f"VENV={tmp_path}/venv")
    assert result.returncode != 0
    lines = [line for line in result.stderr.splitlines() if not line.startswith("make")]
    assert lines == [
        f"minpy needs Python 3.10, 3.11 or 3.12; found {version} ({python}): "
        "install one, or give PYTHON=/path/to/python3.12"
    ]
    assert result.stdout == ""
    assert not (tmp_path / "venv").exists()


@needs_make
def test_without_any_python_the_line_says_so(tmp_path):
    result = run("make", "test", f"PYTHON={tmp_path}/none", f"VENV={tmp_path}/venv")
    assert "found none" in result.stderr
    assert not (tmp_path / "venv").exists()


@needs_make
def test_an_environment_with_an_unfitting_python_is_reported_and_kept(tmp_path):
    python_of_version(tmp_path / "venv" / "bin" / "python", "3.9.18")
    result = run("make", "test", f"VENV={tmp_path}/venv")
    assert result.returncode != 0
    assert f"{tmp_path}/venv has 3.9.18: remove it or give VENV=" in result.stderr
    assert (tmp_path / "venv" / "bin" / "python").exists()


@needs_make
def test_the_first_fitting_python_of_the_path_makes_the_environment(tmp_path):
    path = tmp_path / "path"
    old = python_of_version(path / "python3", "3.9.18")
    # It takes the request for an environment down, and fails, so that nothing is installed.
    new = program(
        path / "python3.12",
        f'if [ "$1" = -m ]; then echo "$@" > {tmp_path}/asked; exit 1; fi; '
        f'shift; exec "{sys.executable}" -c "$*"',
    )
    result = run("make", "setup", f"VENV={tmp_path}/venv", PATH=f"{path}:/usr/bin:/bin")
    assert Path(old).exists()
    assert Path(new).exists()
    assert result.returncode != 0
    assert (tmp_path / "asked").read_text() == f"-m venv {tmp_path}/venv\n"
    assert not (tmp_path / "venv").exists()


@needs_make
def test_a_second_run_installs_only_what_changed(tmp_path):
    installed = tmp_path / "venv" / "minpy-installed"
    requirements = [ROOT / "pyproject.toml", ROOT / "setup.py"]
    newest = max(file.stat().st_mtime for file in requirements)

    def up_to_date():
        return run("make", "-q", "setup", f"VENV={tmp_path}/venv").returncode == 0

    assert not up_to_date()
    installed.parent.mkdir()
    installed.touch()
    os.utime(installed, (newest + 1, newest + 1))
    assert up_to_date()
    os.utime(installed, (newest - 1, newest - 1))
    assert not up_to_date()


@pytest.mark.parametrize("failing", ["nothing", "make", "check", "format"])
def test_ci_fails_when_any_of_its_steps_does_and_runs_them_all(failing, tmp_path):
    def step(*names):
        status = 1 if failing in names else 0
        return f'echo "$@" >> {tmp_path}/steps; exit {status}'

    program(tmp_path / "path" / "make", step("make"))
    program(
        tmp_path / "venv" / "bin" / "ruff",
        f'if [ "$1" = check ]; then {step("check")}; else {step("format")}; fi',
    )
    result = run(
        "bash",
        ".ci/run",
        PATH=f"{tmp_path}/path:{os.environ['PATH']}",
        VENV=str(tmp_path / "venv"),
    )
    assert (result.returncode != 0) == (failing != "nothing")
    steps = (tmp_path / "steps").read_text().splitlines()
    assert [line.split()[0] for line in steps] == ["test", "check", "format"]
    assert "--check" in steps[2]


def test_ci_fails_when_there_is_no_linter(tmp_path):
    program(tmp_path / "path" / "make", "exit 0")
    result = run(
        "bash", ".ci/run", PATH=f"{tmp_path}/path:{os.environ['PATH']}", VENV=str(tmp_path)
    )
    assert result.returncode != 0
    assert "could not set up the environment" in result.stderr
