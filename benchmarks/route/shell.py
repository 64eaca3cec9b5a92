"""A shell of five pins around a module, so that a machine of two thousand bits of ports fits any package.

Inputs of the module are a shift register behind one pin; its outputs are taken into another one by `capture` and come
out at one pin. So nothing of the module can be left out, and every path into and out of it ends in a register.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

PINS = ("clk", "rst_n", "serial_in", "capture", "serial_out")
SHELL = "route_shell"
INSTANCE = "inside"
DRIVEN = {"ap_clk": "clk", "ap_rst_n": "rst_n", "clk": "clk", "rst_n": "rst_n"}
PORT = re.compile(r"^\s*(input|output)\s+(?:signed\s+)?(?:\[(\d+):0\]\s*)?(\w+)\s*;", re.MULTILINE)
QUIET = re.compile(r"m_axi_gmem([0-3])_")


@dataclass(frozen=True)
class Port:
    """A port of a module. bits: its width."""

    name: str
    output: bool
    bits: int


def ports_of(netlist: str) -> list[Port]:
    """Ports of a netlist as Yosys writes it, each declared on a line of its own."""
    return [Port(name, way == "output", int(high or 0) + 1) for way, high, name in PORT.findall(netlist)]


def shell(top: str, ports: list[Port], weight_ports: int) -> str:
    """Verilog of the shell. weight_ports: the first so many are used; there is nothing behind the others."""
    connections = []
    count = {False: 0, True: 0}
    names = {False: "inputs", True: "values"}
    for port in ports:
        quiet = QUIET.match(port.name)
        if port.name in DRIVEN:
            wire = DRIVEN[port.name]
        elif quiet and int(quiet[1]) >= weight_ports:
            wire = "" if port.output else f"{port.bits}'d0"
        else:
            wire = f"{names[port.output]}[{count[port.output]} +: {port.bits}]"
            count[port.output] += port.bits
        connections.append(f"        .{port.name}({wire})")
    last_in, last_out = count[False] - 1, count[True] - 1
    pins = ", ".join(f"{'output' if pin == PINS[-1] else 'input'} wire {pin}" for pin in PINS)
    return "\n".join([
        f"module {SHELL}({pins});",
        f"    reg [{last_in}:0] inputs;",
        f"    reg [{last_out}:0] outputs;",
        f"    wire [{last_out}:0] values;",
        "    always @(posedge clk) begin",
        f"        inputs <= {{inputs[{last_in - 1}:0], serial_in}};",
        "        outputs <= capture ? values : outputs << 1;",
        "    end",
        f"    assign serial_out = outputs[{last_out}];",
        f"    {top} {INSTANCE} (",
        ",\n".join(connections) + ");",
        "endmodule",
        "",
    ])  # fmt: skip
