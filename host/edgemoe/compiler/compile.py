"""Compile: quantised model + tasks + hardware → Program.

Places the steps of the schedule in memory: segment numbers in the weight stream, addresses in the output region, and,
when tracing, a STORE after every instruction for each buffer it wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgemoe.compiler.fits import require_fit
from edgemoe.compiler.options import require_options
from edgemoe.compiler.overlap import overlapped
from edgemoe.compiler.placement import Placement
from edgemoe.compiler.program import (
    MAX_FILE_BYTES,
    PROGRAM_VERSION,
    Manifest,
    OutputRecord,
    Program,
    ProgramError,
    RoutingRecord,
    TraceRecord,
    digests,
)
from edgemoe.compiler.quantise import quantise
from edgemoe.compiler.quantised import QuantisedModel
from edgemoe.compiler.residency import Blocks, Need, blocks_of, is_resident
from edgemoe.compiler.schedule import schedule
from edgemoe.compiler.step import Step
from edgemoe.compiler.streamed import StreamedScheduler
from edgemoe.spec.calibrated import load_calibrated
from edgemoe.spec.calibration import load_calibration
from edgemoe.spec.checkpoint import CALIBRATION_FILE, DECODER_FILE, PREPROCESSOR_FILE, load_checkpoint
from edgemoe.spec.faults import FAULT_TEXT, Fault
from edgemoe.spec.files import read_limited
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.isa import (
    ISA_VERSION,
    Buffer,
    Opcode,
    encode,
)
from edgemoe.spec.legality import Rows, element_bytes, static_fault
from edgemoe.spec.memory import row_pitch

Progress = Callable[[int, int], None]


def compile_model(
    model: QuantisedModel,
    tasks: Sequence[str],
    hardware: HardwareConfig,
    trace: bool = False,
    progress: Progress | None = None,
    blocks: Blocks | None = None,
) -> Program:
    """Compile for `tasks` (one, or several of a frame together).

    blocks: of rows that lie in memory between instructions; None: all stay on the chip if they fit, else the largest.
    trace: also store what every instruction wrote; progress(done, all) is called per step.
    Raises ProgramError for an unknown or repeated task or another precision, DoesNotFitError with the numbers.
    """
    names = [task.name for task in model.config.tasks]
    for task in tasks:
        if task not in names:
            raise ProgramError(f"unknown task '{task}'; model '{model.config.name}' has {', '.join(names)}")
    if not tasks or len(set(tasks)) != len(tasks):
        raise ProgramError(f"tasks must be named once each and at least one, found {', '.join(tasks) or 'none'}")
    if model.precision != hardware.numbers:
        raise ProgramError(f"model is quantised for {model.precision.name}, hardware is {hardware.precision}")
    require_options(model, hardware)
    require_fit(model.config, tuple(tasks), hardware, model.wide)
    need = Need(model.config, len(tasks), hardware, model.wide)
    placement = Placement(hardware)
    if blocks is None and not is_resident(need):
        blocks = blocks_of(need)
    if blocks is None:
        steps = schedule(model, tasks, hardware)
    else:
        streamed = StreamedScheduler(model, tasks, hardware, blocks)
        steps, placement.output_bytes = overlapped(list(streamed.steps()), hardware), streamed.workspace.bytes
    for number, step in enumerate(steps):
        _place(step, model, placement, trace)
        if progress:
            progress(number + 1, len(steps))
    return _program(model, tuple(tasks), placement)


def compile_checkpoint(
    folder: Path,
    tasks: Sequence[str] | None,
    hardware: HardwareConfig,
    trace: bool = False,
    progress: Progress | None = None,
) -> Program:
    """Read a checkpoint folder and compile it; tasks None means all of the model's. A decoder there goes along."""
    config, tensors = load_checkpoint(folder)
    calibration = load_calibration(folder / CALIBRATION_FILE, config)
    chosen = [task.name for task in config.tasks] if tasks is None else tasks
    for task in chosen:
        config.task_index(task)
    require_fit(config, tuple(chosen), hardware, calibration.wide if not hardware.numbers.fine else ())
    calibrated = load_calibrated(folder, config, tensors, calibration)
    model = quantise(config, tensors, calibration, hardware.numbers, calibrated)
    return _with_graphs(compile_model(model, chosen, hardware, trace, progress), folder)


