"""What random programs draw for rows in memory, in builds with the option `streaming`: fields of LOAD, STORE and
ATTENTION, and parts of the weight stream.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgemoe.spec.hardware import VECTOR, HardwareConfig
from edgemoe.spec.isa import MEMORY_WORD, Buffer, Instruction, Opcode, encode
from edgemoe.spec.legality import EITHER_WIDTH, LOADED, element_bytes
from edgemoe.spec.memory import row_pitch
from tests.fuzz.mutate import Rng, pick

_PARTS = 3


def memory_value(
    rng: Rng,
    hardware: HardwareConfig,
    opcode: Opcode,
    name: str,
    so_far: dict[str, int],
    shape: dict[Buffer, tuple[int, int]],
) -> int | None:
    """A value that has a chance; None: not a matter of rows in memory. shape: valid rows and features by scratchpad."""
    target = Buffer(so_far.get("destination", 0))
    match name:
        case "destination" if opcode == Opcode.LOAD:
            return int(pick(rng, LOADED))
        case "wide_result" if opcode == Opcode.LOAD:
            return int(rng.integers(2)) if target in EITHER_WIDTH else 0
        case "rows" if opcode == Opcode.LOAD:
            return int(rng.integers(1, 9))
        case "in_features" if opcode == Opcode.LOAD:
            return int(pick(rng, (shape[target][1] or VECTOR, VECTOR * int(rng.integers(1, 5)))))
        case "destination_row" if opcode == Opcode.LOAD:
            return int(pick(rng, (0, shape[target][0])))
        case "pitch":
            return _pitch(rng, hardware, opcode, so_far)
        case "keys":
            most = min(shape[Buffer.KEY][0], hardware.max_tokens)
            return int(rng.integers(1, most + 1)) if most and rng.random() < 0.6 else 0
        case "key_row":
            left = shape[Buffer.KEY][0] - so_far["keys"]
            return int(rng.integers(0, left + 1)) if so_far["keys"] and left > 0 else 0
    return None


def _pitch(rng: Rng, hardware: HardwareConfig, opcode: Opcode, so_far: dict[str, int]) -> int:
    """None, or a few words more than a row has."""
    loads = opcode == Opcode.LOAD
    buffer, wide = (
        (Buffer(so_far["destination"]), "wide_result") if loads else (Buffer(so_far["source"]), "wide_source")
    )
    if buffer == Buffer.ROUTING or rng.random() < 0.5:
        return 0
    row = row_pitch(so_far["in_features"], element_bytes(buffer, hardware, so_far.get(wide, 0)))
    return row // MEMORY_WORD + int(rng.integers(0, 5))


def parts(rng: Rng, instructions: Sequence[Instruction], sizes: Sequence[int]) -> list[np.ndarray]:
    """REPEATs that cut the stream between instructions, each part streamed once. sizes: of the segments, in bytes."""
    ends = sorted({i.segment + i.segments for i in instructions if i.segments})
    chosen = (
        sorted(rng.choice(ends, min(len(ends), int(rng.integers(0, _PARTS + 1))), replace=False).tolist())
        if ends
        else []
    )
    found, first, bytes_before = [], 0, np.cumsum([0, *sizes])
    for end in chosen:
        address = int(bytes_before[end])
        found.append(encode(Instruction(Opcode.REPEAT, rows=1, segment=first, segments=end - first, address=address)))
        first = end
    return found
