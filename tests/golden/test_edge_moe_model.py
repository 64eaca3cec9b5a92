"""Whole frames in Edge-MoE's arithmetic: every intermediate value of a small model, against the plain reference."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import edge_moe_reference as exact
import numpy as np
import pytest
import torch
from test_import_edge_moe import made, write  # noqa: F401  (a fixture)
from upstream_reference import Gates, random_state

from edgemoe.spec.checkpoint import CheckpointError
from edgemoe.spec.model import ModelConfig, load_model_config
from edgemoe.spec.strict import ConfigError
from edgemoe_golden.edge_moe import EdgeMoe, Frame, FullQueue, Options, TopK, UndefinedError, load_weights, to_real
from edgemoe_golden.edge_moe.experts import Expert
from edgemoe_golden.edge_moe.linear import Linear
from edgemoe_golden.importing import GateOptions, import_checkpoint
from edgemoe_golden.model import load_checkpoint_model
from edgemoe_golden.model.recorder import TensorRecorder

MICRO = load_model_config("micro")
FRAME = np.random.default_rng(1).integers(0, 256, (32, 48, 3)).astype(np.uint8)
TASKS = ["semseg", "depth"]


@pytest.fixture(scope="module")
def machine(made: Path) -> EdgeMoe:  # noqa: F811
    return EdgeMoe.from_raw(made, MICRO)


def read(folder: Path, name: str, *shape: int) -> np.ndarray:
    return np.fromfile(folder / f"{name}.float32.bin", dtype="<f4").reshape(shape)


def exact_values(values: np.ndarray, bits: int, fraction: int) -> list[list[Fraction]]:
    return [[exact.cast(Fraction(float(v)), bits, fraction) for v in row] for row in np.atleast_2d(values)]


def fractions(values: np.ndarray) -> list[list[Fraction]]:
    return [[Fraction(int(v), 2**22) for v in row] for row in values]


def layer(folder: Path, name: str, outputs: int, inputs: int, bias_fraction: int) -> tuple[exact.Matrix, exact.Row]:
    weight = exact_values(read(folder, f"{name}_weight", outputs, inputs), 16, 14)
    return weight, exact_values(read(folder, f"{name}_bias", outputs), 16, bias_fraction)[0]


def norm(folder: Path, name: str) -> tuple[exact.Row, exact.Row]:
    weight, bias = (exact_values(read(folder, f"{name}_{part}", MICRO.width), 16, 11)[0] for part in ("weight", "bias"))
    return weight, bias


def assert_block(folder: Path, index: int, task: int, before: np.ndarray, trace: dict[str, np.ndarray]) -> None:
    """Each value from the values that the trace gives as its inputs."""
    width = MICRO.width
    assert fractions(trace["norm1"]) == [
        exact.layernorm(x, *norm(folder, f"l{index}_norm1")) for x in fractions(before)
    ]
    qkv = layer(folder, f"l{index}_qkv", 3 * width, width, 9)
    joined = np.concatenate([trace["query"], trace["key"], trace["value"]], axis=1)
    assert fractions(joined) == [exact.linear(x, *qkv) for x in fractions(trace["norm1"])]
    size = MICRO.head_width
    for head in range(MICRO.heads):
        part = slice(head * size, (head + 1) * size)
        scores, statistics, output = exact.attention(*(fractions(trace[n][:, part]) for n in ("query", "key", "value")))
        assert fractions(trace["scores"][head]) == scores
        found = np.stack([trace["softmax.maximum"][head], trace["softmax.reciprocal"][head]], axis=1)
        assert fractions(found) == [list(pair) for pair in statistics]
        assert fractions(trace["attention"][:, part]) == output
    projection = layer(folder, f"l{index}_attn_proj", width, width, 9)
    assert fractions(trace["projection"]) == [exact.linear(x, *projection) for x in fractions(trace["attention"])]
    assert np.array_equal(trace["attention.residual"], before + trace["projection"])
    residual = fractions(trace["attention.residual"])
    assert fractions(trace["norm2"]) == [exact.layernorm(x, *norm(folder, f"l{index}_norm2")) for x in residual]
    if index in MICRO.moe_blocks:
        assert_mixture(folder, index, task, trace)
    else:
        up, down = (layer(folder, f"l{index}_fc{n}", *shape, 11) for n, shape in ((1, (64, 32)), (2, (32, 64))))
        hidden = [[exact.gelu(h) for h in exact.linear(x, *up)] for x in fractions(trace["norm2"])]
        assert fractions(trace["hidden"]) == hidden
        assert fractions(trace["mlp"]) == [exact.linear(h, *down) for h in hidden]
    assert np.array_equal(trace["mlp.residual"], trace["attention.residual"] + trace["mlp"])


def assert_mixture(folder: Path, index: int, task: int, trace: dict[str, np.ndarray]) -> None:
    experts, width, hidden_width = MICRO.experts, MICRO.width, MICRO.expert_hidden
    gate = exact_values(read(folder, f"l{index}_w_gate_T_task{task}", experts, width), 16, 14)
    tokens = fractions(trace["norm2"])
    output = [[Fraction(0)] * width for _ in tokens]
    routed = [exact.gate(x, gate, MICRO.top_k) for x in tokens]
    assert fractions(trace["gate.logits"]) == [logits for logits, _, _ in routed]
    assert trace["gate.experts"].tolist() == [chosen for _, chosen, _ in routed]
    assert fractions(trace["gate.scores"]) == [scores for _, _, scores in routed]
    weights = {
        name: read(folder, f"l{index}_{name}_weight", experts, *shape)
        for name, shape in (("htoh4", (hidden_width, width)), ("h4toh", (width, hidden_width)))
    }
    biases = {name: read(folder, f"l{index}_{name}_bias", experts, weights[name].shape[1]) for name in weights}
    for expert in range(experts):
        rows = [row for row, (_, chosen, _) in enumerate(routed) if expert in chosen]
        assert (f"experts.{expert}.hidden" in trace) == bool(rows)
        up, down = (
            (exact_values(weights[n][expert], 16, 14), exact_values(biases[n][expert], 16, 11)[0]) for n in weights
        )
        for place, row in enumerate(rows):
            hidden = [exact.gelu(h) for h in exact.linear(tokens[row], *up)]
            assert fractions(trace[f"experts.{expert}.hidden"][place : place + 1]) == [hidden]
            score = routed[row][2][routed[row][1].index(expert)]
            result = exact.linear(hidden, *down)
            output[row] = [exact.fm(exact.fm(score * r) + y) for r, y in zip(result, output[row], strict=True)]
    assert fractions(trace["mlp"]) == output


@pytest.mark.parametrize("task", TASKS)
def test_every_value_of_a_frame(task: str, machine: EdgeMoe, made: Path) -> None:  # noqa: F811
    """Of a folder as Edge-MoE publishes it."""
    frame = machine.run(FRAME, task, trace=True)
    before = frame.embedded
    for index, trace in enumerate(frame.layers):
        assert_block(made, index, TASKS.index(task), before, trace)
        before = trace["mlp.residual"]
    assert np.array_equal(frame.tokens, before)


def test_embedding_of_a_frame(machine: EdgeMoe, made: Path) -> None:  # noqa: F811
    position = exact_values(read(made, "pos_embed", 7, 32), 32, 22)
    weight = exact_values(read(made, "patch_embed_weight", 32, 768), 16, 16)
    bias = exact_values(read(made, "patch_embed_bias", 32), 16, 11)[0]
    expected = [position[0]]
    for patch in range(6):
        top, left = patch // 3 * 16, patch % 3 * 16
        pixels = FRAME[top : top + 16, left : left + 16].transpose(2, 0, 1).ravel()
        sums = exact.linear([Fraction(int(p), 256) for p in pixels], weight, bias)
        expected.append([exact.fm(a + b) for a, b in zip(sums, position[patch + 1], strict=True)])
    assert fractions(machine.run(FRAME, "depth").embedded) == expected


def test_the_raw_folder_and_its_import_are_the_same(machine: EdgeMoe, made: Path, tmp_path: Path) -> None:  # noqa: F811
    import_checkpoint(made, MICRO, tmp_path / "out")
    imported = EdgeMoe.from_checkpoint(tmp_path / "out")
    for task in TASKS:
        assert np.array_equal(imported.run(FRAME, task).tokens, machine.run(FRAME, task).tokens)


def decibels(frame: Frame, folder: Path, task: str) -> float:
    """Of the last block's tokens, against float."""
    recorder = TensorRecorder()
    with torch.inference_mode():
        load_checkpoint_model(folder)(torch.from_numpy(FRAME)[None], task, recorder)
    real = recorder.values[f"blocks.{MICRO.depth - 1}.mlp.residual"][0].double().numpy()
    return float(10 * np.log10((real**2).sum() / ((to_real(frame.tokens) - real) ** 2).sum()))