def _with_graphs(program: Program, folder: Path) -> Program:
    """The program with the checkpoint's graphs for the host: its preprocessor, and its decoder if the features that it
    reads are computed."""
    manifest = program.manifest
    read = any(task.kind == "features" and task.name in manifest.tasks for task in manifest.model.tasks)
    decoder = _graph(folder / DECODER_FILE) if read else b""
    whole = replace(program, decoder=decoder, preprocessor=_graph(folder / PREPROCESSOR_FILE))
    return replace(whole, manifest=replace(manifest, sha256=digests(whole))) if whole.graphs else program


def _graph(path: Path) -> bytes:
    """The file's content, empty where there is none; raises ProgramError."""
    try:
        return read_limited(path, MAX_FILE_BYTES) if path.is_file() else b""
    except OSError as error:
        raise ProgramError(f"{path}: cannot be read ({error.strerror})") from error


def _place(step: Step, model: QuantisedModel, placement: Placement, trace: bool) -> None:
    instruction = placement.numbered(step)
    rows = step.rows_of_all or instruction.rows
    if instruction.opcode == Opcode.HEAD:
        address, whole = placement.rows_at((step.task, -1), step, instruction.out_features, 2)
        instruction = replace(instruction, address=address)
        if step.rows_before == 0:
            scale = model.heads[step.task].output_scale
            placement.outputs.append(OutputRecord(step.task, whole, rows, instruction.out_features, scale))
    index = len(placement.instructions)
    placement.add(step.label, instruction)
    if instruction.opcode == Opcode.GATE:
        routed = Rows(Buffer.ROUTING, instruction.destination_row, instruction.rows, instruction.top_k)
        size = element_bytes(Buffer.ROUTING, placement.hardware)
        address, whole = placement.rows_at((step.task, step.block), step, routed.features, size)
        placement.store(f"{step.label} routing", routed, address)
        if step.rows_before == 0:
            placement.routing.append(RoutingRecord(step.task, step.block, whole, rows, routed.features))
    if trace:
        for written in step.writes:
            label = f"trace {step.label} {written.buffer.name}"
            address = placement.store(label, written)
            place = (written.buffer.name, address, written.rows, written.features, written.wide)
            placement.trace.append(TraceRecord(index, step.label, *place))


def _program(model: QuantisedModel, tasks: tuple[str, ...], placement: Placement) -> Program:
    hardware, config = placement.hardware, model.config
    placement.declare_repeats()
    words = np.stack([encode(instruction) for instruction in placement.instructions])
    input_bytes = config.input_rows * row_pitch(config.embedded_features, 1)
    for index, row in enumerate(words):
        fault = static_fault(row, hardware, input_bytes, placement.output_bytes)
        if fault != Fault.NONE:
            raise ProgramError(f"instruction {index} ({placement.labels[index]}) is not legal: {FAULT_TEXT[fault]}")
    stream = np.concatenate(placement.segments)
    manifest = Manifest(
        program_version=PROGRAM_VERSION,
        isa_version=ISA_VERSION,
        model=config,
        tasks=tasks,
        hardware=hardware,
        config_hash=hardware.hash(),
        input_bytes=input_bytes,
        output_bytes=placement.output_bytes,
        outputs=tuple(placement.outputs),
        routing=tuple(placement.routing),
        trace=tuple(placement.trace),
        labels=tuple(placement.labels),
        sha256={},
    )
    draft = Program(manifest, words, stream)
    return replace(draft, manifest=replace(manifest, sha256=digests(draft)))
