"""Small made-up files as the benches write them, for the tests of the report. No figure in them means anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.report_inputs import NO_PART

SPLIT = {"mac_busy": 60, "weight_wait": 10, "post_wait": 5, "layernorm": 5, "softmax": 5, "drain": 5, "fill": 5}
LABELS = ("patch embed", "block 0 norm1", "block 0 attention", "block 0 experts", "head semseg norm", "halt")
RESOURCES = {"lut": 1111, "lutram": 0, "ff": 2222, "dsp": 333, "bram36": 44.5, "uram": 0}


def frame(
    tasks: int, cycles: int, hardware: str = "zcu102", part: str = "xczu9eg-ffvb1156-2-e", precision: str = "w8a8"
) -> dict[str, Any]:
    """A counted frame."""
    instructions = [
        {"label": label, "cycles": 100, "predicted": 100, "split": SPLIT, "other": 5, "bytes_read": 64}
        for label in LABELS
    ]
    return {
        "model": "tiny", "hardware": hardware, "part": part, "precision": precision,
        "tasks": ["semseg", "depth"][:tasks], "cycles": cycles, "ms": cycles / 300_000, "mac_busy_cycles": cycles // 2,
        "bytes_read": 17_654_321, "memory_floor_cycles": cycles // 3, "utilisation": 0.5, "bit_exact": True,
        "instructions": instructions,
    }  # fmt: skip


def metrics(*precisions: str) -> list[dict[str, Any]]:
    """Task metrics of these arithmetics."""
    values = {"mIoU": 0.7123, "RMSE": 0.0201, "ratio": 0.5432, "same experts": 0.9876}
    fixed = {"model": "tiny", "engine": "golden", "task": "all", "scenes": 12}
    return [
        fixed | {"precision": precision, "metric": metric, "value": value}
        for precision in precisions
        for metric, value in values.items()
        if (precision, metric) != ("float", "same experts")
    ]


def technique(name: str) -> dict[str, Any]:
    """One replaced technique."""
    return {"technique": name, "instead": "something else", "cycles": 654_321, "cycles_kind": "modelled",
            "bytes_read": 1_000_000, "how": "a formula", "area": {"LUT": 99.0}, "area_how": "Yosys",
            "also": {"reads": 3.0}}  # fmt: skip


def files() -> dict[str, Any]:
    """Contents by name."""
    point = {"sweep": "tokens", "series": "one task", "tokens": 129, "experts": 16, "top_k": 2, "macs_per_cycle": 2048,
             "bytes_per_cycle": 45.5, "cycles": 512_345, "array_cycles": 1, "wait_cycles": 1, "mac_floor": 300_000.0,
             "memory_floor": 200_000.0, "macs": 780_000_000, "bytes_read": 18_000_000, "bytes_written": 9,
             "too_small": []}  # fmt: skip
    sweeps = {"tokens": (129, 197), "experts": (4, 16), "top-k": (1, 2), "tasks": (1, 2), "MACs": (256, 2048),
              "bandwidth": (5, 45.5)}  # fmt: skip
    points = [
        point | {"sweep": sweep, "value": value, "tasks": tasks, "series": series}
        for sweep, values in sweeps.items()
        for value in values
        for tasks, series in (((1, "one task"), (2, "two tasks")) if sweep != "tasks" else ((value, "together"),))
    ]
    residuals = [
        {"arithmetic": name, "task": "semseg", "tensor": f"blocks.{block}.mlp.residual", "sqnr_db": 40.5, "least_db": 1}
        for name in ("edge_moe", "w16a16", "w8a8")
        for block in range(2)
    ]
    module = {"module": "matmul_lane", "instances": 8, "used": RESOURCES, "levels": 7.0, "path": []}
    unit = {"name": "table", "entries": 256, "entry_bits": 8, "table_bits": 2048, "max_error": 0.004, "lut": 1, "ff": 1,
            "dsp": 1, "bram36": 0.0}  # fmt: skip
    read = {"steps": 1, "vectors_read": 2, "plain_vectors_read": 4, "per_step": 2.0, "plain_per_step": 4.0}
    rungs = [
        {"rung": f"rung {n}", "counted": 500_000, "modelled": 0, "cycles": 500_000, "paper_ms": 9.0} for n in range(6)
    ]
    return {
        "bench": {"memory": {"zcu102": {"ports": 4, "port_bytes": 16, "bytes_per_cycle": 45.5,
                                        "first_beat_cycles": 64}},
                  "frames": [frame(1, 487_654), frame(2, 812_345),
                                              frame(1, 1_234_567, "zcu102_w16a16", precision="w16a16"),
                                              frame(1, 3_456_789, "micro", NO_PART)],
                  "mixed": [frame(1, 912_345, "kv260") | {"setting": "kv260, experts W4", "predicted": 912_000}]},
        "area": [{"hardware": hardware, "part": "a part", "precision": "w8a8", "macs_per_cycle": 2048,
                  "prefetch_bytes": 1 << 20, "used": RESOURCES, "total": RESOURCES, "limit": RESOURCES, "fits": True,
                  "levels": 7.0, "level_ceiling": 8.0, "modules": [module]}
                 for hardware in ("zcu102", "zcu102_w16a16")],
        "timing": [{"hardware": "zcu102", "part": "a part", "endpoints": 387_654, "worst": 3.93,
                    "clocks": [{"mhz": mhz, "late": late} for mhz, late in ((300, 1789), (250, 3), (200, 0))],
                    "paths": [{"end": "softmax.top", "start": "fifo.front", "levels": 6.0, "fan_out": 231}]}],
        "ablation": {"model": "tiny", "weights": "seeded random", "tasks": ["semseg"], "hardware": "zcu102",
                     "precision": "w8a8", "clock_mhz": 300, "cycles": 487_654, "bytes_read": 17_654_321,
                     "bit_exact": True, "techniques": [technique("one"), technique("two")], "ladder": rungs,
                     "checks": [{"what": "ATTENTION", "modelled": 99, "counted": 100}],
                     "reads": [read | {"token_par": p, "tokens": n} for n in (129, 256) for p in (2, 4)],
                     "gelu": [unit, unit | {"table_bits": 4096}, unit]},
        "scaling": {"model": "tiny", "hardware": "zcu102", "precision": "w8a8", "predicted": True, "points": points},
        "arithmetics": {"model": "tiny", "scenes": 12, "layers": residuals,
                        "metrics": metrics("float", "edge_moe", "w16a16", "w8a8")},
        "eval": metrics("float", "w16a16", "w8a8"),
        "bench-csim": [{"model": "tiny", "hardware": "zcu102", "tasks": ["semseg"], "seconds": 0.17,
                        "bit_exact": True}],
        "golden_speed": [{"model": "tiny", "hardware": "zcu102", "tasks": ["semseg"], "golden_ms": 71.0,
                          "torch_ms": 61.0, "threads": 2}],
    }  # fmt: skip


def write(folder: Path, contents: dict[str, Any]) -> None:
    """One JSON file each."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