@pytest.mark.parametrize(
    ("gates", "options"),
    [
        (Gates(), GateOptions()),
        (Gates(multi=False), GateOptions()),
        (Gates(multi=False, conditioned=8), GateOptions()),
        (Gates(window=2), GateOptions(experts_per_task=2)),
        (Gates(top_first=True), GateOptions()),
        (Gates(ahead=True), GateOptions(input_ahead=True)),
    ],
    ids=["per task", "shared", "conditioned", "window", "top-k first", "ahead"],
)
@pytest.mark.parametrize("task", TASKS)
def test_whatever_import_loads_runs(gates: Gates, options: GateOptions, task: str, tmp_path: Path) -> None:
    """Gates that Edge-MoE never had too; normalisation is folded into the patch weights."""
    state = random_state(MICRO, gates, seed=11)
    state["backbone.patch_embed.proj.weight"] *= 0.5
    torch.save({"state_dict": state}, tmp_path / "model.pth")
    normalised = replace(MICRO, pixel_mean=(0.485, 0.456, 0.406), pixel_std=(0.9, 0.8, 0.7))
    import_checkpoint(tmp_path / "model.pth", normalised, tmp_path / "out", options)
    machine = EdgeMoe.from_checkpoint(tmp_path / "out")
    assert machine.weights.wrapped == {}
    frame = machine.run(FRAME, task, trace=True)
    assert decibels(frame, tmp_path / "out", task) > 40
    if gates.window:
        first = 2 * TASKS.index(task)
        assert set(frame.layers[1]["gate.experts"].ravel().tolist()) == {first, first + 1}


