"""The manifest of an overlay: strict reading, files of one build, and which side is to be renewed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgemoe.overlay.manifest import (
    BIT_FILE,
    HWH_FILE,
    MANIFEST_FILE,
    MANIFEST_VERSION,
    BitstreamManifest,
    OverlayError,
    Timing,
    check_hardware,
    file_digest,
    load_overlay,
    write_manifest,
)
from edgemoe.spec.generate.vitis import vitis_cfg
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.interface import VLNV
from edgemoe.spec.isa import ISA_VERSION
from edgemoe.spec.strict import to_dict

HARDWARE = load_hardware_config("zcu102")


def write_overlay(folder: Path) -> BitstreamManifest:
    (folder / BIT_FILE).write_bytes(b"bits")
    (folder / HWH_FILE).write_text("<EDKSYSTEM/>", encoding="utf-8")
    manifest = BitstreamManifest(
        manifest_version=MANIFEST_VERSION,
        board="zcu102",
        engine="rtl",
        hardware=HARDWARE,
        config_hash=HARDWARE.hash(),
        isa_version=ISA_VERSION,
        tools={"vivado": "2024.1"},
        revision="abc",
        built="2026-01-01",
        sha256={name: file_digest(folder / name) for name in (BIT_FILE, HWH_FILE)},
        timing=Timing(met=True, clock_mhz=300.0, worst_slack_ns=0.05),
        utilisation={"lut": 1, "dsp": 2},
    )
    write_manifest(folder, manifest)
    return manifest


def change(folder: Path, **changes: Any) -> None:
    data = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
    (folder / MANIFEST_FILE).write_text(json.dumps({**data, **changes}), encoding="utf-8")


def test_what_was_written_is_read(tmp_path: Path) -> None:
    manifest = write_overlay(tmp_path)
    overlay = load_overlay(tmp_path)
    assert overlay.manifest == manifest
    assert (overlay.bit.name, overlay.hwh.name) == (BIT_FILE, HWH_FILE)


@pytest.mark.parametrize("name", [BIT_FILE, HWH_FILE, MANIFEST_FILE])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    write_overlay(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(OverlayError, match=rf"{name} is missing; build it again with `make bitstream`"):
        load_overlay(tmp_path)


@pytest.mark.parametrize("name", [BIT_FILE, HWH_FILE])
def test_a_file_of_another_build_is_refused(tmp_path: Path, name: str) -> None:
    write_overlay(tmp_path)
    with (tmp_path / name).open("ab") as file:
        file.write(b" ")
    with pytest.raises(OverlayError, match=rf"{name} is not the file .* copy all of .* of one build"):
        load_overlay(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"speed": 1}, "unknown key 'speed'"),
        ({"manifest_version": 9}, "manifest_version 9, this package reads 1"),
        ({"engine": "vhdl"}, "engine must be one of rtl, hls, simulated, found 'vhdl'"),
        ({"sha256": {BIT_FILE: "0"}}, f"sha256 must name {BIT_FILE} and {HWH_FILE}"),
        ({"config_hash": 7}, "config_hash 0x00000007 is not that of the hardware beside it"),
        ({"board": "../zcu102"}, "board must be 1 to 64 letters, .*, found '../zcu102'"),
        ({"sha256": {BIT_FILE: "0", HWH_FILE: "0"}}, "sha256 of edgemoe.* must be 64 hexadecimal digits, found '0'"),
        ({"tools": {"vivado\n": "2025"}}, "tools: a key must be free of control characters"),
        ({"revision": "\x1b[31m"}, "revision must be free of control characters"),
        ({"hardware": {**to_dict(HARDWARE), "name": "a b"}}, "hardware: name must be 1 to 64 letters"),
        ({"timing": {"met": True, "clock_mhz": 0, "worst_slack_ns": 0}}, "timing: clock_mhz must lie in"),
        ({"utilisation": {"lut": -1}}, "utilisation: counts must lie in 0"),
        ({"timing": None}, "timing and utilisation must be there"),
        ({"utilisation": {"laser": 1}}, "unknown resource 'laser'"),
        ({"timing": {"met": "yes", "clock_mhz": 300, "worst_slack_ns": 0}}, "timing: met: expected bool, found 'yes'"),
    ],
)
def test_a_manifest_is_read_strictly(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    write_overlay(tmp_path)
    change(tmp_path, **changes)
    with pytest.raises(OverlayError, match=message):
        load_overlay(tmp_path)


@pytest.mark.parametrize(
    ("version", "side"), [(ISA_VERSION - 1, "bitstream: run `make bitstream`"), (ISA_VERSION + 1, "host: update")]
)
def test_another_instruction_set_names_the_side_to_renew(tmp_path: Path, version: int, side: str) -> None:
    write_overlay(tmp_path)
    change(tmp_path, isa_version=version)
    with pytest.raises(OverlayError, match=f"version {version}, .* renew the {side}"):
        load_overlay(tmp_path)


def test_other_hardware_names_the_side_to_renew(tmp_path: Path) -> None:
    manifest = write_overlay(tmp_path)
    check_hardware(manifest, HARDWARE)
    with pytest.raises(OverlayError, match=r"the program for 'kv260' .* compile the model for 'zcu102'"):
        check_hardware(manifest, load_hardware_config("kv260"))
    with pytest.raises(OverlayError, match="build the bitstream again with `make bitstream`"):
        check_hardware(manifest, replace(HARDWARE, prefetch_bytes=HARDWARE.prefetch_bytes // 2))


def test_both_builds_carry_the_name_that_the_driver_binds_to() -> None:
    text = vitis_cfg(HARDWARE)
    parts = [
        next(line.split("=")[1] for line in text.splitlines() if line.startswith(f"package.ip.{part}="))
        for part in ("vendor", "library", "name", "version")
    ]
    assert ":".join(parts) == VLNV
