"""Open place and route: multiplications mapped to the part's blocks, the shell of five pins, what nextpnr reports."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from benchmarks.route import __main__ as command
from benchmarks.route import nextpnr, synthesis
from benchmarks.route.__main__ import main, table
from benchmarks.route.nextpnr_report import complaint, read_report
from benchmarks.route.part import COUNTED, PACKAGES, PINS
from benchmarks.route.shell import Port, ports_of, shell
from edgemoe.devices.rtl.build import RTL_FOLDER
from edgemoe.spec.strict import to_dict
from sim.common.runner import build, simulate
from sim.common.yosys import run_script

CELLS = tuple(sorted(synthesis.CELLS.glob("*.v")))
ADDED = {"A_BITS": 11, "B_BITS": 27, "SUM_BITS": 41}
SQUARE = {"A_BITS": 16, "B_BITS": 16, "SUM_BITS": 42}
TURNED = {"A_BITS": 27, "B_BITS": 18, "SUM_BITS": 48}
ONE_DIGIT = {"WIDE_BITS": 12, "NARROW_BITS": 16}
FULL_DIGIT = {"WIDE_BITS": 18, "NARROW_BITS": 27}
DIGITS = {"WIDE_BITS": 58, "NARROW_BITS": 27}


@pytest.mark.parametrize(
    ("module", "parameters", "flip"),
    [
        *(("multiply_add", shape, False) for shape in (ADDED, SQUARE, TURNED)),
        *(("multiplier", shape, False) for shape in (ONE_DIGIT, FULL_DIGIT, DIGITS)),
        ("multiply_add", ADDED, True),
        ("multiplier", DIGITS, True),
    ],
)
def test_multiplications_on_the_parts_blocks_are_exact(module: str, parameters: dict[str, int], flip: bool) -> None:
    """Extremes and random operands, through the benches of the modules that they stand for."""
    simulate(f"sim.parts.{module}_bench", top=module, parameters=parameters, instead=CELLS, flip=flip)


@pytest.mark.parametrize("parameters", [FULL_DIGIT, DIGITS], ids=["one block", "cut"])
def test_other_products_on_the_parts_blocks_are_exact(parameters: dict[str, int], tmp_path: Path) -> None:
    """The RTL's own multiplier as the mapping of all other products leaves it, through its bench."""
    given = " ".join(f"-set {name} {value}" for name, value in parameters.items())
    for path in (synthesis.PRODUCT, RTL_FOLDER / "parts" / "multiplier.v"):
        shutil.copy(path, tmp_path)
    script = f"""\
read_verilog multiplier.v
read_verilog -lib +/gowin/cells_xtra_gw5a.v
chparam {given} multiplier
hierarchy -top multiplier
proc
opt
{synthesis.PRODUCTS}
rename -top mapped
write_verilog -noattr mapped.v
"""
    run_script(script, tmp_path)
    text = (tmp_path / "mapped.v").read_text(encoding="utf-8")
    assert "MULTALU27X18" in text
    assert " * " not in text
    names = ", ".join(f"parameter {name} = {value}" for name, value in parameters.items())
    mapped = tmp_path / "multiplier.v"
    mapped.write_text(text.replace("module mapped(", f"module multiplier #({names}) ("), encoding="utf-8")
    block = synthesis.CELLS / "MULTALU27X18.v"
    simulate("sim.parts.multiplier_bench", top="multiplier", parameters=parameters, instead=(mapped, block))


@pytest.mark.parametrize(
    ("module", "parameters", "said"),
    [
        ("multiply_add", {"A_BITS": 19, "B_BITS": 19, "SUM_BITS": 40}, "operands_must_fit_27_by_18"),
        ("multiply_add", {"A_BITS": 11, "B_BITS": 28, "SUM_BITS": 41}, "operands_must_fit_27_by_18"),
        ("multiply_add", {"A_BITS": 11, "B_BITS": 27, "SUM_BITS": 49}, "operands_must_fit_27_by_18"),
        ("multiplier", {"WIDE_BITS": 12, "NARROW_BITS": 28}, "narrow_bits_must_be_at_most_27"),
    ],
)
def test_what_the_blocks_cannot_hold_is_refused(module: str, parameters: dict[str, int], said: str) -> None:
    with pytest.raises(RuntimeError, match=said):
        build(module, "micro", {name: str(value) for name, value in parameters.items()}, instead=CELLS)


