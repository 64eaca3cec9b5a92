"""Program: all that a device needs to run a model, and all that a host needs to read the results.

On disk a folder with `manifest.json` (versions, shapes, scales, sha256 of the binaries), `program.bin` (header and
instructions), `weights.bin` (the weight stream, before striping over ports), and for some models `decoder.onnx`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgemoe.compiler.program_check import check_instructions, check_manifest
from edgemoe.errors import EdgeMoeError
from edgemoe.spec.checkpoint import DECODER_FILE, PREPROCESSOR_FILE
from edgemoe.spec.files import restore, whole_folder
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.isa import (
    INSTRUCTION_BYTES,
    INSTRUCTION_WORDS,
    ISA_VERSION,
    STREAM_LINE,
    Buffer,
    Instruction,
    Opcode,
    decode,
    raw_fields,
)
from edgemoe.spec.legality import element_bytes
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.program_header import ProgramHeader, decode_header, encode_header
from edgemoe.spec.registers import IDENTITY
from edgemoe.spec.strict import ConfigError, from_dict, read_json, to_dict

PROGRAM_VERSION = 2
MANIFEST_FILE, PROGRAM_FILE, WEIGHTS_FILE = "manifest.json", "program.bin", "weights.bin"
MAX_FILE_BYTES = 1 << 31
GRAPH_FILES = (DECODER_FILE, PREPROCESSOR_FILE)
_UNITS = {PROGRAM_FILE: INSTRUCTION_BYTES, WEIGHTS_FILE: STREAM_LINE, **dict.fromkeys(GRAPH_FILES, 1)}


class ProgramError(EdgeMoeError, ValueError):
    """A program that cannot be used; the message says what is wrong with it and what to do."""


@dataclass(frozen=True)
class OutputRecord:
    """Where a task's head output lies: rows [patches] of int16 features [C·s²]; real = scale·integer."""

    task: str
    address: int
    rows: int
    features: int
    scale: float


@dataclass(frozen=True)
class RoutingRecord:
    """Where the routing of one task in one MoE block lies: rows [tokens] of top_k pairs (expert, score in Q.16)."""

    task: str
    block: int
    address: int
    rows: int
    top_k: int


@dataclass(frozen=True)
class TraceRecord:
    """A buffer stored after an instruction, for comparing engines: rows of `features` values, of 16 bits if `wide`."""

    instruction: int
    label: str
    buffer: str
    address: int
    rows: int
    features: int
    wide: bool

    def value_type(self, hardware: HardwareConfig) -> str:
        """Memory type of its values, as NumPy writes it."""
        buffer = Buffer[self.buffer]
        return f"<{'u' if buffer == Buffer.ROUTING else 'i'}{element_bytes(buffer, hardware, self.wide)}"


@dataclass(frozen=True)
class Manifest:
    """What the binaries are. labels: one readable name per instruction; sha256: of every binary, by file name."""

    program_version: int
    isa_version: int
    model: ModelConfig
    tasks: tuple[str, ...]
    hardware: HardwareConfig
    config_hash: int
    input_bytes: int
    output_bytes: int
    outputs: tuple[OutputRecord, ...]
    routing: tuple[RoutingRecord, ...]
    trace: tuple[TraceRecord, ...]
    labels: tuple[str, ...]
    sha256: dict[str, str]


@dataclass(frozen=True)
class Program:
    """manifest; words: encoded instructions uint32 [instructions, 16]; stream: the weight stream, uint8.

    decoder: the graph that the host runs on features (edgemoe.decoder), empty for most models. preprocessor: the one
    that it runs on pictures (edgemoe.fitting), likewise.
    """

    manifest: Manifest
    words: NDArray[np.uint32]
    stream: NDArray[np.uint8]
    decoder: bytes = b""
    preprocessor: bytes = b""

    @property
    def graphs(self) -> dict[str, bytes]:
        """Graphs that the host runs, by file name."""
        found = {DECODER_FILE: self.decoder, PREPROCESSOR_FILE: self.preprocessor}
        return {name: content for name, content in found.items() if content}

    @property
    def instructions(self) -> list[Instruction]:
        """Decoded instructions."""
        return [decode(row) for row in self.words]

    def described(self, index: int) -> str:
        """An instruction by number, name and label, whatever its words are."""
        words, labels = self.words, self.manifest.labels
        if index >= len(words):
            return f"instruction {index}, beyond the program's end"
        number = raw_fields(words[index])["opcode"]
        name = Opcode(number).name if number in list(Opcode) else f"opcode {number}"
        label = f" ({labels[index]})" if index < len(labels) else ""
        return f"instruction {index} {name}{label}"

    @property
    def image(self) -> NDArray[np.uint8]:
        """Header and instructions as they lie in memory."""
        header = encode_header(
            ProgramHeader(
                config_hash=self.manifest.config_hash,
                instructions=len(self.words),
                stream_lines=self.stream.size // STREAM_LINE,
                input_bytes=self.manifest.input_bytes,
                output_bytes=self.manifest.output_bytes,
            ),
            IDENTITY,
        )
        return np.concatenate([header, self.words.reshape(-1)]).astype("<u4").view(np.uint8)

    def save(self, folder: Path) -> None:
        """Write the files; the folder appears whole, or an older program stays, whenever this is stopped.

        Raises ProgramError for a folder that is there and holds something else.
        """
        restore(folder)
        if folder.exists():
            _require_program_folder(folder)
        with whole_folder(folder, "replace") as fresh:
            (fresh / PROGRAM_FILE).write_bytes(self.image.tobytes())
            (fresh / WEIGHTS_FILE).write_bytes(self.stream.tobytes())
            for name, content in self.graphs.items():
                (fresh / name).write_bytes(content)
            text = json.dumps(to_dict(self.manifest), indent=1)
            (fresh / MANIFEST_FILE).write_text(text + "\n", encoding="utf-8")


