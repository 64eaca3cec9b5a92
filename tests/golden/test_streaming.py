"""Models larger than the chip: rows lie in memory between instructions, and no integer depends on the size of blocks.

Each program is compiled twice, with all rows on the chip and with blocks of them, and must give the same integers; then
engine by engine, every stored value of the program with blocks must be golden's.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from benchmarks.sizes_models import rows_formula, weights_formula
from edgemoe.compiler.compile import compile_model
from edgemoe.compiler.cycles import predicted_cycles
from edgemoe.compiler.fits import DoesNotFitError, require_fit
from edgemoe.compiler.program import Program, load_program
from edgemoe.compiler.quantise import quantise
from edgemoe.compiler.quantised import QuantisedModel
from edgemoe.compiler.residency import Blocks, Need, blocks_of, is_resident
from edgemoe.compiler.streamed import StreamedScheduler
from edgemoe.compiler.traffic import traffic_of
from edgemoe.devices.registry import open_device
from edgemoe.frames import expert_loads
from edgemoe.results import FrameResult
from edgemoe.session import Session
from edgemoe.spec.calibration import mixable_activations
from edgemoe.spec.hardware import HardwareConfig, load_hardware_config
from edgemoe.spec.isa import STREAM_LINE, Buffer, Opcode
from edgemoe.spec.model import ModelConfig, load_model_config
from edgemoe.spec.task import TaskConfig
from sim.common.shapes import shape
from tests.examples.equality import require_golden_values
from tests.examples.program import plain_calibration, random_tensors

PICTURE = {"image_height": 64, "image_width": 112}  # 28 patches
MICRO = replace(load_model_config("micro"), **PICTURE)
FEATURES = TaskConfig("features", "features", MICRO.width)
DENSE = replace(MICRO, moe_blocks=(), tasks=(FEATURES,), head_cells=1)
MODELS: dict[str, ModelConfig] = {
    "experts": MICRO,
    "experts in the first block": replace(MICRO, moe_blocks=(0,)),
    "gates on the block's input": replace(MICRO, gate_input_ahead=True, gate_bias=True),
    "dense": DENSE,
    "no prefix token": replace(DENSE, prefix_tokens=0),
    "class token and registers": replace(
        DENSE, prefix_tokens=5, tasks=(TaskConfig("classes", "classification", 5, pool="class-mean"), FEATURES)
    ),
}
SIZES = (4, 8, 12, 24, 64)


@cache
def model_of(name: str, hardware: HardwareConfig, wide: bool = False) -> QuantisedModel:
    config = MODELS[name]
    chosen = tuple(mixable_activations(config)) if wide else ()
    return quantise(
        config, random_tensors(config), replace(plain_calibration(config, 16.0), wide=chosen), hardware.numbers
    )


def program_of(model: QuantisedModel, hardware: HardwareConfig, blocks: Blocks | None, trace: bool = False) -> Program:
    return compile_model(model, [task.name for task in model.config.tasks], hardware, trace, blocks=blocks)


def blocks(model: QuantisedModel, hardware: HardwareConfig, rows: int, heads: int) -> Blocks:
    """At most so many rows, keys and values of so many heads at a time."""
    need = Need(model.config, len(model.config.tasks), hardware, model.wide)
    return replace(blocks_of(need, rows), heads=heads)


def result_of(program: Program) -> FrameResult:
    config = program.manifest.model
    frame = np.random.default_rng(7).integers(0, 256, (config.image_height, config.image_width, 3), dtype=np.uint8)
    with open_device("golden", program.manifest.hardware) as device, Session(program, device) as session:
        return session.run(frame)


def require_same(program: Program, expected: Program) -> None:
    """Heads' integers and routing, task by task."""
    found, wanted = result_of(program), result_of(expected)
    assert found.outputs.keys() == wanted.outputs.keys()
    for task, values in wanted.outputs.items():
        assert np.array_equal(found.outputs[task], values), task
    for task, by_block in wanted.routing.items():
        for block, (experts, scores) in by_block.items():
            assert np.array_equal(found.routing[task][block][0], experts), (task, block)
            assert np.array_equal(found.routing[task][block][1], scores), (task, block)


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("rows", SIZES)
@pytest.mark.parametrize("name", MODELS)
def test_no_integer_depends_on_the_blocks(name: str, rows: int, heads: int) -> None:
    hardware = shape("streaming")
    model = model_of(name, hardware)
    program = program_of(model, hardware, blocks(model, hardware, rows, heads))
    require_same(program, program_of(model, hardware, None))