@pytest.mark.slow
@pytest.mark.parametrize("flip", [False, True], ids=["golden", "flip"])
def test_dot_products_on_the_parts_blocks_are_exact(flip: bool) -> None:
    simulate("sim.compute.dot_product_bench", top="dot_product", parameters={"LANES": 8}, instead=CELLS, flip=flip)


def test_the_shell_joins_every_port_to_a_pin_or_a_register() -> None:
    """Ports of weight ports that are not used have nothing behind them."""
    netlist = """module top(ap_clk, ap_rst_n, a, m_axi_gmem0_R, m_axi_gmem1_R, m_axi_gmem1_AR, out);
  input ap_clk;
  wire ap_clk;
  input ap_rst_n;
  input signed [7:0] a;
  input [127:0] m_axi_gmem0_R;
  input [127:0] m_axi_gmem1_R;
  output m_axi_gmem1_AR;
  output [15:0] out;
  reg [15:0] out;
"""
    ports = ports_of(netlist)
    assert ports[0] == Port("ap_clk", False, 1)
    assert ports[-1] == Port("out", True, 16)
    assert len(ports) == 7
    text = shell("top", ports, weight_ports=1)
    assert re.findall(r"\.(\w+)\((.*?)\)", text) == [
        ("ap_clk", "clk"),
        ("ap_rst_n", "rst_n"),
        ("a", "inputs[0 +: 8]"),
        ("m_axi_gmem0_R", "inputs[8 +: 128]"),
        ("m_axi_gmem1_R", "128'd0"),
        ("m_axi_gmem1_AR", ""),
        ("out", "values[0 +: 16]"),
    ]
    assert "reg [135:0] inputs;" in text
    assert "reg [15:0] outputs;" in text
    assert all(f"wire {pin}" in text for pin in PINS)


def step(kind: str, delay: float, source: str, sink: str, net: str = "") -> dict[str, Any]:
    ends = {"from": {"cell": source, "port": "Q"}, "to": {"cell": sink, "port": "D"}}
    return {"type": kind, "delay": delay, **ends} | ({"net": net} if net else {})


def nextpnr_report(**changes: Any) -> str:
    """Two cells of logic between two registers, and paths from and to pins, which do not count."""
    path = [
        step("clk-to-q", 0.25, "q_DFF_Q", "q_DFF_Q"),
        step("routing", 1.5, "q_DFF_Q", "l1", "inside.core.count[3]"),
        step("logic", 0.5, "l1", "l1"),
        step("routing", 2.25, "l1", "l2", "x"),
        step("logic", 0.5, "l2", "l2"),
        step("routing", 0, "l2", "inside.core.next_DFFRE_Q_3", "y"),
        step("setup", 0.125, "inside.core.next_DFFRE_Q_3", "inside.core.next_DFFRE_Q_3"),
    ]
    clock = "posedge clk"
    paths = [
        {"from": clock, "to": clock, "path": path},
        {"from": "<async>", "to": clock, "path": path[:1]},
        {"from": clock, "to": "<async>", "path": path[:2]},
    ]
    used = {kind: {"used": 10 + n, "available": 1000} for n, kind in enumerate(COUNTED)}
    facts = {"fmax": {"clk": {"achieved": 195.1, "constraint": 50}}, "critical_paths": paths, "utilization": used}
    return json.dumps({**facts, **changes})


