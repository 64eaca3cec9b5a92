"""`edgemoe info`: model, hardware, memory, and the predicted cycles of every instruction, beside an engine's."""

from __future__ import annotations

import argparse

import numpy as np

from edgemoe.commands.common import add_model_arguments, obtain_program, table, task_names
from edgemoe.compiler.compile import compile_model
from edgemoe.compiler.cycles import predicted_cycles
from edgemoe.compiler.fits import limits, require_fit
from edgemoe.compiler.hls_cycles import predicted_hls_cycles
from edgemoe.compiler.hollow import hollow_model
from edgemoe.compiler.program import Program
from edgemoe.compiler.traffic import traffic_of
from edgemoe.devices.rtl.device import RtlDevice
from edgemoe.devices.rtl.trace import counted_cycles
from edgemoe.errors import ArgumentError
from edgemoe.session import Session
from edgemoe.spec.hardware import DEFAULT_HARDWARE, load_hardware_config
from edgemoe.spec.isa import Buffer, Opcode
from edgemoe.spec.model import load_model_config, model_names


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    add_model_arguments(parser)
    parser.add_argument(
        "--config", help=f"sizes without weights: {', '.join(model_names())}, or a JSON file (instead of --model)"
    )
    parser.add_argument(
        "--engine",
        choices=("hls", "rtl"),
        help="also print the HLS engine's analytic schedule, or what the RTL engine counts on a frame of noise",
    )


def main(options: argparse.Namespace) -> int:
    """Print; returns the exit status."""
    program = obtain_program(options) if options.config is None else _hollow(options)
    print("\n\n".join((_model(program), _hardware(program), _memory(program), _cycles(program, options.engine))))
    return 0


def _hollow(options: argparse.Namespace) -> Program:
    """The program of a configuration without weights; raises ArgumentError, ConfigError, DoesNotFitError."""
    if options.model is not None or options.engine == "rtl":
        other = "--model" if options.model is not None else "--engine rtl"
        raise ArgumentError(f"--config names sizes without weights, which {other} needs; give one of the two")
    config = load_model_config(options.config)
    hardware = load_hardware_config(options.hardware or DEFAULT_HARDWARE)
    tasks = task_names(options.task) or tuple(task.name for task in config.tasks)
    for task in tasks:
        config.task_index(task)
    require_fit(config, tasks, hardware)
    return compile_model(hollow_model(config, hardware), tasks, hardware)


def _model(program: Program) -> str:
    model = program.manifest.model
    experts = (
        f"{len(model.moe_blocks)} MoE blocks: {model.experts} experts, top {model.top_k}, hidden {model.expert_hidden}"
        if model.moe_blocks
        else "no experts"
    )
    tasks = ", ".join(f"{task.name} ({task.kind}, {task.channels})" for task in model.tasks)
    return (
        f"Model '{model.name}' (0x{model.hash():08X}): {model.image_width}×{model.image_height} pixels, "
        f"{model.tokens} tokens, width {model.width}, {model.heads} heads, {model.depth} blocks\n"
        f"  {experts}; dense hidden {model.mlp_hidden}\n"
        f"  tasks {tasks}; compiled for {', '.join(program.manifest.tasks)}\n"
        f"  pixels of 0 … 1 minus {_numbers(model.pixel_mean)}, divided by {_numbers(model.pixel_std)}"
    )


def _numbers(values: tuple[float, ...]) -> str:
    """One number for channels that are alike."""
    return ", ".join(f"{value:g}" for value in (values[:1] if len(set(values)) == 1 else values))


def _hardware(program: Program) -> str:
    hardware = program.manifest.hardware
    return (
        f"Hardware '{hardware.name}' (0x{hardware.hash():08X}): {hardware.precision}, {hardware.token_par} tokens "
        f"× {hardware.in_par} inputs × {hardware.out_par} outputs = {hardware.macs_per_cycle:,} MACs per cycle\n"
        f"  intended for {hardware.part} at {hardware.clock_mhz} MHz; {hardware.ports} weight ports, "
        f"{hardware.bytes_per_cycle:g} bytes per cycle, {hardware.prefetch_bytes // 1024} KiB of prefetch"
    )


def _memory(program: Program) -> str:
    manifest = program.manifest
    regions = [
        ("weight stream", program.stream.size),
        ("program", program.image.size),
        ("input", manifest.input_bytes),
        ("output", manifest.output_bytes),
    ]
    needs = [
        (what, needed, available, unit)
        for what, needed, available, unit in limits(manifest.model, manifest.tasks, manifest.hardware)
    ]
    traffic = traffic_of(program)
    rows = _residency(program) + (
        f"\n  a frame reads {traffic.weights:,} bytes of weights, loads {traffic.loaded:,} and stores "
        f"{traffic.stored:,} bytes of rows"
    )
    return (
        f"{rows}\n\nMemory regions\n"
        + table(("region", "bytes"), regions)
        + "\n\nOn-chip limits\n"
        + table(("what", "needed", "there is", "unit"), needs)
    )


def _residency(program: Program) -> str:
    """What the program has on the chip at a time, as its own instructions say."""
    attention = [i for i in program.instructions if i.opcode == Opcode.ATTENTION and i.keys]
    if not attention:
        return "All rows stay on the chip"
    loads = [i.rows for i in program.instructions if i.opcode == Opcode.LOAD and i.destination == Buffer.RESIDUAL]
    heads, queries = attention[0].heads, max(i.rows for i in attention)
    return (
        f"Rows lie in memory: {max(loads)} tokens of each task at a time, keys and values of {heads} "
        f"head{'s' if heads > 1 else ''}, {queries} queries"
    )


def _cycles(program: Program, engine: str | None) -> str:
    predicted = predicted_cycles(program)
    clock = program.manifest.hardware.clock_mhz
    header: tuple[str, ...] = ("", "opcode", "label", "stream bytes", "array", "post", "weight wait", "cycles")
    beside: list[int] = []
    said = ""
    if engine == "hls":
        beside = predicted_hls_cycles(program)
        header += ("HLS schedule",)
        said = f"HLS schedule, from trip counts and intended intervals: {sum(beside):,} cycles"
    elif engine == "rtl":
        beside = _counted(program)
        header += ("RTL count",)
        said = f"RTL, counted in simulation on a frame of noise: {sum(beside):,} cycles"
    rows: list[tuple[object, ...]] = []
    for index, (instruction, each) in enumerate(zip(program.instructions, predicted, strict=True)):
        work = (each.stream_bytes, each.mac, each.post, each.wait, each.cycles)
        label = program.manifest.labels[index]
        rows.append((index, instruction.opcode.name, label, *work, *beside[index : index + 1]))
    total = sum(each.cycles for each in predicted)
    steps = sum(each.mac for each in predicted)
    return (
        "Predicted cycles (estimate from shapes; tokens spread evenly over the experts)\n"
        + table(header, rows)
        + f"\n{total:,} cycles a frame, {total / clock / 1e3:.2f} ms at {clock} MHz if that clock is reached; "
        f"the array steps in {100 * steps / total:.0f} % of them" + (f"\n{said}" if said else "")
    )


def _counted(program: Program) -> list[int]:
    """Cycles of each instruction; raises DeviceError where the RTL cannot be built."""
    model = program.manifest.model
    frame = np.random.default_rng(1).integers(0, 256, (model.image_height, model.image_width, 3), dtype=np.uint8)
    device = RtlDevice(program.manifest.hardware)
    with device, Session(program, device) as session:
        session.run(frame)
        return counted_cycles(device, len(program.instructions))
