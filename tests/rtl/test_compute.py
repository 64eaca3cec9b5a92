"""The compute unit and its parts against golden, each one's bench in sim/<wing>/<unit>_bench.py."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.strict import to_dict
from sim.common.runner import CACHE, bench_of, simulate

# Small arrays in the shapes of the boards: two rows drained a cycle, and output tiles of two input tiles.
SHAPES = {"pairs": ("micro", {"post_lanes": 16}), "wide": ("micro_w16a16", {"out_par": 16, "post_lanes": 32})}
UNITS = [
    ("softmax", "micro"), ("softmax", "wide"), ("post_lane", "micro"), ("post_lane", "micro_w16a16"),
    ("matmul", "micro"), ("matmul", "wide"), ("compute", "micro"), ("compute", "wide"), ("compute", "pairs"),
    ("attention_sequence", "micro"), ("experts_sequence", "micro"), ("attention", "micro"), ("attention", "wide"),
    ("stream_reader", "micro"), ("stream_reader", "wide"), ("drain", "micro"), ("drain", "zcu102"),
    ("head_place", "micro"), ("head_place", "zcu102"),
]  # fmt: skip

PARTS = [
    ("fifo", "micro", {"BITS": 13, "DEPTH": 5}), ("fifo", "micro", {"BITS": 70, "DEPTH": 16}),
    ("scratchpad", "micro", {"BANKS": 4, "BITS": 128, "PARTS": 2, "DEPTH": 37}),
    ("scratchpad", "micro", {"BANKS": 8, "BITS": 256, "PARTS": 1, "DEPTH": 16, "ULTRA": 1}),
    ("channel_queue", "micro", {}), ("channel_queue", "micro_w16a16", {}), ("counters", "micro", {}),
    ("counters", "zcu102", {}), ("run_control", "micro", {}),
]  # fmt: skip


def named(hardware: str) -> str:
    """A configuration by name, or the file of one of SHAPES."""
    if hardware not in SHAPES:
        return hardware
    base, changes = SHAPES[hardware]
    path = CACHE / f"{hardware}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    config = replace(load_hardware_config(base), name=hardware, **changes)
    path.write_text(json.dumps(to_dict(config), indent=2), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(("unit", "hardware"), UNITS, ids=lambda value: value)
def test_unit(unit: str, hardware: str) -> None:
    simulate(bench_of(unit), top=unit, hardware=named(hardware))


@pytest.mark.parametrize("unit", dict(UNITS))
def test_a_wrong_bit_is_seen(unit: str) -> None:
    simulate(bench_of(unit), top=unit, hardware="micro", flip=True)


@pytest.mark.parametrize(("unit", "hardware", "parameters"), PARTS)
def test_part(unit: str, hardware: str, parameters: dict[str, int]) -> None:
    simulate(bench_of(unit), top=unit, hardware=hardware, parameters=parameters)


@pytest.mark.parametrize("unit", ["fifo", "scratchpad", "channel_queue", "counters", "run_control"])
def test_a_wrong_bit_of_a_part_is_seen(unit: str) -> None:
    hardware, parameters = next((hardware, parameters) for name, hardware, parameters in PARTS if name == unit)
    simulate(bench_of(unit), top=unit, hardware=hardware, parameters=parameters, flip=True)
