"""The loop ARRAY takes the cycles that the analytic schedule says, to the cycle, for every kind of pass."""

from __future__ import annotations

import ctypes
from dataclasses import replace

import numpy as np
import pytest

from edgemoe.compiler.hls_array import array_cycles
from edgemoe.kernels.csim import CsimMachine
from edgemoe.spec.hardware import HardwareConfig, load_hardware_config
from edgemoe.spec.isa import Buffer, Epilogue, Instruction, Opcode
from edgemoe.spec.memory import Bytes
from sim.common.shapes import shape

ROWS, WIDTH, HIDDEN = 129, 192, 384
SINGLE = [pytest.param(name, marks=pytest.mark.slow) for name in ("wide_tokens", "narrow", "narrow_tiles")]
QUEUES = {
    "even": [16, 17, 16, 16, 16, 16, 16, 16],
    "first and last empty": [0, 40, 3, 0, 0, 86, 1, 0],
    "one": [0, 0, 0, 129, 0, 0, 0, 0],
    "short before long": [1, 1, 60, 1, 8, 9, 0, 49],
}


@pytest.fixture(scope="module", params=["zcu102", "kv260", "micro", "micro_w16a16", "zcu102_w16a16"])
def machine(request: pytest.FixtureRequest) -> CsimMachine:
    machine = CsimMachine(load_hardware_config(request.param))
    machine.library.edgemoe_cycles.restype = ctypes.c_uint64
    return machine


def stream(lines: int) -> Bytes:
    return np.zeros(64 * lines, dtype=np.uint8)


