"""Data never becomes code: what a stranger's files say reaches no compiler, no path and no script."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgemoe.compiler.program import ProgramError, load_program
from edgemoe.devices.csim import build as csim_build
from edgemoe.devices.registry import open_device
from edgemoe.devices.rtl import build as rtl_build
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.strict import ConfigError, to_dict
from tests.examples import program as examples

ENGINES = ("golden", "csim", "rtl")

# Each leaves the comment of a generated header, or the folder of builds, and leaves a file `owned` behind.
EXPLOITS = {
    "C++": 'micro\nextern "C" int creat(const char *, unsigned);\ninline int owned = creat("owned", 420);',
    "Verilog": 'micro\ninitial $system("touch owned");',
    "path": "../../owned/micro",
}


@pytest.fixture
def marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is there when foreign text was run."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "owned"


@pytest.fixture
def builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that engines build in, empty."""
    folder = tmp_path / "builds"
    monkeypatch.setattr(csim_build, "BUILD_FOLDER", folder / "csim")
    monkeypatch.setattr(rtl_build, "BUILD_FOLDER", folder / "rtl")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    examples.small_program().save(tmp_path / "program")
    return tmp_path / "program"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", EXPLOITS)
def test_a_program_folder_cannot_run_code(folder: Path, builds: Path, marker: Path, kind: str, engine: str) -> None:
    """The hardware's name is written into the headers that csim and rtl are compiled with, and names their folders."""
    examples.forge_program(folder, lambda m: m["hardware"].update(name=EXPLOITS[kind]))
    with pytest.raises(ProgramError, match=r"hardware: name.* must be .*compile the model again"):
        open_device(engine, load_program(folder).manifest.hardware).close()
    assert not marker.exists(), "text from the program folder was run"
    assert not builds.exists(), "something was built"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", EXPLOITS)
def test_a_hardware_file_cannot_run_code(tmp_path: Path, builds: Path, marker: Path, kind: str, engine: str) -> None:
    data = {**to_dict(load_hardware_config("micro")), "name": EXPLOITS[kind]}
    path = tmp_path / "hardware.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"hardware\.json: name.* must be "):
        open_device(engine, load_hardware_config(path)).close()
    assert not marker.exists(), "text from the hardware file was run"
    assert not builds.exists(), "something was built"