@pytest.mark.parametrize("rows", [8, 24])
@pytest.mark.parametrize(("shape_name", "wide"), [("streaming_fine", False), ("wide_inner_pairs", True)])
def test_the_same_in_16_bits_and_with_wide_activations(shape_name: str, wide: bool, rows: int) -> None:
    hardware = shape(shape_name)
    model = model_of("experts", hardware, wide)
    require_same(program_of(model, hardware, blocks(model, hardware, rows, 1)), program_of(model, hardware, None))


@pytest.mark.parametrize(
    ("engine", "shape_name", "wide"),
    [
        ("csim", "streaming", False), ("csim", "streaming_fine", False), ("csim", "wide_inner_pairs", True),
        ("rtl", "streaming", False), pytest.param("rtl", "streaming_fine", False, marks=pytest.mark.slow),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["experts", "gates on the block's input", "no prefix token"])
def test_engines_store_golden_s_values(name: str, engine: str, shape_name: str, wide: bool) -> None:
    """Every buffer after every instruction. One head at a time, so that rows have a pitch in memory."""
    hardware = shape(shape_name)
    model = model_of(name, hardware, wide)
    require_golden_values(program_of(model, hardware, blocks(model, hardware, 12, 1), trace=True), engine)


def small_chip(**changes: int) -> HardwareConfig:
    """Ten rows of the model's width, eight of a task."""
    sizes = {"max_rows": 24, "max_tokens": 29, "row_elements": 24 * MICRO.width, "hidden_elements": 24 * 768} | changes
    return replace(shape("streaming"), name="small_chip", **sizes)


def test_the_compiler_makes_blocks_where_rows_do_not_fit_and_only_there() -> None:
    """With room for all, the program is that of a build without the option."""
    hardware, tasks = shape("streaming"), [task.name for task in MICRO.tasks]
    model = model_of("experts", hardware)
    plain = compile_model(model, tasks, replace(hardware, streaming=False))
    assert np.array_equal(compile_model(model, tasks, hardware).words, plain.words)
    small = compile_model(model, tasks, small_chip())
    opcodes = [i.opcode for i in small.instructions]
    assert opcodes[0] == Opcode.REPEAT
    assert opcodes.count(Opcode.LOAD) > 20
    require_same(small, plain)


@pytest.mark.parametrize(("name", "groups"), [("experts", 2), ("dense", 1)])
@pytest.mark.parametrize("wide", [False, True])
def test_rows_in_memory_take_no_more_than_they_are(name: str, groups: int, wide: bool) -> None:
    """The residual stream, queries, keys, values and attention's outputs of all tokens, one behind the other."""
    hardware = shape("wide_inner_pairs" if wide else "streaming")
    model = model_of(name, hardware, wide)
    tasks = [task.name for task in model.config.tasks]
    workspace = StreamedScheduler(model, tasks, hardware, blocks(model, hardware, 12, 1)).workspace
    places = (Buffer.RESIDUAL, Buffer.QUERY, Buffer.KEY, Buffer.VALUE, Buffer.NORM)
    begins = [workspace.at(buffer, wide, 0, 0) for buffer in places]
    row = MICRO.width * (2 if wide else 1)
    sizes = [groups * MICRO.tokens * each for each in (2 * MICRO.width, row, row, row, row)]
    ends = [begin + size for begin, size in zip(begins, sizes, strict=True)]
    assert [*begins[1:], workspace.bytes] == [-(-end // STREAM_LINE) * STREAM_LINE for end in ends]
    assert workspace.at(Buffer.KEY, wide, groups - 1, 3, 16) == (
        begins[2] + ((groups - 1) * MICRO.tokens + 3) * row + 16 * row // MICRO.width
    )


@pytest.mark.parametrize(("name", "tasks"), [("experts in the first block", (" semseg", " depth")), ("dense", ("",))])
def test_attention_and_its_moves_are_named_by_block_task_heads_and_rows(name: str, tasks: tuple[str, ...]) -> None:
    """By tasks from where they part on, in the second of two blocks."""
    hardware = shape("streaming")
    model = model_of(name, hardware)
    chosen = replace(blocks(model, hardware, 28, 1), queries=24)
    found = [label for label in program_of(model, hardware, chosen).manifest.labels if " heads " in label]
    parts = [
        f"block {index}{task} heads {head}…{head} {part}"
        for index, of_block in enumerate([("",), tasks])
        for task in of_block
        for head in range(2)
        for part in ("load KEY", "load VALUE", "load QUERY", "attention rows 0…23", "store NORM",
                     "load QUERY", "attention rows 24…28", "store NORM")
    ]  # fmt: skip
    assert sorted(found) == sorted(parts)


def test_weights_are_in_memory_once_however_often_they_are_streamed() -> None:
    """But for patch embedding, whose position rows differ from block to block."""
    hardware = shape("streaming")
    model = model_of("experts", hardware)
    sizes = []
    for rows in (8, 28):
        chosen = replace(blocks(model, hardware, rows, 2), patches=28)
        sizes.append(program_of(model, hardware, chosen).stream.size)
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize("rows", [8, 24])
def test_streamed_bytes_follow_the_formula(rows: int) -> None:
    """docs/concepts/streaming.md: a part's bytes once for each of its ⌈tokens / rows⌉ blocks, all others once."""
    hardware = shape("streaming")
    model = model_of("dense", hardware)
    chosen = replace(blocks(model, hardware, rows, 2), patches=28)
    program = program_of(model, hardware, chosen)
    turns = -(-MICRO.tokens // rows)
    repeats = [i for i in program.instructions if i.opcode == Opcode.REPEAT]
    assert {i.rows for i in repeats} == {1, turns}
    assert repeats[-1].address == program.stream.size
    delivered = sum(each.stream_bytes for each in predicted_cycles(program))
    assert delivered == weights_formula(program, turns)


@pytest.mark.parametrize("token_par", [4, 8, 16])
@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("name", ["experts", "experts in the first block", "dense"])
def test_rows_that_are_moved_follow_the_formula_whatever_the_parallelism(name: str, heads: int, token_par: int) -> None:
    """Keys and values come once per head: no term has the queries in flight, nor the size of blocks."""
    hardware = replace(
        shape("streaming"), name="lanes", token_par=token_par, in_par=16, out_par=16, post_lanes=16,
        row_elements=-(-49920 // (16 * token_par)) * 16 * token_par, hidden_elements=199680 // 256 * 256,
    )  # fmt: skip
    model = model_of(name, shape("streaming"))
    program = program_of(model, hardware, blocks(model, hardware, 16, heads))
    routing = sum(each.rows * 16 for each in program.manifest.routing)
    moved = traffic_of(program)
    assert moved.loaded + moved.stored - routing == rows_formula(model.config, len(model.config.tasks), hardware)


@pytest.mark.parametrize("name", ["experts", "experts in the first block", "gates on the block's input"])
def test_every_experts_has_the_loads_of_its_block_of_rows(name: str) -> None:
    """A block's loads, EXPERTS by EXPERTS, add up to those of the same block with all rows on the chip."""
    hardware = shape("streaming")
    model = model_of(name, hardware)
    resident = program_of(model, hardware, None)
    routing = result_of(resident).routing
    whole = expert_loads(routing, resident)
    program = program_of(model, hardware, blocks(model, hardware, 12, 1))
    loads = expert_loads(routing, program)
    assert len(loads) == sum(i.opcode == Opcode.EXPERTS for i in program.instructions) == 3 * len(whole)
    assert np.array(loads).reshape(len(whole), 3, -1).sum(axis=1).tolist() == whole
    assert [sum(of_block) for of_block in loads[:2]] == [2 * 12 * MICRO.top_k] * 2
    predicted_cycles(program, loads)


def test_a_program_with_blocks_survives_its_folder(tmp_path: object) -> None:
    hardware = shape("streaming")
    model = model_of("experts", hardware)
    program = program_of(model, hardware, blocks(model, hardware, 8, 1))
    program.save(tmp_path / "program")  # type: ignore[operator]
    require_same(load_program(tmp_path / "program"), program)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_tokens": 28}, "keys of attention: needs 29 tokens, there are 28"),
        ({"row_elements": 256}, r"KEY and VALUE \(tokens in whole tiles × one head's width\): needs 512 elements"),
        ({"hidden_elements": 2048}, r"HIDDEN \(a tile of patches\): needs 3,072 elements, there are 2,048"),
        ({"max_rows": 4}, "one tile of rows of each task, in any buffer: needs 8 rows, there are 4"),
        ({"max_width": 16}, "LayerNorm width: needs 32 features, there are 16"),
    ],
)
def test_what_does_not_fit_block_by_block_either_is_refused_with_numbers(changes: dict[str, int], message: str) -> None:
    tasks = tuple(task.name for task in MICRO.tasks)
    with pytest.raises(DoesNotFitError, match=message):
        require_fit(MICRO, tasks, small_chip(**changes))


def test_blocks_are_as_large_as_the_buffers_allow_and_no_larger() -> None:
    hardware = small_chip()
    need = Need(MICRO, 2, hardware)
    assert not is_resident(need)
    chosen = blocks_of(need)
    assert chosen == Blocks(patches=20, tokens=12, heads=1, queries=24)
    assert 2 * chosen.tokens <= hardware.max_rows
    assert hardware.room(MICRO.tokens, MICRO.head_width) <= hardware.row_elements
    assert hardware.room(MICRO.tokens, 2 * MICRO.head_width) > hardware.row_elements


def test_one_head_with_the_next_one_beside_it_comes_before_two_heads_alone() -> None:
    """Both take the same room; the first hides its loads."""
    need = Need(MICRO, 2, small_chip(row_elements=32 * 2 * MICRO.head_width))
    assert blocks_of(need).heads == 1


def test_a_trace_names_its_instructions_behind_the_declared_repeats() -> None:
    hardware = small_chip()
    program = program_of(model_of("experts", hardware), hardware, None, trace=True)
    assert program.instructions[0].opcode == Opcode.REPEAT
    manifest = program.manifest
    assert [manifest.labels[record.instruction] for record in manifest.trace] == [each.label for each in manifest.trace]


@pytest.mark.parametrize("engine", ["csim", pytest.param("rtl", marks=pytest.mark.slow)])
def test_attention_takes_more_rows_than_other_instructions(engine: str) -> None:
    """All queries, and twice: the next heads' beside those in the array."""
    hardware = small_chip(row_elements=64 * MICRO.width)
    model, need = model_of("experts", hardware), Need(MICRO, 2, hardware)
    chosen = replace(blocks_of(need), heads=1)
    assert chosen.queries == MICRO.tokens > hardware.max_rows
    assert max(i.key_row for i in program_of(model, hardware, chosen).instructions) == MICRO.tokens
    require_golden_values(program_of(model, hardware, chosen, trace=True), engine)


def test_a_model_too_large_for_a_shape_is_told_which_shape_streams_it() -> None:
    large = replace(MICRO, image_height=320, image_width=448)
    with pytest.raises(DoesNotFitError, match=r"it fits .*zcu102_stream"):
        require_fit(large, ("semseg",), load_hardware_config("zcu102_vit"))
