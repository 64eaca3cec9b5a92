"""Every operation and every illegal program on the HLS engine under the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLAGS = "-O1 -g -fsanitize=address,undefined -fno-omit-frame-pointer"
SUPPRESSIONS = Path(__file__).with_name("sanitizer.supp")
TARGETS = (
    pytest.param("tests/ops", marks=pytest.mark.slow),
    "tests/host/test_machine_faults.py",
    "tests/host/test_machine_stream.py",
)


def runtime(name: str) -> str:
    """Path of a sanitizer's runtime, which must be in the process before Python starts."""
    compiler = shutil.which("g++")
    assert compiler is not None
    found = subprocess.run([compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=True)
    path = found.stdout.strip()
    if not Path(path).is_absolute():
        pytest.skip(f"g++ comes without {name}")
    return path


@pytest.mark.parametrize("target", TARGETS)
def test_sanitizers_find_nothing(target: str) -> None:
    environment = {
        **os.environ,
        "EDGEMOE_CSIM_FLAGS": FLAGS,
        "LD_PRELOAD": f"{runtime('libasan.so')} {runtime('libubsan.so')}",
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": f"halt_on_error=1:suppressions={SUPPRESSIONS}",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-k", "csim", str(ROOT / target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is None or int(passed[1]) > 50
    assert "runtime error" not in done.stderr