def test_the_report_gives_clock_cells_and_the_worst_path() -> None:
    routed = read_report(nextpnr_report())
    assert routed.mhz == 195.1
    assert routed.used["LUT4"] == (10, 1000)
    assert routed.worst.in_words() == (
        "5.12 ns from core.count[3] to core.next: 0.25 out of the register, 1.00 through 2 cells of logic, "
        "3.75 along wires, 0.12 before the edge"
    )
    assert "1.0%" in table(routed)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not JSON .*; look at its log"),
        ("[]", "of another form"),
        ("{}", "of another form .*fmax.*; use the pinned version"),
        (nextpnr_report(fmax={}), "has 0 clocks with paths, expected one"),
        (nextpnr_report(critical_paths=[]), "has 0 worst paths of its clock, expected one"),
        (nextpnr_report(utilization={"LUT4": 3}), "of another form"),
    ],
)
def test_a_report_of_another_form_is_refused_in_a_sentence(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_report(text)


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("Info: a\nERROR: no place for x\nERROR: b\n", "ERROR: no place for x"),
        ("Info: Creating initial placement\n\n", "ended after “Info: Creating initial placement”"),
        ("", "ended without a word"),
    ],
)
def test_the_last_word_of_nextpnr_is_handed_on(log: str, said: str) -> None:
    assert complaint(log) == said


def test_without_the_tools_a_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(nextpnr, "PACKAGES", ("no_such_package",))
    assert main([]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "needs the package no_such_package, which is not installed; run: " in said


def test_a_unit_that_finds_no_place_is_named_and_the_others_are_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def routed(unit: str, *_: object) -> dict[str, object]:
        if unit == "gate":
            raise RuntimeError("no place for x")
        return {"unit": unit}

    report = tmp_path / "route.json"
    for name, value in {"route": routed, "check_tools": lambda: None, "REPORT": report}.items():
        monkeypatch.setattr(command, name, value)
    assert main(["--top", "softmax", "gate", "drain"]) == 1
    assert capsys.readouterr().err == "gate: no place for x\n"
    assert [unit["unit"] for unit in json.loads(report.read_text())["units"]] == ["softmax", "drain"]
    assert main(["--top", "softmax"]) == 0


def test_yosys_error_is_handed_on(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"Yosys: .*ERROR: .*nowhere\.v"):
        run_script("read_verilog nowhere.v", tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(any(importlib.util.find_spec(name) is None for name in PACKAGES), reason="pip install '.[route]'")
def test_a_small_design_is_placed_routed_and_packed(tmp_path: Path) -> None:
    """A block of the DSP, an adder and the shell around them."""
    ports = [Port("ap_clk", False, 1), Port("a", False, 11), Port("b", False, 27), Port("sum", True, 41)]
    inside = (
        "module top(input ap_clk, input [10:0] a, input [26:0] b, output reg [40:0] sum);\nwire [40:0] total;\n"
        "multiply_add #(.SUM_BITS(41)) one (.clk(ap_clk), .a(a), .b(b), .sum_in(sum), .sum(total));\n"
        "always @(posedge ap_clk) sum <= total + {a, b};\nendmodule\n"
    )
    (tmp_path / "top.v").write_text(inside + shell("top", ports, 1) + (synthesis.CELLS / "multiply_add.v").read_text())
    script = (
        "read_verilog -lib +/gowin/cells_xtra_gw5a.v\nread_verilog top.v\nsynth_gowin -family gw5a -top route_shell"
    )
    run_script(f"{script} -json shell.json", tmp_path)
    routed = nextpnr.place_and_route(tmp_path / "shell.json", seed=1, seconds=600)
    assert routed.used["MULTALU27X18"][0] == 1
    assert routed.mhz > 50
    assert nextpnr.pack(tmp_path, seconds=600).stat().st_size > 1_000_000


@pytest.mark.slow
def test_a_unit_as_cells_of_the_part_is_golden(tmp_path: Path) -> None:
    """In the shape that is routed."""
    bench, unit = "sim.parts.gelu_bench", "gelu"
    hardware = synthesis.small()
    (tmp_path / "small.json").write_text(json.dumps(to_dict(hardware)), encoding="utf-8")
    synthesis.synthesise(hardware, tmp_path, unit)
    netlist = synthesis.for_simulation(tmp_path, unit).rename(tmp_path / f"{unit}.v")
    simulate(bench, top=unit, hardware=str(tmp_path / "small.json"), instead=[netlist])
