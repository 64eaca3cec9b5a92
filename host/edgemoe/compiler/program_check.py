"""What a program folder says must agree with itself: with its model, its hardware and its instructions.

The folder may come from anybody, hashes included, so every record is held against what it stands for.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgemoe.spec.faults import FAULT_TEXT, Fault
from edgemoe.spec.isa import MEMORY_WORD, Buffer, Opcode, decode
from edgemoe.spec.legality import element_bytes, memory_span, static_fault
from edgemoe.spec.memory import REGION_ALIGNMENT, round_up, row_pitch
from edgemoe.spec.names import shown
from edgemoe.spec.strict import ConfigError

if TYPE_CHECKING:
    from edgemoe.compiler.program import Manifest

MAX_REGION_BYTES = 1 << 31
_LARGEST_SCALE = 1e30  # so that no result leaves the range of float32

_Place = tuple[Buffer, int, int, int, bool]  # buffer (NONE: a head), address, rows, features, 16 bits wide


def check_manifest(manifest: Manifest) -> None:
    """Raise ConfigError for the first record that does not fit the model, the output region or its neighbours."""
    model = manifest.model
    if not manifest.tasks or len(set(manifest.tasks)) != len(manifest.tasks):
        raise ConfigError("tasks must be named once each and at least one")
    for task in manifest.tasks:
        model.task_index(task)
    expected = model.input_rows * row_pitch(model.embedded_features, 1)
    if manifest.input_bytes != expected:
        raise ConfigError(f"input_bytes must be the {expected:,} of a frame, found {manifest.input_bytes:,}")
    if not 1 <= manifest.output_bytes <= MAX_REGION_BYTES:
        raise ConfigError(f"output_bytes must lie in 1 … {MAX_REGION_BYTES:,}, found {manifest.output_bytes:,}")
    _check_outputs(manifest)
    _check_routing(manifest)
    for index, trace in enumerate(manifest.trace):
        if trace.buffer not in Buffer.__members__ or trace.buffer == Buffer.NONE.name:
            raise ConfigError(f"trace[{index}]: no buffer {shown(trace.buffer)}")
        if not 0 <= trace.instruction < len(manifest.labels):
            raise ConfigError(f"trace[{index}]: no instruction {trace.instruction}, there are {len(manifest.labels)}")
    _check_places(manifest)


def check_instructions(manifest: Manifest, words: NDArray[np.uint32]) -> None:
    """Raise ConfigError unless all instructions [instructions, 16] are legal and write what the manifest names."""
    if not len(words):
        raise ConfigError("there are no instructions")
    if len(manifest.labels) != len(words):
        raise ConfigError(f"{len(manifest.labels):,} labels for {len(words):,} instructions")
    written: dict[tuple[Buffer, int, int, bool], int] = {}
    end = 0
    for index, row in enumerate(words):
        fault = static_fault(row, manifest.hardware, manifest.input_bytes, manifest.output_bytes)
        if fault != Fault.NONE:
            raise ConfigError(f"instruction {index} ({manifest.labels[index]}) is not legal: {FAULT_TEXT[fault]}")
        i = decode(row)
        if i.opcode in (Opcode.HEAD, Opcode.STORE):
            features = i.out_features if i.opcode == Opcode.HEAD else i.in_features
            wide = bool(i.wide_source) and i.opcode == Opcode.STORE
            written[i.source, i.address, features, wide] = i.rows
            head = i.address + i.rows * row_pitch(features, 2)
            end = max(end, head if i.opcode == Opcode.HEAD else i.address + memory_span(i, manifest.hardware))
    for where, place in _places(manifest):
        if not _is_written(place, written, manifest):
            raise ConfigError(f"{where}: no instruction writes {place[2]} rows of {place[3]} at {place[1]:#x}")
    if manifest.output_bytes > round_up(end, REGION_ALIGNMENT):
        raise ConfigError(f"output_bytes is {manifest.output_bytes:,}, the instructions write up to {end:,}")


def _is_written(place: _Place, written: dict[tuple[Buffer, int, int, bool], int], manifest: Manifest) -> bool:
    """Whether instructions write these rows, in one piece or in several that follow each other."""
    buffer, address, rows, features, wide = place
    while rows > 0 and (count := written.get((buffer, address, features, wide), 0)):
        rows -= count
        address += count * row_pitch(features, _element_bytes(buffer, manifest, wide))
    return rows == 0


def _check_outputs(manifest: Manifest) -> None:
    if sorted(record.task for record in manifest.outputs) != sorted(manifest.tasks):
        raise ConfigError("outputs must name each of the tasks once")
    for record in manifest.outputs:
        rows, features = manifest.model.head_rows(record.task)[1], manifest.model.head_outputs(record.task)
        if (record.rows, record.features) != (rows, features):
            found = f"{record.rows} × {record.features}"
            raise ConfigError(f"output of '{record.task}' is {found}, the model's is {rows} × {features}")
        if not 0 < record.scale <= _LARGEST_SCALE:
            raise ConfigError(
                f"output of '{record.task}': scale must be finite and above 0, at most {_LARGEST_SCALE:g}, "
                f"found {record.scale}"
            )


def _check_routing(manifest: Manifest) -> None:
    model = manifest.model
    expected = sorted((task, block) for task in manifest.tasks for block in model.moe_blocks)
    if sorted((record.task, record.block) for record in manifest.routing) != expected:
        raise ConfigError(f"routing must name each task in each of the blocks {list(model.moe_blocks)} once")
    for record in manifest.routing:
        if (record.rows, record.top_k) != (model.tokens, model.top_k):
            raise ConfigError(
                f"routing of '{record.task}' in block {record.block} is {record.rows} × {record.top_k}, "
                f"the model's is {model.tokens} × {model.top_k}"
            )


def _check_places(manifest: Manifest) -> None:
    """Aligned, inside the output region, and apart from each other."""
    spans = []
    for where, (buffer, address, rows, features, wide) in _places(manifest):
        if address < 0 or address % MEMORY_WORD:
            raise ConfigError(f"{where}: address {address} is not a multiple of {MEMORY_WORD}")
        end = address + rows * row_pitch(features, _element_bytes(buffer, manifest, wide))
        if rows < 1 or features < 1 or end > manifest.output_bytes:
            raise ConfigError(
                f"{where}: {rows} rows of {features} at {address:#x} are not inside the "
                f"{manifest.output_bytes:,} bytes of the output region"
            )
        spans.append((address, end, where))
    for (_, end, first), (start, _, second) in pairwise(sorted(spans)):
        if start < end:
            raise ConfigError(f"{second} overlaps {first} at {start:#x}")


def _places(manifest: Manifest) -> Iterator[tuple[str, _Place]]:
    """Every record of the output region: what to call it, and where it lies."""
    for output in manifest.outputs:
        yield f"output of '{output.task}'", (Buffer.NONE, output.address, output.rows, output.features, False)
    for each in manifest.routing:
        place = (Buffer.ROUTING, each.address, each.rows, each.top_k, False)
        yield f"routing of '{each.task}' in block {each.block}", place
    for index, trace in enumerate(manifest.trace):
        yield f"trace[{index}]", (Buffer[trace.buffer], trace.address, trace.rows, trace.features, trace.wide)


def _element_bytes(buffer: Buffer, manifest: Manifest, wide: bool) -> int:
    return 2 if buffer == Buffer.NONE else element_bytes(buffer, manifest.hardware, wide)
