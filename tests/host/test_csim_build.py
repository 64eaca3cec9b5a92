"""Building the C simulation: what is missing is named, other flags or sources are another build, errors are given."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgemoe.devices.base import DeviceError, MissingToolError
from edgemoe.devices.csim import build
from edgemoe.spec.hardware import load_hardware_config

HARDWARE = load_hardware_config("micro")


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Flags of each build, of sources in a folder of their own, without a compiler."""
    flags: list[tuple[str, ...]] = []

    def made(header: str, given: tuple[str, ...], folder: Path) -> None:
        flags.append(given)
        (folder / build.LIBRARY).touch()

    for name in ("machine", "generated"):
        (tmp_path / "hls" / name).mkdir(parents=True)
        (tmp_path / "hls" / name / "a.hpp").write_text("", encoding="utf-8")
    monkeypatch.setattr(build, "HLS_FOLDER", tmp_path / "hls")
    monkeypatch.setattr(build, "BUILD_FOLDER", tmp_path / "csim")
    monkeypatch.setattr(build, "compiler", lambda: "g++")
    monkeypatch.setattr(build, "_build", made)
    monkeypatch.delenv(build.FLAGS_VARIABLE, raising=False)
    return flags


def test_flags_are_those_that_are_given_or_set_or_optimised_ones(
    built: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = build.library_path(HARDWARE)
    assert build.library_path(HARDWARE) == plain
    monkeypatch.setenv(build.FLAGS_VARIABLE, "-O1 -g")
    as_set, given = build.library_path(HARDWARE), build.library_path(HARDWARE, ("-O0",))
    assert len({plain, as_set, given}) == 3
    assert built == [build.OPTIMISED, ("-O1", "-g"), ("-O0",)]
    assert plain.is_file()


def test_another_source_is_another_build_and_what_is_generated_is_none(
    built: list[tuple[str, ...]], tmp_path: Path
) -> None:
    before = build.library_path(HARDWARE)
    (tmp_path / "hls" / "generated" / "a.hpp").write_text("// of another configuration", encoding="utf-8")
    assert build.library_path(HARDWARE) == before
    (tmp_path / "hls" / "machine" / "a.hpp").write_text("// other", encoding="utf-8")
    assert build.library_path(HARDWARE) != before
    assert len(built) == 2


@pytest.mark.parametrize(
    ("errors", "complaint"),
    [
        ("In file included from a.cpp:1:\na.hpp:3:4: error: no such thing\nb.hpp: error: nor this\n",
         "a.hpp:3:4: error: no such thing"),
        ("\nkilled\n", "killed"),
    ],
)  # fmt: skip
def test_of_what_a_compiler_prints_the_first_error_is_given(
    errors: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = subprocess.CompletedProcess([], 1, "", errors)
    monkeypatch.setattr(build, "compile_command", lambda *_: [])
    monkeypatch.setattr(build, "run_tool", lambda _: done)
    with pytest.raises(DeviceError, match=f"engine 'csim' does not compile: {complaint}$"):
        build._build("// header", (), tmp_path)
    assert (tmp_path / "edgemoe_spec.hpp").read_text(encoding="utf-8") == "// header"


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(MissingToolError, match=r"needs g\+\+, which is not installed"):
        build.compiler()
    for found in (None, SimpleNamespace(submodule_search_locations=None)):
        monkeypatch.setattr(importlib.util, "find_spec", lambda _, found=found: found)
        with pytest.raises(MissingToolError, match="needs the open ap_int headers of the package 'da4ml'"):
            build.header_folder()