def digests(program: Program) -> dict[str, str]:
    """sha256 of the binaries, by file name."""
    contents = {PROGRAM_FILE: program.image.tobytes(), WEIGHTS_FILE: program.stream.tobytes(), **program.graphs}
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}


def load_program(folder: Path) -> Program:
    """Read and check a program folder, as one that anybody may have made.

    Raises ProgramError when it is missing, altered, of another version, or when a record in it cannot be true.
    """
    restore(folder)
    _require_program_folder(folder)
    try:
        manifest = from_dict(Manifest, read_json(folder / MANIFEST_FILE), MANIFEST_FILE)
    except ConfigError as error:
        raise ProgramError(f"{folder}: {error}; compile the model again") from error
    if (manifest.program_version, manifest.isa_version) != (PROGRAM_VERSION, ISA_VERSION):
        raise ProgramError(
            f"{folder}: program version {manifest.program_version}.{manifest.isa_version}, this package runs "
            f"{PROGRAM_VERSION}.{ISA_VERSION}; compile the model again"
        )
    if manifest.config_hash != manifest.hardware.hash():
        raise ProgramError(f"{folder}: config hash and hardware configuration disagree; compile the model again")
    if set(manifest.sha256) - set(GRAPH_FILES) != {PROGRAM_FILE, WEIGHTS_FILE}:
        raise ProgramError(f"{folder}: sha256 must name {PROGRAM_FILE} and {WEIGHTS_FILE}; compile the model again")
    image, stream = (_read_binary(folder, name, manifest) for name in (PROGRAM_FILE, WEIGHTS_FILE))
    words = image.view("<u4").reshape(-1, INSTRUCTION_WORDS)
    try:
        decode_header(words[0], IDENTITY)
    except ValueError as error:
        raise ProgramError(f"{folder}: {PROGRAM_FILE}: {error}; compile the model again") from error
    graphs = [
        _read_binary(folder, name, manifest).tobytes() if name in manifest.sha256 else b"" for name in GRAPH_FILES
    ]
    program = Program(manifest, words[1:].astype(np.uint32), stream, *graphs)
    try:
        check_manifest(manifest)
        if not np.array_equal(program.image, image):
            raise ProgramError(f"{folder}: header, manifest and file sizes disagree; compile the model again")
        check_instructions(manifest, program.words)
    except ConfigError as error:
        raise ProgramError(f"{folder}: {error}; compile the model again") from error
    return program


def _require_program_folder(folder: Path) -> None:
    if not (folder / MANIFEST_FILE).is_file():
        raise ProgramError(f"{folder}: not a program folder (no {MANIFEST_FILE}); make one with `edgemoe compile`")


def _read_binary(folder: Path, name: str, manifest: Manifest) -> NDArray[np.uint8]:
    path = folder / name
    if not path.is_file():
        raise ProgramError(f"{path}: missing; compile the model again")
    size = path.stat().st_size
    if size > MAX_FILE_BYTES or size == 0 or size % _UNITS[name]:
        raise ProgramError(f"{path}: {size} bytes is not a size that this file can have; it is truncated or altered")
    data = np.fromfile(path, dtype=np.uint8)
    if hashlib.sha256(data.tobytes()).hexdigest() != manifest.sha256.get(name):
        raise ProgramError(f"{path}: contents differ from the manifest's sha256; it is truncated or altered")
    return data