def lines(inputs: int, outputs: int, hardware: HardwareConfig, records: bool = True, narrow: bool = False) -> int:
    """Lines of one product's weights."""
    size = hardware.numbers.activation_bits // 8
    tile = hardware.in_par * hardware.out_par * size // 64 * (1 if records else hardware.numbers.gate_digits)
    channels = hardware.out_par * hardware.numbers.channel_bytes // 64 if records else 0
    weights = -(-inputs // hardware.in_par) * tile
    return -(-outputs // hardware.out_par) * (channels + (-(-weights // 2) if narrow else weights))


def counted(machine: CsimMachine, instruction: Instruction, payloads: list[Bytes], **memory: Bytes) -> int:
    before = machine.library.edgemoe_cycles(machine._handle)
    machine.execute(instruction, payloads, **memory)
    return int(machine.library.edgemoe_cycles(machine._handle)) - before


def filled(machine: CsimMachine, *buffers: Buffer, rows: int = ROWS + 5, features: int = WIDTH) -> None:
    for buffer in buffers:
        machine.poke(buffer, np.zeros((rows, features), dtype=np.int64))


@pytest.mark.parametrize("rows", [1, 8, 129])
@pytest.mark.parametrize("source_row", [0, 5])
@pytest.mark.parametrize(
    ("epilogue", "source", "destination", "inputs", "outputs"),
    [
        (Epilogue.QKV, Buffer.NORM, Buffer.QUERY, WIDTH, 3 * WIDTH),
        (Epilogue.GELU, Buffer.NORM, Buffer.HIDDEN, 16, 4 * WIDTH),
        (Epilogue.RESIDUAL, Buffer.HIDDEN, Buffer.RESIDUAL, 4 * WIDTH, WIDTH),
    ],
)
def test_linear(
    machine: CsimMachine,
    rows: int,
    source_row: int,
    epilogue: Epilogue,
    source: Buffer,
    destination: Buffer,
    inputs: int,
    outputs: int,
) -> None:
    filled(machine, source, features=inputs)
    filled(machine, Buffer.RESIDUAL)
    fields = {"rows": rows, "in_features": inputs, "out_features": outputs, "source_row": source_row, "segments": 1}
    instruction = Instruction(Opcode.LINEAR, epilogue=epilogue, source=source, destination=destination, **fields)
    payload = stream(lines(inputs, outputs, machine.hardware))
    assert [counted(machine, instruction, [payload])] == array_cycles(instruction, machine.hardware)


@pytest.mark.parametrize("rows", [1, 17, 70, 129])
@pytest.mark.parametrize(("heads", "source_row"), [(1, 0), (3, 0), (3, 5), (12, 0)])
def test_attention(machine: CsimMachine, rows: int, heads: int, source_row: int) -> None:
    filled(machine, Buffer.QUERY, Buffer.KEY, Buffer.VALUE)
    fields = {"rows": rows, "in_features": WIDTH, "heads": heads, "source_row": source_row, "output_multiplier": 1}
    instruction = Instruction(Opcode.ATTENTION, **fields)
    assert counted(machine, instruction, []) == sum(array_cycles(instruction, machine.hardware))


@pytest.mark.parametrize("rows", [1, 129])
def test_gate_and_head(machine: CsimMachine, rows: int) -> None:
    filled(machine, Buffer.GATE_INPUT, Buffer.NORM, Buffer.RESIDUAL)
    gate = Instruction(Opcode.GATE, rows=rows, in_features=WIDTH, experts=16, top_k=2, segments=1)
    payload = stream(lines(WIDTH, 16, machine.hardware, records=False))
    assert [counted(machine, gate, [payload])] == array_cycles(gate, machine.hardware)
    machine.empty_queues()
    filled(machine, Buffer.NORM)
    head = Instruction(Opcode.HEAD, rows=rows, in_features=WIDTH, out_features=20, segments=1)
    output = np.zeros(rows * 48, dtype=np.uint8)
    payload = stream(lines(WIDTH, 20, machine.hardware))
    assert [counted(machine, head, [payload], output=output)] == array_cycles(head, machine.hardware)


@pytest.mark.parametrize("case", QUEUES)
def test_experts(machine: CsimMachine, case: str) -> None:
    queues = QUEUES[case]
    machine.empty_queues()
    filled(machine, Buffer.NORM, Buffer.RESIDUAL)
    for expert, length in enumerate(queues):
        for row in range(length):
            machine.enqueue(expert, (7 * row) % ROWS, row, 100)
    fields = {"in_features": WIDTH, "hidden_features": HIDDEN, "experts": len(queues), "segments": len(queues)}
    instruction = Instruction(Opcode.EXPERTS, **fields)
    each = lines(WIDTH, HIDDEN, machine.hardware) + lines(HIDDEN, WIDTH, machine.hardware)
    payloads = [stream(each) for _ in queues]
    assert [counted(machine, instruction, payloads)] == array_cycles(instruction, machine.hardware, queues)


def test_a_gate_with_a_bias_loads_its_records_first() -> None:
    hardware = shape("gate_forms")
    machine = CsimMachine(hardware)
    machine.library.edgemoe_cycles.restype = ctypes.c_uint64
    filled(machine, Buffer.GATE_INPUT, Buffer.NORM, Buffer.RESIDUAL)
    gate = Instruction(Opcode.GATE, rows=9, in_features=WIDTH, experts=16, top_k=2, segments=1, biased=1)
    records = 16 * hardware.numbers.channel_bytes // 64
    payload = stream(records + lines(WIDTH, 16, hardware, records=False))
    assert [counted(machine, gate, [payload])] == array_cycles(gate, hardware)


@pytest.mark.parametrize("name", ["wide_tokens_pairs", *SINGLE])
@pytest.mark.parametrize("rows", [1, 129])
def test_wide_tokens_and_narrow_weights(name: str, rows: int) -> None:
    hardware = shape(name)
    machine = CsimMachine(hardware)
    machine.library.edgemoe_cycles.restype = ctypes.c_uint64
    wide, narrow = int(hardware.wide_tokens), hardware.narrow_weights
    source = Buffer.GATE_INPUT if wide else Buffer.NORM
    widths = {"wide_source": wide, "narrow_weights": int(narrow), "segments": 1}
    filled(machine, source, Buffer.RESIDUAL)
    linear = Instruction(
        Opcode.LINEAR, epilogue=Epilogue.QKV, source=source, destination=Buffer.QUERY, rows=rows, in_features=WIDTH,
        out_features=3 * WIDTH, **widths,
    )  # fmt: skip
    head = Instruction(Opcode.HEAD, rows=rows, in_features=WIDTH, out_features=20, **widths)
    for instruction in (linear, head):
        payload = stream(lines(WIDTH, instruction.out_features, hardware, narrow=narrow))
        output = np.zeros(rows * 48, dtype=np.uint8)
        assert [counted(machine, instruction, [payload], output=output)] == array_cycles(instruction, hardware)
    queues = [rows, 0, 3]
    for expert, length in enumerate(queues):
        for row in range(length):
            machine.enqueue(expert, row, row, 100)
    widths |= {"in_features": WIDTH, "hidden_features": HIDDEN, "experts": 3, "segments": 3}
    experts = Instruction(Opcode.EXPERTS, **widths)
    each = lines(WIDTH, HIDDEN, hardware, narrow=narrow) + lines(HIDDEN, WIDTH, hardware, narrow=narrow)
    assert [counted(machine, experts, [stream(each)] * 3)] == array_cycles(experts, hardware, queues)


@pytest.mark.parametrize("name", ["wide_inner_pairs", pytest.param("wide_inner", marks=pytest.mark.slow)])
@pytest.mark.parametrize("rows", [1, 129])
def test_wide_queries_keys_values_and_hidden_layers(name: str, rows: int) -> None:
    """What is written in 16 bits, by either width, is read again."""
    hardware = shape(name)
    machine = CsimMachine(hardware)
    machine.library.edgemoe_cycles.restype = ctypes.c_uint64
    filled(machine, Buffer.NORM, Buffer.RESIDUAL, Buffer.GATE_INPUT, rows=rows)
    sizes = {"rows": rows, "in_features": WIDTH, "out_features": 3 * WIDTH, "segments": 1}
    qkv = Instruction(
        Opcode.LINEAR, epilogue=Epilogue.QKV, source=Buffer.NORM, destination=Buffer.QUERY, wide_result=1, **sizes
    )
    gelu = replace(qkv, epilogue=Epilogue.GELU, destination=Buffer.HIDDEN)
    down = Instruction(
        Opcode.LINEAR, epilogue=Epilogue.RESIDUAL, source=Buffer.HIDDEN, destination=Buffer.RESIDUAL, wide_source=1,
        rows=rows, in_features=3 * WIDTH, out_features=WIDTH, segments=1,
    )  # fmt: skip
    of_tokens = [replace(each, source=Buffer.GATE_INPUT, wide_source=1) for each in (qkv, gelu)]
    for instruction in (qkv, gelu, *of_tokens, down):
        payload = stream(lines(instruction.in_features, instruction.out_features, hardware))
        assert [counted(machine, instruction, [payload])] == array_cycles(instruction, hardware)
    for heads in (1, 3, 12):
        attention = Instruction(
            Opcode.ATTENTION, rows=rows, in_features=WIDTH, heads=heads, wide_source=1, output_multiplier=1
        )
        assert counted(machine, attention, []) == sum(array_cycles(attention, hardware)), f"{heads} heads"
    queues = [rows, 0, 3]
    for expert, length in enumerate(queues):
        for row in range(min(rows, length)):
            machine.enqueue(expert, row, row, 100)
    queues = [min(rows, length) for length in queues]
    widths = {"wide_source": 1, "wide_result": 1, "experts": 3, "segments": 3}
    experts = Instruction(Opcode.EXPERTS, in_features=WIDTH, hidden_features=HIDDEN, **widths)
    each = lines(WIDTH, HIDDEN, hardware) + lines(HIDDEN, WIDTH, hardware)
    assert [counted(machine, experts, [stream(each)] * 3)] == array_cycles(experts, hardware, queues)