def test_a_frame_gives_the_same_integers_every_time(machine: EdgeMoe) -> None:
    """Traced or not, and on another frame in between."""
    first = machine.run(FRAME, "semseg", trace=True)
    machine.run(FRAME[::-1].copy(), "depth")
    again = machine.run(FRAME, "semseg", trace=True)
    assert np.array_equal(machine.run(FRAME, "semseg").tokens, first.tokens)
    for one, other in zip(first.layers, again.layers, strict=True):
        assert one.keys() == other.keys()
        assert all(np.array_equal(one[name], other[name]) for name in one)


def one_expert_for_all(machine: EdgeMoe) -> EdgeMoe:
    """All gate weights 0: every token goes to experts 0 and 1."""
    blocks = []
    for block in machine.weights.blocks:
        gates = tuple(
            replace(gate, layer=Linear(np.zeros_like(gate.layer.weight), gate.layer.bias)) for gate in block.gates
        )
        blocks.append(replace(block, gates=gates))
    return EdgeMoe(replace(machine.weights, blocks=tuple(blocks)), Options(full_queue=FullQueue.REFUSED))


def test_the_defect_of_a_full_queue_is_an_option(machine: EdgeMoe) -> None:
    refusing = one_expert_for_all(machine)
    with pytest.raises(UndefinedError, match="block 1, task 'depth': expert 0 gets all 7 tokens"):
        refusing.run(FRAME, "depth")
    serving = EdgeMoe(refusing.weights)
    assert (serving.run(FRAME, "depth", trace=True).layers[1]["gate.experts"] == [0, 1]).all()


def test_the_defect_of_top_k_spoils_a_frame(machine: EdgeMoe) -> None:
    spoilt = EdgeMoe(machine.weights, Options(top_k=TopK.OPTIMISED)).run(FRAME, "semseg", trace=True)
    assert (spoilt.layers[1]["gate.experts"] == [2, 3]).all()
    assert not np.array_equal(spoilt.tokens, machine.run(FRAME, "semseg").tokens)


@pytest.mark.parametrize(
    ("frame", "task", "message"),
    [
        (FRAME.astype(np.float32), "depth", r"takes a uint8 frame \(32, 48, 3\), found float32"),
        (FRAME[:16], "depth", r"found uint8 \(16, 48, 3\)"),
        (FRAME, "normals", "no task 'normals'"),
    ],
)
def test_a_bad_frame_or_task_is_named(machine: EdgeMoe, frame: np.ndarray, task: str, message: str) -> None:
    with pytest.raises((ValueError, ConfigError), match=message):
        machine.run(frame, task)


def test_weights_beyond_their_format_wrap_and_are_counted(made: Path, tmp_path: Path) -> None:  # noqa: F811
    folder = Path(shutil.copytree(made, tmp_path / "raw"))
    bias = read(folder, "l0_fc1_bias", 64).copy()
    bias[[3, 5]] = 16.25, -17.0
    write(folder, "l0_fc1_bias", bias)
    weights = EdgeMoe.from_raw(folder, MICRO).weights
    assert weights.wrapped == {"backbone.blocks.0.mlp.fc1.bias": 2}
    expert: Expert = weights.blocks[0].experts[0]
    assert to_real(expert.up.bias[[3, 5]]).tolist() == [-15.75, 15.0]


@pytest.mark.parametrize("load", [load_weights, lambda folder: EdgeMoe.from_raw(folder, MICRO)])
def test_a_folder_without_weights_is_named(load: Callable[[Path], object], tmp_path: Path) -> None:
    with pytest.raises((CheckpointError, ConfigError), match=str(tmp_path)):
        load(tmp_path)


def test_another_shape_is_refused(made: Path) -> None:  # noqa: F811
    wider: ModelConfig = replace(MICRO, width=64)
    with pytest.raises(CheckpointError, match="expected"):
        EdgeMoe.from_raw(made, wider)
