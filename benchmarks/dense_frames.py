"""Frames of well-known dense transformers on the RTL engine, counted in cycles: `make bench-dense`.

DeiT-tiny, DeiT-small and DINOv2-small with seeded random weights, whose values move no cycle, on shapes that hold them;
published designs for the same networks beside. A frame takes minutes, so each is written down when it is there:
build/reports/bench_dense.json keeps it until the network, the shape or the RTL changes, and an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabulate import tabulate

from benchmarks.rtl_frames import PUBLISHED, Frame, measure
from benchmarks.sizes_models import dense
from edgemoe.compiler.compile import compile_checkpoint
from edgemoe.compiler.fits import DoesNotFitError, require_fit
from edgemoe.devices.rtl.build import library_path
from edgemoe.spec.files import write_text
from edgemoe.spec.hardware import HardwareConfig, load_hardware_config
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.task import TaskConfig
from edgemoe.spec.terminal import accept_all_text
from sim.common.random_checkpoint import random_checkpoint

REPORT = Path("build/reports/bench_dense.json")
CLASSES = 1000
SIDE = 224

Row = dict[str, Any]


@dataclass(frozen=True)
class Dense:
    """A network as its paper defines it. peers: what published designs call it or its like of equal size."""

    name: str
    width: int
    heads: int
    patch: int
    peers: tuple[str, ...] = ()

    @property
    def config(self) -> ModelConfig:
        """Class logits, or features of all tokens where it was trained without labels."""
        task = None if self.patch == DINO_PATCH else TaskConfig("classes", "classification", CLASSES, pool="class")
        return dense(self.name, self.width, self.heads, self.patch, SIDE, task)


DINO_PATCH = 14
NETWORKS = (
    Dense("deit_tiny", 192, 3, 16, ("DeiT-T", "ViT-T")),
    Dense("deit_small", 384, 6, 16, ("DeiT-S", "ViT-S")),
    Dense("dinov2_small", 384, 6, DINO_PATCH),
)


def shapes() -> list[HardwareConfig]:
    """What holds all on a ZCU102; on a KV260 most rows lie in memory."""
    return [load_hardware_config("zcu102_vit"), load_hardware_config("kv260_stream")]


def key(config: ModelConfig, hardware: HardwareConfig) -> str:
    """Names all that cycles depend on: network, shape, and the RTL by its build, which is made if it is new."""
    return f"{config.hash():08x}-{hardware.hash():08x}-{library_path(hardware).parent.name}"


def counted(config: ModelConfig, hardware: HardwareConfig) -> Frame:
    """One frame of the network; raises DeviceError, SessionError, DoesNotFitError."""
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = random_checkpoint(config, Path(folder) / config.name)
        return measure(compile_checkpoint(checkpoint, None, hardware))


def row(frame: Frame) -> Row:
    """What is kept of a frame."""
    hardware = frame.program.manifest.hardware
    return {
        "model": frame.program.manifest.model.name,
        "tokens": frame.program.manifest.model.tokens,
        "hardware": hardware.name,
        "precision": hardware.precision,
        "macs_per_cycle": hardware.macs_per_cycle,
        "clock_mhz": hardware.clock_mhz,
        "cycles": frame.cycles,
        "predicted": sum(each.predicted for each in frame.instructions),
        "ms": frame.cycles / hardware.clock_mhz / 1000,
        "mac_busy_cycles": frame.counters["mac_busy_cycles"],
        "bytes_read": frame.counters["bytes_read"],
        "bit_exact": frame.bit_exact,
        "seconds": frame.seconds,
    }


def table(rows: Sequence[Row], networks: Sequence[Dense] = NETWORKS) -> str:
    """Per network our frames, then what others have published for it."""
    published = json.loads(PUBLISHED.read_text(encoding="utf-8"))["dense"]
    lines: list[tuple[object, ...]] = []
    for network in networks:
        for own in (own for own in rows if own["model"] == network.name):
            use = 100 * own["mac_busy_cycles"] / own["cycles"]
            lines.append((network.name, f"this design, {own['hardware']}", own["precision"], own["clock_mhz"],
                          own["cycles"], own["predicted"], own["ms"], use, own["bit_exact"],
                          "per frame, counted; no board has shown the clock"))  # fmt: skip
        for design in (design for design in published if design["model"] in network.peers and design["ms"]):
            lines.append((design["model"], f"{design['name']}, {design['board']}", design["precision"], design["mhz"],
                          None, None, design["ms"], None, None, design["ms_is"]))  # fmt: skip
    heads = ("network", "design", "precision", "MHz", "cycles", "predicted", "ms", "MAC use, %", "equal", "ms is")
    return tabulate(lines, heads, intfmt=",", floatfmt=("", "", "", "", "", "", ".3f", ".1f", "", ""))


def remembered() -> dict[str, Row]:
    """Frames of earlier runs by their key; {} where there are none."""
    try:
        found: dict[str, Row] = json.loads(REPORT.read_text(encoding="utf-8"))["frames"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return found


def _others(earlier: dict[str, Row], current: dict[str, Row]) -> dict[str, Row]:
    """Earlier frames of networks and shapes that this run has not reached."""
    new = {(own["model"], own["hardware"]) for own in current.values()}
    return {name: own for name, own in earlier.items() if (own["model"], own["hardware"]) not in new}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; write the report; 1 when a frame differs from golden."""
    accept_all_text()
    names = [network.name for network in NETWORKS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dense_frames", description=__doc__)
    parser.add_argument("--networks", nargs="+", choices=names, default=names)
    parser.add_argument("--hardware", nargs="+", help="other shapes, names or files")
    options = parser.parse_args(arguments)
    wanted = [load_hardware_config(name) for name in options.hardware or ()] or shapes()
    earlier, current = remembered(), dict[str, Row]()
    for network in (network for network in NETWORKS if network.name in options.networks):
        for hardware in wanted:
            try:
                require_fit(network.config, (network.config.tasks[0].name,), hardware)
            except DoesNotFitError as error:
                print(f"left out: {error.sentence}")
                continue
            own = key(network.config, hardware)
            current[own] = earlier.get(own) or row(counted(network.config, hardware))
            write_text(REPORT, json.dumps({"frames": {**_others(earlier, current), **current}}, indent=1) + "\n")
    print(table(list(current.values()), NETWORKS))
    return int(not all(own["bit_exact"] for own in current.values()))


if __name__ == "__main__":
    sys.exit(main())
