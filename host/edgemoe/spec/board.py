"""Boards: the processing system around the accelerator, read strictly from JSON.

Nothing here has been measured: which boards a build has run on stands in docs/hardware/boards.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from edgemoe.spec.hardware import HardwareConfig, load_hardware_config
from edgemoe.spec.interface import master_ports
from edgemoe.spec.names import is_name, shown
from edgemoe.spec.processing_system import ProcessingSystem, processing_system_of
from edgemoe.spec.strict import ConfigError, check_name, check_range, check_text, from_dict, read_json

BOARD_FOLDER = Path(__file__).resolve().parent.parent / "configs" / "boards"

HIGH_MEMORY_BASE = 0x8_0000_0000
_MEBIBYTE = 1 << 20
_DEVICE = re.compile(r"(?P<device>xc7z\d+)(?P<package>[a-z]+\d+)-(?P<grade>\w+)")  # of the 7-series, in two pieces
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
    """One board with a Zynq.

    title: what people call it. part: the device with package and speed grade. board_part: Vivado's name
    of the board, without its version.
    hardware: configurations that are built for it, the usual one first.
    clock_divisor: the accelerator's clock is the I/O PLL (1,500 MHz, of a Zynq-7000 1,000 MHz) divided by it.
    low_memory_mib, high_memory_mib: DDR below 2 GiB and from 32 GiB on, which a Zynq-7000 does not reach.
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
        if len(self.device) != 3:
            raise ConfigError(f"part must be device-package-grade, found '{self.part}'")
        for hardware in self.hardware:
            check_name(hardware, "hardware")
        check_range(self, _LIMITS)
        ports = (self.data_port, *self.weight_ports)
        for port in ports:
            if port not in self.processing_system.memory_ports:
                there = ", ".join(self.processing_system.memory_ports)
                raise ConfigError(f"no memory port '{port}'; there are {there}")
        if len(set(ports)) != len(ports):
            raise ConfigError("every master needs a memory port of its own, one is named twice")
        if not self.hardware:
            raise ConfigError("hardware must name at least one configuration")

    @property
    def processing_system(self) -> ProcessingSystem:
        """What is around the accelerator."""
        return processing_system_of(self.part)

    @property
    def device(self) -> tuple[str, ...]:
        """Device, package and speed grade, without what follows; fewer where the part's name has not all of them."""
        found = _DEVICE.match(self.part)
        return found.groups() if found else tuple(self.part.split("-")[:3])

    @property
    def clock_mhz(self) -> float:
        """Clock that the processing system delivers, 6 decimals."""
        return round(self.processing_system.pll_mhz / self.clock_divisor, 6)

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
        system = self.processing_system
        prefix = system.memory_ports[port][1]
        ranges = [MemoryRange(f"{prefix}_{system.low_block}", 0, self.low_memory_mib * _MEBIBYTE)]
        if self.high_memory_mib:
            ranges.append(MemoryRange(f"{prefix}_DDR_HIGH", HIGH_MEMORY_BASE, self.high_memory_mib * _MEBIBYTE))
        return tuple(ranges)


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
