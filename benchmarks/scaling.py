"""How cost grows, as predicted: `python -m benchmarks.scaling` writes build/reports/scaling.json and three pictures.

Cycles and bytes of one `tiny` frame on the zcu102 shape, one size varied at a time. All cycles are predictions of
`edgemoe.compiler.cycles`, not counts. Where a shape does not fit the zcu102 build, the build is given just enough
buffer, and the point says what was too small. Floors: exact multiply-accumulates over what the array does a cycle, and
bytes of the weight stream over what memory delivers a cycle.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from tabulate import tabulate

from edgemoe.cluster import add_cluster_arguments, cluster_of, run
from edgemoe.compiler.compile import compile_model
from edgemoe.compiler.cycles import predicted_cycles
from edgemoe.compiler.fits import limits
from edgemoe.compiler.hollow import hollow_model
from edgemoe.spec.hardware import DEFAULT_HARDWARE, VECTOR, HardwareConfig, load_hardware_config
from edgemoe.spec.isa import Instruction, Opcode
from edgemoe.spec.memory import round_up
from edgemoe.spec.model import ModelConfig, load_model_config
from edgemoe.spec.task import TaskConfig
from edgemoe.spec.terminal import accept_all_text

# Tokens → picture (height, width); 197 is ImageNet's, 1201 NYUD's.
PICTURES = {
    65: (128, 128),
    129: (128, 256),
    197: (224, 224),
    257: (256, 256),
    513: (256, 512),
    1025: (512, 512),
    1201: (480, 640),
}
EXPERTS = (4, 8, 16, 32, 64)
TOP_K = (1, 2, 3, 4)
TASKS = (
    TaskConfig("semseg", "segmentation", 7),
    TaskConfig("depth", "regression", 1),
    TaskConfig("normals", "regression", 3),
    TaskConfig("sal", "regression", 1),
    TaskConfig("edge", "regression", 1),
)
MACS = {256: (1, 16, 16), 512: (2, 16, 16), 1024: (4, 16, 16), 2048: (8, 16, 16), 4096: (8, 16, 32)}
BANDWIDTHS = (5.0, 10.0, 20.0, 30.0, 45.5, 60.0, 77.0)


@dataclass(frozen=True)
class Point:
    """One predicted frame.

    sweep: what is varied; value: to what; series: which line it belongs to. cycles: predicted. array_cycles: steps of
    the array, tiles filled up. wait_cycles: for weights. mac_floor, memory_floor: cycles below which nothing can get.
    macs: exact multiply-accumulates. bytes_read: weights and frame; bytes_written: results. too_small: what the build
    lacks.
    """

    sweep: str
    series: str
    value: float
    tokens: int
    experts: int
    top_k: int
    tasks: int
    macs_per_cycle: int
    bytes_per_cycle: float
    cycles: int
    array_cycles: int
    wait_cycles: int
    mac_floor: float
    memory_floor: float
    macs: int
    bytes_read: int
    bytes_written: int
    too_small: tuple[str, ...]


def multiply_accumulates(instructions: Sequence[Instruction]) -> int:
    """Exact count, no tile filled up; a gate's 16-bit products count once, however many passes they take."""
    total = entries = 0
    for i in instructions:
        match i.opcode:
            case Opcode.PATCH_EMBED | Opcode.LINEAR | Opcode.HEAD:
                total += i.rows * i.in_features * i.out_features
            case Opcode.ATTENTION:
                total += 2 * i.rows * i.rows * i.in_features
            case Opcode.GATE:
                total += i.rows * i.in_features * i.experts
                entries += i.rows * i.top_k
            case Opcode.EXPERTS:
                total += 2 * entries * i.in_features * i.hidden_features
                entries = 0
    return total


def roomy(hardware: HardwareConfig, config: ModelConfig, tasks: Sequence[str]) -> HardwareConfig:
    """The same build with buffers and limits raised to what the model needs, and no further."""
    rows = len(tasks) * config.tokens
    unit = VECTOR * hardware.token_par
    hidden = max(
        hardware.room(config.patches, config.patch_features),
        hardware.room(1, config.mlp_hidden),
        hardware.room(rows, config.expert_hidden),
    )
    return replace(
        hardware,
        max_rows=max(hardware.max_rows, rows),
        max_tokens=max(hardware.max_tokens, config.tokens),
        max_experts=max(hardware.max_experts, config.experts),
        row_elements=round_up(max(hardware.row_elements, hardware.room(rows, config.width)), unit),
        hidden_elements=round_up(max(hardware.hidden_elements, hidden), unit),
    )


