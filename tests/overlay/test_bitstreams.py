"""Bitstreams without Vivado: the Tcl runs under tclsh on stand-ins and asks for the design of the specification."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from vivado import REPOSITORY, Checkout, Design, make_checkout

from edgemoe.overlay.build import Build, main
from edgemoe.overlay.manifest import load_overlay
from edgemoe.spec.board import board_names, load_board
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.interface import VLNV, bus_registers, master_ports
from edgemoe.spec.processing_system import ULTRASCALE_PLUS, ZYNQ_7000
from edgemoe.spec.strict import ConfigError

BUILDS = [(name, hardware) for name in board_names() for hardware in load_board(name).hardware]


@pytest.fixture(params=BUILDS, ids=["-".join(build) for build in BUILDS])
def built(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[str, str, Design]:
    """A board, a configuration, and what `make bitstream ENGINE=rtl` asks Vivado for."""
    board, hardware = request.param
    checkout = make_checkout(tmp_path, monkeypatch, board)
    assert checkout.build(board, "rtl", hardware) == 0, capsys.readouterr().err
    return board, hardware, checkout.design()


def test_part_board_and_clock(built: tuple[str, str, Design]) -> None:
    name, _, design = built
    board = load_board(name)
    assert {call[call.index("-part") + 1] for call in design.calls("create_project")} == {board.part}
    assert design.properties["current_project"]["board_part"].rsplit(":", 1)[0] == board.board_part
    settings = design.properties[board.processing_system.instance]
    if board.processing_system is ZYNQ_7000:
        assert float(settings["CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ"]) == board.clock_mhz == 100
        return
    assert float(settings["CONFIG.PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ"]) == board.clock_mhz == 250
    assert settings["CONFIG.PSU__CRL_APB__PL0_REF_CTRL__SRCSEL"] == "IOPLL"


def test_every_master_has_a_memory_port_of_its_own(built: tuple[str, str, Design]) -> None:
    """At full width, with all DDR behind it: weights straight, data and all of a Zynq-7000 through an interconnect."""
    name, config, design = built
    board, hardware = load_board(name), load_hardware_config(config)
    system = board.processing_system
    ps = system.instance
    reached = set()
    for master in master_ports(hardware):
        (end,) = design.buses[f"edgemoe_0/{master.name}"]
        if master.writes or not system.direct:
            (end,) = design.buses[f"{end.removesuffix('/S00_AXI')}/M00_AXI"]
        port = end.removeprefix(f"{ps}/")
        assert port == board.connections(hardware)[master.name]
        reached.add(port)
        parameter, _ = system.memory_ports[port]
        used, width = {
            ULTRASCALE_PLUS: (f"PSU__USE__S_AXI_GP{parameter[-1]}", f"PSU__{parameter}__DATA_WIDTH"),
            ZYNQ_7000: (f"PCW_USE_{port}", f"PCW_{port}_DATA_WIDTH"),
        }[system]
        assert design.properties[ps][f"CONFIG.{used}"] == "1"
        assert design.properties[ps][f"CONFIG.{width}"] == {ULTRASCALE_PLUS: "128", ZYNQ_7000: "64"}[system]
        for area in board.memory(port):
            assert (f"edgemoe_0/{master.name}", f"{ps}/{parameter}/{area.block}") in design.addresses
    assert len(reached) == 1 + hardware.ports
    ranges = [where for where in design.addresses if where[0].startswith("edgemoe_0/")]
    assert len(ranges) == len(board.memory(board.data_port)) * len(reached)


def test_registers_lie_where_the_driver_looks(built: tuple[str, str, Design]) -> None:
    name, _, design = built
    system = load_board(name).processing_system
    ps, base = system.instance, system.control_base
    assert design.buses[f"{ps}/{system.control_master}"] == {"control/S00_AXI"}
    assert design.buses["edgemoe_0/s_axi_control"] == {"control/M00_AXI"}
    assert design.addresses[f"{ps}/Data", "edgemoe_0/s_axi_control"] == (f"0x{base:08X}", "0x10000")
    assert design.addresses[f"{ps}/Data", "axi_intc_0/s_axi"] == (f"0x{base + 0x10000:08X}", "0x10000")


def test_everything_has_clock_reset_and_interrupt(built: tuple[str, str, Design]) -> None:
    name, config, design = built
    system = load_board(name).processing_system
    ps = system.instance
    clocked, released = design.nets[f"{ps}/{system.clock}"], design.nets["reset/peripheral_aresetn"]
    interconnects = [cell for cell, vlnv in design.cells.items() if "smartconnect" in vlnv]
    weights = [] if system.direct else [f"memory_gmem{port}" for port in range(load_hardware_config(config).ports)]
    assert interconnects == ["control", "memory_gmem_data", *weights]
    assert design.nets["reset/ext_reset_in"] == {f"{ps}/{system.reset}"}
    for cell in interconnects:
        assert f"{cell}/aclk" in clocked
        assert f"{cell}/aresetn" in released
    assert {"edgemoe_0/ap_clk", "axi_intc_0/s_axi_aclk", "reset/slowest_sync_clk"} <= clocked
    assert {"edgemoe_0/ap_rst_n", "axi_intc_0/s_axi_aresetn"} <= released
    ports = [end for end in design.buses if end.startswith((f"{ps}/S_AXI", f"{ps}/M_AXI"))]
    named = {
        ULTRASCALE_PLUS: lambda end: re.sub("/([sm])_axi_", r"/\1axi", end.lower()) + "_aclk",
        ZYNQ_7000: lambda end: f"{end}_ACLK",
    }[system]
    assert {pin for pin in clocked if pin.startswith(ps)} == {named(end) for end in ports}
    assert design.nets["edgemoe_0/interrupt"] == {"axi_intc_0/intr"}
    assert design.nets["axi_intc_0/irq"] == {f"{ps}/{system.interrupt}"}


def test_the_verilog_becomes_the_ip_that_the_driver_binds_to(built: tuple[str, str, Design]) -> None:
    _, config, design = built
    vendor, library, name, version = VLNV.split(":")
    (package,) = design.calls("ipx::package_project")
    assert package[package.index("-vendor") + 1] == vendor
    assert package[package.index("-library") + 1] == library
    core = design.properties["ipx::current_core"]
    assert (core["name"], core["version"]) == (name, version)
    assert design.cells["edgemoe_0"] == VLNV
    for register in bus_registers():
        expected = {"address_offset": f"0x{register.offset:03X}", "size": "32", "access": register.access}
        assert design.properties[register.name] == expected
    assert len(design.calls("ipx::add_register")) == len(bus_registers())
    assert Path(design.properties["current_fileset"]["include_dirs"]).name == config


def test_the_ip_contains_every_module_and_every_header_it_includes(built: tuple[str, str, Design]) -> None:
    """Only files of the project are copied into an IP; headers must be known as such."""
    _, config, design = built
    added = {Path(file) for words in design.calls("add_files") for word in words for file in word.split()}
    for folder, pattern in (("compute", "*.v"), ("include", "*.vh"), (f"generated/{config}", "*.vh")):
        wanted = {path.name for path in (REPOSITORY / "rtl" / folder).glob(pattern)}
        there = {path.name for path in added if path.parent.name == folder.split("/")[-1]}
        assert wanted
        assert wanted <= there, folder
    headers = {path for path in added if path.suffix == ".vh"}
    typed = [name for name, properties in design.properties.items() if properties.get("file_type") == "Verilog Header"]
    assert {Path(file) for name in typed for file in name.split()} == headers


def test_weight_ports_are_packaged_read_only(built: tuple[str, str, Design]) -> None:
    _, config, design = built
    masters = [call for call in design.calls("ipx::add_bus_parameter") if call[0] == "READ_WRITE_MODE"]
    assert [bus for _, bus in masters] == [each.name for each in master_ports(load_hardware_config(config))[1:]]
    assert design.properties["READ_WRITE_MODE"] == {"value": "READ_ONLY"}


def test_the_overlay_is_three_files_that_belong_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = make_checkout(tmp_path, monkeypatch, "zcu102")
    assert checkout.build("zcu102", "hls") == 0
    manifest = load_overlay(checkout.root / "build" / "bitstreams" / "zcu102-zcu102-hls").manifest
    assert (manifest.board, manifest.engine, manifest.hardware.name) == ("zcu102", "hls", "zcu102")
    assert manifest.tools == {"vivado": "2025.2", "vitis": "2025.2"}
    assert manifest.utilisation == {"lut": 101034, "ff": 150000, "dsp": 1100, "bram36": 412, "uram": 0}
    assert manifest.timing is not None
    assert (manifest.timing.met, manifest.timing.clock_mhz, manifest.timing.worst_slack_ns) == (True, 250.0, 0.112)
    design = checkout.design()
    assert design.properties["current_project"]["ip_repo_paths"].endswith("build/hls/zcu102/ip")
    assert design.calls("ipx::package_project") == []


def test_a_report_of_the_7_series_has_other_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = make_checkout(tmp_path, monkeypatch, "pynq_z2")
    assert checkout.build("pynq_z2", "rtl") == 0
    manifest = load_overlay(checkout.root / "build" / "bitstreams" / "pynq_z2-pynq_z2-rtl").manifest
    assert manifest.utilisation == {"lut": 46500, "ff": 45000, "dsp": 198, "bram36": 134, "uram": 0}


def no_board_files(checkout: Checkout) -> None:
    checkout.set(boards="")


def implementation_fails(checkout: Checkout) -> None:
    checkout.set(progress="73%")


def another_design(checkout: Checkout) -> None:
    checkout.set(handoff=str(REPOSITORY / "bitstreams" / "generated" / "ultra96" / "edgemoe.hwh"))


def timing_fails(checkout: Checkout) -> None:
    checkout.set(slack="-0.5")


def strange_report(checkout: Checkout) -> None:
    checkout.set(utilisation="| Slice LUTs | 1 |")


def no_engine(checkout: Checkout) -> None:
    (checkout.root / "rtl" / "edgemoe_top.v").write_text("module something;\nendmodule\n", encoding="utf-8")


def no_vivado(checkout: Checkout) -> None:
    checkout.monkeypatch.setenv("PATH", "/nowhere")


FAILURES = {
    no_board_files: "Vivado has no board files for xilinx.com:zcu102:part0; install them with",
    implementation_fails: "implementation stopped at 'place_design ERROR'; its log is",
    another_design: "Vivado's handoff differs from the specification: m_axi_gmem0 does not reach",
    timing_fails: "TIMING IS NOT MET at 250 MHz (setup slack -0.5 ns)",
    strange_report: "no row 'CLB LUTs'; this is not Vivado's report",
    no_engine: "no file in rtl/ defines the module edgemoe_top",
    no_vivado: "vivado is not found: install AMD Vivado (written for 2025.2)",
}


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.__name__)
def test_what_stands_in_the_way_is_said(
    failure: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    checkout = make_checkout(tmp_path, monkeypatch, "zcu102")
    assert callable(failure)
    failure(checkout)
    assert checkout.build("zcu102", "rtl") == 1
    assert FAILURES[failure] in capfd.readouterr().err


def test_an_engine_that_was_not_exported_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkout = make_checkout(tmp_path, monkeypatch, "zcu102")
    shutil.rmtree(checkout.root / "build" / "hls")
    assert checkout.build("pynq_zu", "hls") == 1
    assert "run `make hls BOARD=kv260`, which needs AMD Vitis" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["zcu1", "rtl"], "no board 'zcu1'; there are kv260, pynq_z1, pynq_z2, pynq_zu, ultra96, zcu102, zcu104"),
        (["zcu102", "hsl"], "no engine 'hsl'; bitstreams are made of rtl or hls"),
        (["kv260", "rtl", "--hardware", "zcu102"], "board 'kv260' is built with kv260, not 'zcu102'"),
    ],
)
def test_words_that_make_no_sense_are_refused(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 1
    assert sentence in capsys.readouterr().err


def test_a_shape_that_the_verilog_cannot_have_is_refused_before_vivado_starts() -> None:
    board = replace(load_board("zcu102"), hardware=("u50",))
    hardware = replace(load_hardware_config("u50"), max_rows=5125)
    with pytest.raises(ConfigError, match=r"max_rows must be at most 1016 .* or take the HLS engine, ENGINE=hls"):
        Build(board, hardware, "rtl")
    assert Build(board, hardware, "hls").engine == "hls"


def test_make_bitstream_says_in_a_list_what_is_missing() -> None:
    if shutil.which("vivado"):
        pytest.skip("Vivado is installed here")
    here = ["-o", ".venv/base.stamp", f"PY={sys.executable}"]
    command = ["make", "-s", *here, "bitstream", "BOARD=kv260", "ENGINE=hls"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY)
    assert done.returncode != 0
    assert done.stderr.splitlines()[0] == "make bitstream BOARD=kv260 ENGINE=hls cannot run yet:"
    assert "  - vivado is not found" in done.stderr


@pytest.mark.parametrize("board", board_names())
def test_no_bitstream_is_in_the_repository_without_its_manifest(board: str) -> None:
    folder = REPOSITORY / "bitstreams" / board
    assert {path.name for path in folder.iterdir()} >= {"README.md", "block_design.tcl", "edgemoe.xdc"}
    for path in (REPOSITORY / "bitstreams").rglob("*.bit"):
        load_overlay(path.parent)
