"""The Vitis flows without Vitis: their files say what the specification says, and the Tcl runs on recording stubs."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from edgemoe.devices.csim.build import HLS_FOLDER
from edgemoe.kernels.vectors import write_bench
from edgemoe.spec.generate.vitis import VITIS_VERSION
from edgemoe.spec.hardware import hardware_names, load_hardware_config
from edgemoe.spec.interface import IP_NAME, LIBRARY, VENDOR, VERSION

ROOT = HLS_FOLDER.parent
COMMANDS = (
    "open_project",
    "set_top",
    "add_files",
    "open_solution",
    "set_part",
    "create_clock",
    "config_interface",
    "csynth_design",
    "export_design",
)
KERNEL_COMMANDS = (
    *COMMANDS[:3], "add_files", *COMMANDS[3:6], "csim_design", "csynth_design", "cosim_design",
)  # fmt: skip


def recorded(board: str, folder: Path, name: str = "synthesise", *words: str) -> list[list[str]]:
    """The commands that the Tcl gives to Vitis, in order, word by word."""
    tclsh = shutil.which("tclsh")
    if tclsh is None:
        pytest.skip("tclsh is not installed")
    known = (*COMMANDS, "csim_design", "cosim_design")
    stubs = [f'proc {each} args {{ puts "{each}\\t[join $args \\t]" }}' for each in known]
    script = HLS_FOLDER / "tcl" / f"{name}.tcl"
    driver = folder / "driver.tcl"
    driver.write_text(
        "\n".join([*stubs, f"set argv [list {' '.join((board, *words))}]", f"source {script}"]), encoding="utf-8"
    )
    done = subprocess.run([tclsh, str(driver)], capture_output=True, text=True, check=False, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return [line.split("\t") for line in done.stdout.splitlines()]


@pytest.mark.parametrize("board", hardware_names())
def test_the_tcl_names_files_top_part_and_clock_of_the_configuration(board: str, tmp_path: Path) -> None:
    hardware = load_hardware_config(board)
    calls = recorded(board, tmp_path)
    assert [call[0] for call in calls] == list(COMMANDS)
    words = {call[0]: call[1:] for call in calls}
    assert words["set_top"] == ["edgemoe_top"]
    assert words["set_part"] == [hardware.part]
    assert words["create_clock"][:2] == ["-period", f"{1000 / hardware.clock_mhz:.3f}"]
    named = ["-ipname", IP_NAME, "-vendor", VENDOR, "-library", LIBRARY, "-version", VERSION]
    assert words["export_design"] == ["-format", "ip_catalog", *named]
    source, _, flags = words["add_files"]
    assert Path(source).is_file()
    include = next(flag[2:] for flag in flags.split() if flag.startswith("-I"))
    assert (Path(include) / "edgemoe_spec.hpp").is_file()
    assert Path(include).name == board


@pytest.mark.parametrize("board", hardware_names())
def test_the_configuration_file_says_the_same(board: str) -> None:
    hardware = load_hardware_config(board)
    path = HLS_FOLDER / "generated" / board / "vitis.cfg"
    parser = configparser.ConfigParser()
    parser.read_string("[global]\n" + path.read_text(encoding="utf-8"))
    assert parser["global"]["part"] == hardware.part
    section = parser["hls"]
    assert section["syn.top"] == "edgemoe_top"
    assert section["clock"] == f"{1000 / hardware.clock_mhz:.3f}ns"
    assert (path.parent / section["syn.file"]).resolve() == HLS_FOLDER / "edgemoe.cpp"
    assert "-I." in section["syn.cflags"].split()


def test_without_vitis_one_sentence_says_what_to_install() -> None:
    if shutil.which("v++") or shutil.which("vitis_hls"):
        pytest.skip("Vitis is installed here")
    done = subprocess.run(["make", "-s", "hls", "BOARD=kv260"], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode != 0
    first = done.stderr.splitlines()[0]
    assert first.startswith(f"make hls needs AMD Vitis (written for {VITIS_VERSION}")


def test_an_unknown_board_is_refused_with_the_known_ones() -> None:
    script = HLS_FOLDER / "tcl" / "synthesise.sh"
    done = subprocess.run([str(script), "zcu999"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "no hardware configuration 'zcu999'; there are: kv260" in done.stderr


@pytest.mark.parametrize("tool", ["v++", "vitis_hls"])
def test_the_tool_that_is_there_gets_the_boards_files(tool: str, tmp_path: Path) -> None:
    """A stand-in for the tool prints what it was called with."""
    stub = tmp_path / tool
    stub.write_text('#!/bin/sh\necho "$0" "$@"\n', encoding="utf-8")
    stub.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin"}
    script = HLS_FOLDER / "tcl" / "synthesise.sh"
    done = subprocess.run([str(script), "u50"], capture_output=True, text=True, check=True, env=environment)
    words = done.stdout.split()
    assert Path(words[0]).name == tool
    named = [word for word in words if word.endswith((".cfg", ".tcl"))]
    assert len(named) == 1
    assert Path(named[0]).is_file()
    assert "u50" in done.stdout


def test_the_tcl_of_a_kernel_simulates_synthesises_and_simulates_again(tmp_path: Path) -> None:
    write_bench("softmax", load_hardware_config("kv260"), tmp_path)
    calls = recorded("kv260", tmp_path, "kernel", str(tmp_path))
    assert [call[0] for call in calls] == list(KERNEL_COMMANDS)
    source, bench = (call for call in calls if call[0] == "add_files")
    assert Path(source[1]).is_file()
    assert bench[1] == "-tb"
    assert Path(bench[2]).is_file()
    includes = [Path(flag[2:]) for flag in source[3].split() if flag.startswith("-I")]
    assert any((folder / "kernel.hpp").is_file() for folder in includes)
    assert any((folder / "tops/softmax.hpp").is_file() for folder in includes)
    vectors = {call[2] for call in calls if call[0] in ("csim_design", "cosim_design")}
    assert [Path(path).is_file() for path in vectors] == [True]


def test_the_configuration_of_a_kernel_names_files_that_are_there(tmp_path: Path) -> None:
    write_bench("gelu", load_hardware_config("zcu102"), tmp_path)
    parser = configparser.ConfigParser()
    parser.read_string("[global]\n" + (tmp_path / "vitis.cfg").read_text(encoding="utf-8"))
    section = parser["hls"]
    assert section["syn.top"] == "kernel_top"
    for name in ("syn.file", "tb.file", "csim.argv", "cosim.argv"):
        assert Path(section[name]).is_file(), name


def test_an_unknown_kernel_is_refused_with_the_known_ones() -> None:
    script = HLS_FOLDER / "tcl" / "synthesise.sh"
    done = subprocess.run([str(script), "kv260", "softmix"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "no kernel 'softmix'; there are: attention experts gate" in done.stderr