def point(sweep: str, series: str, value: float, config: ModelConfig, tasks: int, hardware: HardwareConfig) -> Point:
    """Predict one frame."""
    names = [task.name for task in config.tasks[:tasks]]
    problems = tuple(
        f"{what}: needs {needed:,} {unit}, there are {available:,}"
        for what, needed, available, unit in limits(config, tuple(names), hardware)
        if needed > available
    )
    build = roomy(hardware, config, names)
    program = compile_model(hollow_model(config, build), names, build)
    predicted = predicted_cycles(program)
    macs = multiply_accumulates(program.instructions)
    read, written = program.stream.size + program.manifest.input_bytes, program.manifest.output_bytes
    return Point(
        sweep=sweep,
        series=series,
        value=value,
        tokens=config.tokens,
        experts=config.experts,
        top_k=config.top_k,
        tasks=tasks,
        macs_per_cycle=build.macs_per_cycle,
        bytes_per_cycle=build.bytes_per_cycle,
        cycles=sum(each.cycles for each in predicted),
        array_cycles=sum(each.mac for each in predicted),
        wait_cycles=sum(each.wait for each in predicted),
        mac_floor=macs / build.macs_per_cycle,
        memory_floor=program.stream.size / build.bytes_per_cycle,
        macs=macs,
        bytes_read=read,
        bytes_written=written,
        too_small=problems,
    )


def sweeps(config: ModelConfig, hardware: HardwareConfig) -> Iterator[partial[Point]]:
    """Every point, still to be predicted."""
    config = replace(config, tasks=TASKS)
    for tasks, series in ((1, "one task"), (2, "two tasks")):
        for tokens, (height, width) in PICTURES.items():
            picture = replace(config, image_height=height, image_width=width)
            yield partial(point, "tokens", series, tokens, picture, tasks, hardware)
        for experts in EXPERTS:
            model = replace(config, experts=experts)
            yield partial(point, "experts", series, experts, model, tasks, hardware)
        for top_k in TOP_K:
            model = replace(config, top_k=top_k)
            yield partial(point, "top-k", series, top_k, model, tasks, hardware)
        for rate in BANDWIDTHS:
            slower = replace(hardware, bytes_per_cycle=rate)
            yield partial(point, "bandwidth", series, rate, config, tasks, slower)
        for macs, (token_par, in_par, out_par) in MACS.items():
            array = replace(hardware, token_par=token_par, in_par=in_par, out_par=out_par)
            yield partial(point, "MACs", series, macs, config, tasks, array)
    for tasks in range(1, len(TASKS) + 1):
        yield partial(point, "tasks", "together", tasks, config, tasks, hardware)


def show(points: Sequence[Point]) -> None:
    """Print the table."""
    heads = ("sweep", "series", "value", "cycles", "MAC floor", "memory floor", "waits", "MB moved", "fits the build")
    rows = [(p.sweep, p.series, p.value, p.cycles, p.mac_floor, p.memory_floor, p.wait_cycles,
             (p.bytes_read + p.bytes_written) / 1e6, f"no: {p.too_small[0]}" if p.too_small else "yes")
            for p in points]  # fmt: skip
    print(tabulate(rows, heads, intfmt=",", floatfmt=("", "", "g", "", ",.0f", ",.0f", "", ".1f", "")))
    print("\nAll cycles are predicted, none counted; tokens are taken as spread evenly over the experts.")


def main() -> None:
    """Predict, print, write build/reports/scaling.json and the pictures."""
    accept_all_text()
    # needs the `plots` extra, the predictions do not
    from benchmarks.scaling_plots import draw_bytes, draw_cycles, draw_roofline

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", default="tiny", help="configuration that is varied (default: %(default)s)")
    parser.add_argument("--hardware", default=DEFAULT_HARDWARE, help="build that is varied (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("build/reports"))
    add_cluster_arguments(parser)
    options = parser.parse_args()
    hardware = load_hardware_config(options.hardware)
    waiting = [predict.args for predict in sweeps(load_model_config(options.model), hardware)]
    points = run(point, waiting, cluster_of(options), "predicting")
    show(points)
    options.out.mkdir(parents=True, exist_ok=True)
    report = {
        "model": options.model,
        "hardware": options.hardware,
        "precision": hardware.precision,
        "predicted": True,
        "predictor": "edgemoe.compiler.cycles",
        "points": [asdict(p) for p in points],
    }
    (options.out / "scaling.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    for name, draw in (("scaling_cycles", draw_cycles), ("scaling_bytes", draw_bytes), ("roofline", draw_roofline)):
        draw(report).savefig(options.out / f"{name}.png", dpi=110)


if __name__ == "__main__":
    main()
