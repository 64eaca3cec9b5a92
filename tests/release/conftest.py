"""The distributions, built once, and an empty environment with the wheel and nothing else of this checkout."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from distributions import Distributions, Run

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """Both, the wheel built from the source distribution, as `make release` does."""
    pytest.importorskip("build", reason="install the 'release' extra")
    alone = "PYTEST_XDIST_WORKER" not in os.environ
    base = tmp_path_factory.getbasetemp()
    folder = (base if alone else base.parent) / "release"  # one for all workers
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
    (wheel,), (source,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return Distributions(wheel, source)


@pytest.fixture(scope="session")
def environment(distributions: Distributions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh virtual environment: the wheel is installed, and other packages are those of this one, read as a folder.

    What makes this checkout importable here, a .pth file, has no effect from there.
    """
    folder = tmp_path_factory.mktemp("environment")
    python = folder / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
    install = [*pip, "install", "--quiet", "--no-deps", "--no-index", "--no-compile", str(distributions.wheel)]
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # where pip finds us, too
    done = subprocess.run(install, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def user(environment: Path, tmp_path: Path) -> Run:
    """user(command, …): runs a command of the environment in an empty folder, with an empty home."""
    here, home = tmp_path / "here", tmp_path / "home"
    here.mkdir()
    home.mkdir()
    path = os.pathsep.join([str(environment / "bin"), *os.environ["PATH"].split(os.pathsep)])
    clean = {"PATH": path, "HOME": str(home), "OMP_NUM_THREADS": "1", "LANG": "C.UTF-8"}

    def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(environment / "bin" / name), *arguments]
        return subprocess.run(command, cwd=here, env=clean, capture_output=True, text=True, check=False)

    return run
