"""Hardware handoff: the generated file says what the specification says, and the checker names each difference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from edgemoe.overlay.check_handoff import differences, main
from edgemoe.overlay.hardware_handoff import (
    HandoffError,
    board_of,
    handoff_text,
    parse_handoff,
    read_handoff,
    write_handoff,
)
from edgemoe.spec.board import Board, board_names, load_board
from edgemoe.spec.hardware import hardware_names, load_hardware_config
from edgemoe.spec.interface import VLNV, bus_registers, master_ports
from edgemoe.spec.registers import OFFSETS, REGISTER_SPACE, REGISTERS
from edgemoe.spec.strict import ConfigError

BUILDS = [(name, hardware) for name in board_names() for hardware in load_board(name).hardware]
ZCU102 = load_board("zcu102")


def test_the_words_of_the_bus_are_the_register_map() -> None:
    words = {word.offset: word for word in bus_registers()}
    assert len(words) == len(bus_registers()), "two words at one offset"
    assert max(words) < REGISTER_SPACE
    for register in REGISTERS:
        low = words[register.offset]
        if register.kind in ("pointer", "output"):
            assert (low.name, words[register.offset + 4].name) == (f"{register.name}_1", f"{register.name}_2")
        if register.kind == "output":
            assert words[register.offset + 8].name == f"{register.name}_ctrl"
        assert (low.access == "read-only") == (register.kind == "output")
    lengths = {"control": 1, "pointer": 2, "scalar": 1, "output": 3}
    assert len(words) == sum(lengths[register.kind] for register in REGISTERS)


@pytest.mark.parametrize(("board", "hardware"), BUILDS)
def test_what_is_written_is_read_back(board: str, hardware: str, tmp_path: Path) -> None:
    config, around = load_hardware_config(hardware), load_board(board)
    path = tmp_path / "edgemoe.hwh"
    write_handoff(path, config, around)
    found = read_handoff(path)
    assert (found.vlnv, found.base, found.interrupt) == (VLNV, around.processing_system.control_base, True)
    assert found.clock_mhz == pytest.approx(around.clock_mhz, rel=1e-6)
    assert found.registers == {word.offset: word.name for word in bus_registers()}
    reached = {(master, port): 0 for master, port, *_ in found.memory}
    for master, port, _, size in found.memory:
        reached[master, port] += size
    assert list(dict.fromkeys(master for master, _ in sorted(reached))) == sorted(
        master.name for master in master_ports(config)
    )
    assert set(reached.values()) == {(around.low_memory_mib + around.high_memory_mib) << 20}
    assert differences(found, config, around) == []


@pytest.mark.parametrize("name", hardware_names())
def test_every_configuration_has_a_handoff_for_simulation(name: str) -> None:
    hardware = load_hardware_config(name)
    found = parse_handoff(handoff_text(hardware), name)
    assert len({master for master, *_ in found.memory}) == 1 + hardware.ports
    assert differences(found, hardware, board_of(hardware)) == []


def test_clocks_are_what_the_boards_are_meant_to_run_at() -> None:
    assert {name: load_board(name).clock_mhz for name in board_names()} == {
        "zcu102": 250.0,
        "kv260": 250.0,
        "pynq_zu": 250.0,
        "zcu104": 250.0,
        "ultra96": 250.0,
        "pynq_z2": 100.0,
        "pynq_z1": 100.0,
    }


Change = Callable[[Xml.Element], None]


def change(path: str, key: str, value: str) -> Change:
    def apply(root: Xml.Element) -> None:
        element = root.find(path)
        assert element is not None, path
        element.set(key, value)

    return apply


def remove(parent: str, child: str) -> Change:
    def apply(root: Xml.Element) -> None:
        above, below = root.find(parent), root.find(f"{parent}/{child}")
        assert above is not None
        assert below is not None
        above.remove(below)

    return apply


CELL = ".//MODULE[@INSTANCE='edgemoe_0']"
REGISTER = f"{CELL}//REGISTER[@NAME='input_1']"
WINDOW = ".//MODULE[@INSTANCE='zynq_ultra_ps_e_0']//MEMRANGE[@INSTANCE='edgemoe_0']"
WEIGHTS = f"{CELL}//MEMRANGE[@MASTERBUSINTERFACE='m_axi_gmem2']"
DIFFERENCES = {
    "another block": (
        change(CELL, "VLNV", "xilinx.com:hls:edgemoe:1.0"),
        ["the block is xilinx.com:hls:edgemoe:1.0, the driver binds to edgemoe.org:kernel:edgemoe:1.0"],
    ),
    "another base address": (
        change(WINDOW, "BASEVALUE", "0xA0008000"),
        [
            "registers lie at 0xA0008000 (32,768 bytes), the specification puts them at 0xA0000000 (65,536 bytes)",
        ],
    ),
    "another clock": (
        change(f"{CELL}//PORT[@NAME='ap_clk']", "CLKFREQUENCY", "99999001"),
        ["the clock is 99.999 MHz, the board's is 250 MHz"],
    ),
    "no interrupt": (
        remove(f"{CELL}//PORT[@NAME='interrupt']", "CONNECTIONS"),
        ["the interrupt is not connected"],
    ),
    "a register elsewhere": (
        change(f"{REGISTER}/PROPERTY[@NAME='ADDRESS_OFFSET']", "VALUE", "0x018"),
        ["register input_1 at 0x01C is missing", "register input_1 at 0x018 is not in the specification"],
    ),
    "another register": (
        change(REGISTER, "NAME", "images_1"),
        ["register 0x01C is images_1, the specification has input_1 there"],
    ),
    "another memory port": (
        change(WEIGHTS, "SLAVEBUSINTERFACE", "S_AXI_HPC1_FPD"),
        [
            "m_axi_gmem2 does not reach 2,147,483,648 bytes at 0x0 through S_AXI_HP2_FPD",
            "m_axi_gmem2 is connected to S_AXI_HPC1_FPD, the specification has S_AXI_HP2_FPD for it",
        ],
    ),
    "too small a window": (
        change(WEIGHTS, "HIGHVALUE", "0x3FFFFFFF"),
        ["m_axi_gmem2 does not reach 2,147,483,648 bytes at 0x0 through S_AXI_HP2_FPD"],
    ),
    "Vivado's larger window": (change(f"{WEIGHTS}[@BASEVALUE='0x800000000']", "HIGHVALUE", "0xFFFFFFFFF"), []),
    "Vitis' own name of a register": (change(REGISTER, "NAME", "input_r_1"), []),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_each_difference_is_named(name: str) -> None:
    apply, expected = DIFFERENCES[name]
    hardware = load_hardware_config("zcu102")
    root = Xml.fromstring(handoff_text(hardware, ZCU102))
    apply(root)
    found = parse_handoff(Xml.tostring(root, encoding="unicode"), "changed")
    assert differences(found, hardware, ZCU102) == expected


def test_the_command_prints_differences_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ultra96.hwh"
    write_handoff(path, load_hardware_config("ultra96"), load_board("ultra96"))
    assert main([str(path), "--board", "ultra96"]) == 0
    assert "are those of the specification" in capsys.readouterr().out
    assert main([str(path), "--board", "zcu102"]) == 1
    assert "m_axi_gmem3 does not reach" in capsys.readouterr().out
    assert main([str(path), "--board", "zcu1"]) == 2
    assert (
        "no board 'zcu1'; there are kv260, pynq_z1, pynq_z2, pynq_zu, ultra96, zcu102, zcu104"
        in capsys.readouterr().err
    )


def design(instance: str = "a", **window: str) -> bytes:
    """One block with one register window."""
    bounds = " ".join(f"{key}='{value}'" for key, value in ({"BASEVALUE": "0", "HIGHVALUE": "1"} | window).items())
    area = f"<MEMRANGE INSTANCE='{instance}' MEMTYPE='REGISTER' {bounds}/>"
    return f"<EDKSYSTEM><MODULE INSTANCE='{instance}' VLNV='{VLNV}'>{area}</MODULE></EDKSYSTEM>".encode()


UNREADABLE = {
    "nothing": (b"", "not XML"),
    "a bitstream": (b"\x00\x09\x0f\xf0\xff", "it is not text"),
    "entities": (b'<!DOCTYPE x [<!ENTITY a "b">]><EDKSYSTEM/>', "declares entities"),
    "another design": (
        b"<EDKSYSTEM><MODULE INSTANCE='a' VLNV='xilinx.com:ip:axi_dma:7.1'/></EDKSYSTEM>",
        "expected one block named 'edgemoe', found 0; the blocks are axi_dma",
    ),
    "no address": (
        f"<EDKSYSTEM><MODULE INSTANCE='a' VLNV='{VLNV}'/></EDKSYSTEM>".encode(),
        "no master reaches the registers of 'a'",
    ),
    "no number": (
        f"<EDKSYSTEM><MODULE INSTANCE='a' VLNV='{VLNV}'><MEMRANGE INSTANCE='a' MEMTYPE='REGISTER' BASEVALUE='x'/>"
        f"</MODULE></EDKSYSTEM>".encode(),
        "missing or no number",
    ),
    "a kind without colons": (
        b"<EDKSYSTEM><MODULE INSTANCE='a' VLNV='axi'/></EDKSYSTEM>",
        "found 0; the blocks are axi",
    ),
    "a range that ends before it begins": (design(BASEVALUE="0x10", HIGHVALUE="0xF"), "a range ends at 0xF, before"),
    "a range beyond 64 bits": (design(BASEVALUE="0x0", HIGHVALUE="0x" + "F" * 17), "does not fit 64 bits"),
    "thousands of digits": (design(BASEVALUE="0x0", HIGHVALUE="0x" + "F" * 9999), "does not fit 64 bits"),
    "a negative address": (design(BASEVALUE="-0x10", HIGHVALUE="0xF"), "does not fit 64 bits"),
    "a name that moves the cursor": (design("&#x9B;2J"), "is no name"),
    "a name of a thousand letters": (design("a" * 1000), "is no name"),
    "another encoding": (b"<?xml version='1.0' encoding='UTF-7'?><EDKSYSTEM/>", "is in 'UTF-7'"),
    "200,000 levels": (b"<a>" * 200_000 + b"</a>" * 200_000, "found 0; the blocks are none"),
    "200,000 levels that stay open": (b"<a>" * 200_000, "not XML"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_unreadable_files_are_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    content, sentence = UNREADABLE[name]
    path = tmp_path / "edgemoe.hwh"
    path.write_bytes(content)
    with pytest.raises(HandoffError, match=r"edgemoe\.hwh: ") as raised:
        read_handoff(path)
    assert sentence in str(raised.value)


def test_boards_are_read_strictly() -> None:
    with pytest.raises(ConfigError, match=r"hardware 'zcu102' has 4 weight ports, board 'ultra96' connects 2"):
        handoff_text(load_hardware_config("zcu102"), load_board("ultra96"))
    with pytest.raises(ConfigError, match="no memory port 'S_AXI_ACP'"):
        Board("x", "X", "a-b-1-e", "b", ("micro",), 5, 2048, 0, "S_AXI_ACP", ())
    with pytest.raises(ConfigError, match="named twice"):
        Board("x", "X", "a-b-1-e", "b", ("micro",), 5, 2048, 0, "S_AXI_HP0_FPD", ("S_AXI_HP0_FPD",))
    for part in ("x", "xc7z020clg400"):
        with pytest.raises(ConfigError, match=f"part must be device-package-grade, found '{part}'"):
            replace(ZCU102, part=part)
    with pytest.raises(ConfigError, match="no memory port 'S_AXI_HPC0_FPD'; there are S_AXI_HP0, S_AXI_HP1"):
        replace(ZCU102, part="xc7z020clg400-1")
    with pytest.raises(ConfigError, match="title must be free of control characters"):
        replace(ZCU102, title="a\nset part {x}")
    assert OFFSETS["control"] == 0
