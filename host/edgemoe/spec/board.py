"""Boards: the processing system around the accelerator, read strictly from JSON.

Nothing here has been measured: which boards a build has run on stands in docs/hardware/boards.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgemoe.spec.hardware import HardwareConfig, load_hardware_config
from edgemoe.spec.interface import master_ports
from edgemoe.spec.names import is_name, shown
from edgemoe.spec.strict import ConfigError, check_name, check_range, check_text, from_dict, read_json

BOARD_FOLDER = Path(__file__).resolve().parent.parent / "configs" / "boards"

_MEMORY_PORTS = {
    "S_AXI_HPC0_FPD": ("SAXIGP0", "HPC0"),
    "S_AXI_HPC1_FPD": ("SAXIGP1", "HPC1"),
    "S_AXI_HP0_FPD": ("SAXIGP2", "HP0"),
    "S_AXI_HP1_FPD": ("SAXIGP3", "HP1"),
    "S_AXI_HP2_FPD": ("SAXIGP4", "HP2"),
    "S_AXI_HP3_FPD": ("SAXIGP5", "HP3"),
}
HIGH_MEMORY_BASE = 0x8_0000_0000
_MEBIBYTE = 1 << 20
_REFERENCE_MHZ = 100 / 3  # PS_REF_CLK of every board here
_IOPLL_FACTOR = 45
_LIMITS: dict[str, tuple[float, float]] = {
    "clock_divisor": (1, 63),
    "low_memory_mib": (1, 2048),
    "high_memory_mib": (0, 1 << 20),
}


@dataclass(frozen=True)
class MemoryRange:
    """A range of DDR as a master sees it through one memory port of the processing system."""

    block: str
    base: int
    size: int


@dataclass(frozen=True)
class Board:
    """One board with a Zynq UltraScale+.

    title: what people call it. part: the device with package and speed grade. board_part: Vivado's name
    of the board, without its version.
    hardware: configurations that are built for it, the usual one first.
    clock_divisor: the accelerator's clock is the I/O PLL (45 × 33.33 MHz) divided by it.
    low_memory_mib, high_memory_mib: DDR below 2 GiB and from 32 GiB on.
    data_port, weight_ports: slave ports of the processing system, one for each master of the accelerator.
    """

    name: str
    title: str
    part: str
    board_part: str
    hardware: tuple[str, ...]
    clock_divisor: int
    low_memory_mib: int
    high_memory_mib: int
    data_port: str
    weight_ports: tuple[str, ...]

    def __post_init__(self) -> None:
        for what, text in (("name", self.name), ("part", self.part)):
            check_name(text, what)
        if not all(is_name(piece) for piece in self.board_part.split(":")):
            raise ConfigError(f"board_part must be names joined by ':', found {shown(self.board_part)}")
        check_text(self.title, "title")
        if len(self.part.split("-")) < 3:
            raise ConfigError(f"part must be device-package-grade, found '{self.part}'")
        for hardware in self.hardware:
            check_name(hardware, "hardware")
        check_range(self, _LIMITS)
        ports = (self.data_port, *self.weight_ports)
        for port in ports:
            if port not in _MEMORY_PORTS:
                raise ConfigError(f"no memory port '{port}'; there are {', '.join(_MEMORY_PORTS)}")
        if len(set(ports)) != len(ports):
            raise ConfigError("every master needs a memory port of its own, one is named twice")
        if not self.hardware:
            raise ConfigError("hardware must name at least one configuration")

    @property
    def clock_mhz(self) -> float:
        """Clock that the processing system delivers, 6 decimals."""
        return round(_REFERENCE_MHZ * _IOPLL_FACTOR / self.clock_divisor, 6)

    def connections(self, hardware: HardwareConfig) -> dict[str, str]:
        """Master of the accelerator → memory port of the processing system.

        Raises ConfigError when the configuration has more weight ports than the board connects.
        """
        if hardware.ports > len(self.weight_ports):
            raise ConfigError(
                f"hardware '{hardware.name}' has {hardware.ports} weight ports, board '{self.name}' connects "
                f"{len(self.weight_ports)}; name more in weight_ports of configs/boards/{self.name}.json"
            )
        names = [master.name for master in master_ports(hardware)]
        return dict(zip(names, (self.data_port, *self.weight_ports), strict=False))

    def memory(self, port: str) -> tuple[MemoryRange, ...]:
        """DDR behind a memory port, with Vivado's names of the address blocks."""
        prefix = _MEMORY_PORTS[port][1]
        ranges = [MemoryRange(f"{prefix}_DDR_LOW", 0, self.low_memory_mib * _MEBIBYTE)]
        if self.high_memory_mib:
            ranges.append(MemoryRange(f"{prefix}_DDR_HIGH", HIGH_MEMORY_BASE, self.high_memory_mib * _MEBIBYTE))
        return tuple(ranges)


def port_parameter(port: str) -> str:
    """Name of a memory port in the parameters of the processing system, e.g. SAXIGP2."""
    return _MEMORY_PORTS[port][0]


def load_board(name: str) -> Board:
    """A board by name; raises ConfigError."""
    path = BOARD_FOLDER / f"{name}.json"
    if name not in board_names():
        raise ConfigError(f"no board '{name}'; there are {', '.join(board_names())}")
    board = from_dict(Board, read_json(path), path.name)
    for hardware in board.hardware:
        board.connections(load_hardware_config(hardware))
    return board


def board_names() -> list[str]:
    """Names of the boards that come with the package."""
    return sorted(path.stem for path in BOARD_FOLDER.glob("*.json"))
