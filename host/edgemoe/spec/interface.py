"""The accelerator as an IP block: its name, its AXI ports, and its registers under the names that Vitis HLS gives them.

Block designs, hardware handoff files and the driver take these from here.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.registers import REGISTERS, Register

VENDOR, LIBRARY, IP_NAME, VERSION = "edgemoe.org", "kernel", "edgemoe", "1.0"
VLNV = f"{VENDOR}:{LIBRARY}:{IP_NAME}:{VERSION}"
INSTANCE = "edgemoe_0"

CONTROL_PORT = "s_axi_control"
CLOCK_PIN, RESET_PIN, INTERRUPT_PIN = "ap_clk", "ap_rst_n", "interrupt"
PORT_BYTES = 16  # width of every AXI master

CONTROL_RANGE = 0x1_0000  # of the registers, from the processing system's control_base on


@dataclass(frozen=True)
class MasterPort:
    """One AXI4 master of the accelerator; `pointers` are the registers whose addresses it uses."""

    name: str
    pointers: tuple[str, ...]
    writes: bool = False


def master_ports(hardware: HardwareConfig) -> tuple[MasterPort, ...]:
    """Masters that a build with this configuration drives: data first, then the weight ports in order.

    The HLS top has the pins of all four weight ports whatever the configuration; those not listed stay idle.
    """
    data = MasterPort("m_axi_gmem_data", ("program", "input", "output"), writes=True)
    weights = (MasterPort(f"m_axi_gmem{port}", (f"weights_{port}",)) for port in range(hardware.ports))
    return (data, *weights)


@dataclass(frozen=True)
class BusField:
    """Bits of a bus register."""

    name: str
    bit: int
    width: int
    access: str


@dataclass(frozen=True)
class BusRegister:
    """One 32-bit word of the AXI4-Lite window: a register of the map, or one half of it."""

    name: str
    offset: int
    access: str
    text: str
    fields: tuple[BusField, ...]


_READ_WRITE, _READ, _WRITE = "read-write", "read-only", "write-only"
_CONTROL_NAMES = {
    "control": "CTRL",
    "global_interrupt": "GIER",
    "interrupt_enable": "IP_IER",
    "interrupt_status": "IP_ISR",
}
_CONTROL_FIELDS = {
    "control": (
        BusField("AP_START", 0, 1, _READ_WRITE),
        BusField("AP_DONE", 1, 1, _READ),
        BusField("AP_IDLE", 2, 1, _READ),
        BusField("AP_READY", 3, 1, _READ),
    ),
    "global_interrupt": (BusField("Enable", 0, 1, _READ_WRITE),),
    "interrupt_enable": (BusField("CHAN0_INT_EN", 0, 1, _READ_WRITE), BusField("CHAN1_INT_EN", 1, 1, _READ_WRITE)),
    "interrupt_status": (BusField("CHAN0_INT_ST", 0, 1, _READ), BusField("CHAN1_INT_ST", 1, 1, _READ)),
}


def bus_registers() -> tuple[BusRegister, ...]:
    """Every word of the register map, by offset.

    64-bit registers become NAME_1 and NAME_2, low half first; outputs also have NAME_ctrl with their valid flag.
    """
    return tuple(word for register in REGISTERS for word in _words(register))


def _words(register: Register) -> list[BusRegister]:
    name, offset, text = register.name, register.offset, register.text
    if register.kind == "control":
        return [BusRegister(_CONTROL_NAMES[name], offset, _READ_WRITE, text, _CONTROL_FIELDS[name])]
    access = _READ if register.kind == "output" else _WRITE
    if register.kind == "scalar":
        return [_data(name, offset, access, text)]
    words = [_data(f"{name}_{half + 1}", offset + 4 * half, access, text) for half in range(2)]
    if register.kind == "output":
        valid = (BusField(f"{name}_ap_vld", 0, 1, _READ),)
        words.append(BusRegister(f"{name}_ctrl", offset + 8, _READ, f"{name} is valid; cleared on read", valid))
    return words


def _data(name: str, offset: int, access: str, text: str) -> BusRegister:
    return BusRegister(name, offset, access, text, (BusField(name, 0, 32, access),))
