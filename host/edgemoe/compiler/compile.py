"""Compile: quantised model + tasks + hardware → Program.

Places the steps of the schedule in memory: segment numbers in the weight stream, addresses in the output region, and,
when tracing, a STORE after every instruction for each buffer it wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from edgemoe.compiler.fits import require_fit
from edgemoe.compiler.options import require_options
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
from edgemoe.compiler.schedule import schedule
from edgemoe.compiler.step import Step
from edgemoe.spec.calibrated import load_calibrated
from edgemoe.spec.calibration import load_calibration
from edgemoe.spec.checkpoint import CALIBRATION_FILE, DECODER_FILE, load_checkpoint
from edgemoe.spec.faults import FAULT_TEXT, Fault
from edgemoe.spec.files import read_limited
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.isa import (
    ISA_VERSION,
    Buffer,
    Instruction,
    Opcode,
    encode,
)
from edgemoe.spec.legality import Rows, element_bytes, static_fault
from edgemoe.spec.memory import Bytes, round_up, row_pitch, segment

Progress = Callable[[int, int], None]


@dataclass
class _Placement:
    """Everything that grows while steps are placed."""

    hardware: HardwareConfig
    instructions: list[Instruction] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    segments: list[Bytes] = field(default_factory=list)
    outputs: list[OutputRecord] = field(default_factory=list)
    routing: list[RoutingRecord] = field(default_factory=list)
    trace: list[TraceRecord] = field(default_factory=list)
    output_bytes: int = 0

    def add(self, label: str, instruction: Instruction) -> None:
        """Append an instruction."""
        self.instructions.append(instruction)
        self.labels.append(label)

    def reserve(self, rows: int, features: int, bytes_each: int) -> int:
        """Address of a fresh piece of the output region, aligned to 64 bytes."""
        address = self.output_bytes
        self.output_bytes += round_up(rows * row_pitch(features, bytes_each), 64)
        return address

    def store(self, label: str, what: Rows) -> int:
        """Append a STORE of some rows; returns their address."""
        address = self.reserve(what.rows, what.features, element_bytes(what.buffer, self.hardware, what.wide))
        instruction = Instruction(
            Opcode.STORE,
            source=what.buffer,
            wide_source=int(what.wide),
            rows=what.rows,
            in_features=what.features,
            source_row=what.first,
            address=address,
        )
        self.add(label, instruction)
        return address


def compile_model(
    model: QuantisedModel,
    tasks: Sequence[str],
    hardware: HardwareConfig,
    trace: bool = False,
    progress: Progress | None = None,
) -> Program:
    """Compile for `tasks` (one, or several of a frame together).

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
    steps = schedule(model, tasks, hardware)
    placement = _Placement(hardware)
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
    return _with_decoder(compile_model(model, chosen, hardware, trace, progress), folder)


def _with_decoder(program: Program, folder: Path) -> Program:
    """The program with the checkpoint's host decoder, if there is one and the features that it reads are computed."""
    manifest, path = program.manifest, folder / DECODER_FILE
    read = any(task.kind == "features" and task.name in manifest.tasks for task in manifest.model.tasks)
    if not read or not path.is_file():
        return program
    try:
        decoder = read_limited(path, MAX_FILE_BYTES)
    except OSError as error:
        raise ProgramError(f"{path}: cannot be read ({error.strerror})") from error
    sha256 = digests(program.image, program.stream, decoder)
    return replace(program, manifest=replace(manifest, sha256=sha256), decoder=decoder)


def _place(step: Step, model: QuantisedModel, placement: _Placement, trace: bool) -> None:
    instruction = step.instruction
    if step.payloads:
        instruction = replace(instruction, segment=len(placement.segments))
    if instruction.opcode == Opcode.HEAD:
        address = placement.reserve(instruction.rows, instruction.out_features, 2)
        instruction = replace(instruction, address=address)
        scale = model.heads[step.task].output_scale
        record = OutputRecord(step.task, address, instruction.rows, instruction.out_features, scale)
        placement.outputs.append(record)
    for kind, make in step.payloads:
        placement.segments.append(segment(len(placement.segments), kind, make()))
    index = len(placement.instructions)
    placement.add(step.label, instruction)
    if instruction.opcode == Opcode.GATE:
        first, rows, top_k = instruction.destination_row, instruction.rows, instruction.top_k
        address = placement.store(f"{step.label} routing", Rows(Buffer.ROUTING, first, rows, top_k))
        placement.routing.append(RoutingRecord(step.task, step.block, address, rows, top_k))
    if trace:
        for written in step.writes:
            label = f"trace {step.label} {written.buffer.name}"
            address = placement.store(label, written)
            place = (written.buffer.name, address, written.rows, written.features, written.wide)
            placement.trace.append(TraceRecord(index, step.label, *place))


def _program(model: QuantisedModel, tasks: tuple[str, ...], placement: _Placement) -> Program:
    hardware, config = placement.hardware, model.config
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
    return replace(draft, manifest=replace(manifest, sha256=digests(draft.image, stream)))
