"""The plan of the house: every folder, what it holds, and whose modules its own may import. tests/test_house.py holds
the tree to it, so this is the one place to change when a wing comes or goes.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wing:
    """A folder inside a part. imports: beginnings of places in the plan that its Python may import, its own aside."""

    name: str
    holds: str
    imports: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """A folder at the top. path: where its wings lie; the wing `.` stands for the modules that lie in no wing."""

    path: str
    holds: str
    wings: tuple[Wing, ...]


COMMON = ("edgemoe/errors", "edgemoe/extras")
"""What every module may import: the root of all errors that speak to users, and what to install."""

SPEC, DEVICES, SESSION, OPS = "edgemoe/spec", "edgemoe/devices", "edgemoe", "golden/ops"

PLAN: tuple[Part, ...] = (
    Part(
        "host/edgemoe",
        "the package edgemoe, what a board needs",
        (
            Wing("spec", "what all agree on: ISA, registers, widths"),
            Wing("spec/generate", "headers, reference pages, Tcl from it", (SPEC,)),
            Wing("configs", "models, hardware shapes, boards as JSON"),
            Wing("compiler", "checkpoint → program", (SPEC,)),
            Wing("devices", "the contract that all engines keep", (SPEC,)),
            Wing("devices/golden", "golden integers as a device", (SPEC, DEVICES, OPS)),
            Wing("devices/csim", "the HLS engine, compiled by g++", (SPEC, DEVICES)),
            Wing("devices/rtl", "the Verilog, Verilated", (SPEC, DEVICES)),
            Wing("kernels", "one kernel alone: benches, engines", (SPEC, DEVICES, "edgemoe/control", OPS)),
            Wing("media", "pictures and video in, panels out", (SPEC, "edgemoe/results", "edgemoe/version")),
            Wing("overlay", "bitstreams and their manifests", (SPEC, DEVICES)),
            Wing("tuning", "a shape for a part: area, search", ("edgemoe",)),
            Wing(".", "Accelerator, session, command", ("edgemoe",)),
            Wing(
                "commands",
                "one file per command",
                ("edgemoe", "golden/importing", "golden/scenes", "golden/quantising"),
            ),
            Wing("demo", "frames live in the browser, or recorded", ("edgemoe", "golden/scenes")),
            Wing("demo/page", "its page: HTML, style, script"),
            Wing("pynq", "driver and board, through PYNQ", ("edgemoe",)),
            Wing("pynq/simulated", "a board on the PC", ("edgemoe",)),
        ),
    ),
    Part(
        "host/notebooks",
        "first frame, live video, under the hood, own checkpoint, kernel lab",
        (),
    ),
    Part(
        "golden",
        "the package edgemoe_golden",
        (
            Wing("ops", "the arithmetic, one file per operation", (SPEC,)),
            Wing("model", "float M³ViT in torch", (SPEC,)),
            Wing("scenes", "drawn streets with labels and depth", (SPEC,)),
            Wing("data", "readers of real data sets, metrics", (SPEC,)),
            Wing("training", "training and evaluation", (SPEC, "golden")),
            Wing("importing", "other people's checkpoints", (SPEC, "golden")),
            Wing("importing/onnx", "… from the nodes of a graph", (SPEC, "golden")),
            Wing("quantising", "ranges, rewrites, rounding on pictures", (SPEC, "edgemoe/media", "golden")),
            Wing("budget", "widths per layer within a budget", (SPEC, "edgemoe/compiler", "edgemoe/frames", "golden")),
            Wing("edge_moe", "the published arithmetic, bit by bit", (SPEC, "golden")),
            Wing(".", "calibration", (SPEC, "golden")),
        ),
    ),
    Part(
        "hls",
        "the Vitis HLS engine, C++14",
        (
            Wing("kernels", "one header per operation"),
            Wing("machine", "what executes programs with them"),
            Wing("tops", "kernels one by one"),
            Wing("include", "decoding and enumerations, from spec"),
            Wing("simulation", "what g++ needs instead of Vitis"),
            Wing("tcl", "synthesis with Vitis"),
            Wing("generated", "headers per hardware shape, from spec"),
        ),
    ),
    Part(
        "rtl",
        "the Verilog engine, Verilog-2005",
        (
            Wing("control", "registers, instructions, rules, counters"),
            Wing("memory", "AXI masters, prefetch, scratchpads"),
            Wing("compute", "the array, its lanes, softmax, drains"),
            Wing("movers", "LayerNorm, gate, experts' queues, rows"),
            Wing("parts", "multiplier, rounding, tables, FIFOs"),
            Wing("include", "records that pass between modules"),
            Wing("generated", "constants per hardware shape, from spec"),
        ),
    ),
    Part(
        "sim",
        "benches of the Verilog, by cocotb, in the same wings",
        (
            Wing("common", "bench tools, AXI memory, pipelines", ("edgemoe", "golden", "sim/examples")),
            Wing("examples", "programs and instructions by hand", (SPEC, DEVICES)),
            Wing("device", "whole frames: the Verilated engine's C++"),
            Wing("formal", "proofs, by Yosys and Boolector", (SPEC, DEVICES, "sim/common")),
            Wing("control", "benches of rtl/control", ("edgemoe", OPS, "sim/common", "sim/examples")),
            Wing("memory", "benches of rtl/memory", (SPEC, "sim/common")),
            Wing("compute", "benches of rtl/compute", (SPEC, OPS, "sim/common")),
            Wing("movers", "benches of rtl/movers", ("edgemoe", OPS, "sim/common")),
            Wing("parts", "benches of rtl/parts", (SPEC, OPS, "sim/common")),
            Wing(".", "a whole frame", ("edgemoe", "sim")),
        ),
    ),
    Part(
        "tests",
        "what must hold; may import everything",
        (
            Wing("ops", "every operation over all engines"),
            Wing("kernels", "one kernel by the user's command"),
            Wing("rtl", "units, faults, top, coverage"),
            Wing("hls", "sources, builds, sanitizers"),
            Wing("host", "compiler, command, media, rules"),
            Wing("golden", "float model, imports, calibration"),
            Wing("system", "whole frames, benches, report"),
            Wing("driver", "PYNQ driver on a simulated board"),
            Wing("board", "self-test on a real board"),
            Wing("overlay", "block designs and handoffs"),
            Wing("notebooks", "every cell runs"),
            Wing("release", "the wheel in an empty environment"),
            Wing("checks", "what make lint calls"),
            Wing("fuzz", "mutated files, random programs"),
            Wing("mutants", "one line changed: who notices"),
            Wing("examples", "checkpoints and media to test with"),
        ),
    ),
    Part(
        "benchmarks",
        "what measures",
        (
            Wing(".", "benches and the report", ("edgemoe", "golden", "sim")),
            Wing("route", "units through open place and route", ("edgemoe", "sim")),
        ),
    ),
    Part(
        "models",
        "trained checkpoints",
        (Wing("tiny", "the paper's configuration"), Wing("mini", "a smaller one")),
    ),
    Part(
        "bitstreams",
        "block designs; no binary without manifest",
        (
            Wing("common", "the same for all boards"),
            Wing("generated", "names, ports, addresses, from spec"),
            Wing("zcu102", "AMD ZCU102"),
            Wing("kv260", "AMD Kria KV260"),
            Wing("pynq_zu", "TUL PYNQ-ZU"),
            Wing("zcu104", "AMD ZCU104"),
            Wing("ultra96", "Avnet Ultra96-V2"),
            Wing("pynq_z2", "TUL PYNQ-Z2"),
            Wing("pynq_z1", "Digilent PYNQ-Z1"),
        ),
    ),
    Part(
        "docs",
        "these pages",
        (
            Wing("start", "PC, board, own checkpoint"),
            Wing("concepts", "the five ideas"),
            Wing("reference", "models, command line, Python"),
            Wing("hardware", "RTL, HLS, boards, driver"),
            Wing("evidence", "figures and how they were made"),
            Wing("contributing", "how to add something"),
            Wing("drawings", "what draws images/*.svg"),
            Wing("extensions", "what Sphinx is taught", ("edgemoe",)),
            Wing("images", "drawings and pictures"),
            Wing("static", "the site's style"),
        ),
    ),
)
