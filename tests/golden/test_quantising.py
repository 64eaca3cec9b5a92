"""The quantiser: exact rewrites, rounding, limits and balance of experts, and what a run leaves in a folder."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file, save

from edgemoe.cli import main as edgemoe
from edgemoe.compiler.quantise import quantise
from edgemoe.compiler.quantised import QuantisedFeedForward, QuantisedModel, QuantisedMoe
from edgemoe.spec.calibrated import CALIBRATED_FILE, load_calibrated
from edgemoe.spec.calibration import WIDE, load_calibration, mixable_activations, mixable_layers
from edgemoe.spec.checkpoint import CALIBRATION_FILE, WEIGHTS_FILE, Tensors, load_checkpoint
from edgemoe.spec.model import ModelConfig, load_model_config
from edgemoe.spec.precision import W8A8, W16A16, Precision
from edgemoe_golden.budget.integer_network import IntegerBlock, embedded
from edgemoe_golden.model import M3ViT, TensorRecorder, save_checkpoint
from edgemoe_golden.model.variant import VARIANT_FILE
from edgemoe_golden.quantising.asymmetric import towards
from edgemoe_golden.quantising.experts import balanced_moment, own_share, second_moment
from edgemoe_golden.quantising.gains import gains, kept_steps
from edgemoe_golden.quantising.gains import table as gains_table
from edgemoe_golden.quantising.limits import MULTIPLES, Sample, best_limit, others_largest
from edgemoe_golden.quantising.observed import DEFAULT_RULE, coarse_range, fine_range, observe
from edgemoe_golden.quantising.options import STEPS, Options
from edgemoe_golden.quantising.output import calibration_of, tensors_of, write_calibrated
from edgemoe_golden.quantising.pictures import drawn_frames
from edgemoe_golden.quantising.quantiser import quantise_network
from edgemoe_golden.quantising.recipe import default_range
from edgemoe_golden.quantising.rewrites import rewrite_norm, rewrite_scores, rewrite_values
from edgemoe_golden.quantising.rounding import nearest, second_order
from edgemoe_golden.quantising.work import Work, steady_mean
from edgemoe_golden.ranges import Histogram

FEATURES = 24


def run(model: M3ViT, options: Options, pictures: int = 4) -> Work:
    """All chosen steps on a few scenes."""
    frames = list(drawn_frames(model.config, pictures))
    residual = observe(model, frames, pictures)["residual"]
    state = dict(model.state_dict())
    return quantise_network(
        model.config, state, frames, residual, options, lambda name, seen: coarse_range(name, seen, DEFAULT_RULE)
    )


def residuals(model: M3ViT, frames: list[np.ndarray]) -> torch.Tensor:
    """The float stream after the last block, [tasks · pictures, N, D], tasks outermost."""
    found = []
    for task in model.config.tasks:
        for frame in frames:
            recorder = TensorRecorder()
            with torch.inference_mode():
                model(torch.from_numpy(frame)[None], task.name, recorder)
            found.append(recorder.values[f"blocks.{model.config.depth - 1}.mlp.residual"])
    return torch.cat(found)


def test_random_rewrites_of_every_kind_leave_the_float_model_equal(model: M3ViT) -> None:
    """Through the float model itself, which has no bias of keys: their zero point is left out."""
    frames = list(drawn_frames(model.config, 2))
    expected, state = residuals(model, frames), dict(model.state_dict())
    generator = torch.Generator().manual_seed(3)
    width, none = model.config.width, torch.zeros(model.config.width)
    with torch.no_grad():
        for index in range(model.config.depth):
            name = f"backbone.blocks.{index}"
            shift, scale = torch.randn(width, generator=generator), torch.rand(width, generator=generator) * 4 + 0.25
            rewrite_scores(state, f"{name}.attn", none, scale)
            rewrite_values(state, f"{name}.attn", shift, scale)
            rewrite_norm(state, f"{name}.norm1", [f"{name}.attn.qkv"], shift, scale)
            if index in model.config.moe_blocks:
                gates = [f"{name}.mlp.gate.{task}.w_gate" for task in range(len(model.config.tasks))]
                rewrite_norm(state, f"{name}.norm2", [f"{name}.mlp.experts.htoh4", *gates], none, scale)
            else:
                rewrite_norm(state, f"{name}.norm2", [f"{name}.mlp.fc1"], shift, scale)
    model.load_state_dict(state)
    assert (residuals(model, frames) - expected).abs().max() <= 1e-5 * expected.abs().max()


@pytest.mark.parametrize("ahead", [False, True], ids=["gates read LayerNorm 2", "gates read the block's input"])
def test_the_exact_stream_of_a_run_is_that_of_the_float_model(model: M3ViT, ahead: bool) -> None:
    """With all steps: whatever was moved, keys among it, the float network stays what it was."""
    if ahead:
        state, model = model.state_dict(), M3ViT(replace(model.config, gate_input_ahead=True)).eval()
        model.load_state_dict(state)
    work = run(model, Options())
    expected = residuals(model, list(drawn_frames(model.config, 4)))
    assert (work.exact - expected).abs().max() <= 1e-5 * expected.abs().max()


def written(work: Work, model: M3ViT, folder: Path) -> tuple[ModelConfig, Tensors]:
    """The checkpoint with what a run found beside it."""
    save_checkpoint(folder, model)
    seen = observe(model, drawn_frames(model.config, 2), 2)
    fine = {name: fine_range(name, histogram) for name, histogram in seen.items()}
    scores = {name: span for name, span in fine.items() if name.endswith(".scores")}
    write_calibrated(folder, calibration_of(work, scores, fine, "test"), tensors_of(work))
    return load_checkpoint(folder)


def integers(folder: Path, config: ModelConfig, tensors: Tensors, precision: Precision = W8A8) -> QuantisedModel:
    calibration = load_calibration(folder / CALIBRATION_FILE, config)
    return quantise(config, tensors, calibration, precision, load_calibrated(folder, config, tensors, calibration))


WIDTHS = {
    "8 bits": Options(),
    "all 16": Options(wide=frozenset(mixable_activations(load_model_config("micro")))),
    "weights of 4": Options(narrow=frozenset(mixable_layers(load_model_config("micro")))),
}


@pytest.mark.parametrize("widths", WIDTHS)
def test_the_integers_do_what_the_run_foresaw(widths: str, config: ModelConfig, tmp_path: Path) -> None:
    """A dense network, which no near tie of a gate disturbs; left are softmax, GELU and LayerNorm in fixed point."""
    torch.manual_seed(7)
    model = M3ViT(replace(config, moe_blocks=())).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.add_(torch.randn_like(parameter) * (0.02 if "patch_embed" in name else 0.2))
    names = {*mixable_activations(model.config), *mixable_layers(model.config)}
    chosen = WIDTHS[widths]
    work = run(model, replace(chosen, wide=chosen.wide & names, narrow=chosen.narrow & names - {"patch_embed"}))
    quantised = integers(tmp_path, *written(work, model, tmp_path))
    blocks = [IntegerBlock(block, model.config, W8A8) for block in quantised.blocks]
    for frame, foreseen in zip(drawn_frames(model.config, 4), work.found, strict=False):
        residual = embedded(quantised, frame)
        for block in blocks:
            residual = block.run(residual, 0).residual
        error = residual * quantised.residual_scale - foreseen.numpy()
        assert 10 * np.log10(foreseen.square().sum() / (error**2).sum()) > 35


def test_a_folder_holds_integers_that_quantise_takes_as_they_are(model: M3ViT, tmp_path: Path) -> None:
    narrow = ("blocks.0.fc1", "blocks.1.experts")
    work = run(model, Options(narrow=frozenset(narrow)))
    config, tensors = written(work, model, tmp_path)
    stored = load_file(tmp_path / CALIBRATED_FILE)
    blocks = integers(tmp_path, config, tensors).blocks
    experts = blocks[1].mlp
    assert isinstance(experts, QuantisedMoe)
    assert isinstance(blocks[0].mlp, QuantisedFeedForward)
    found = {
        "blocks.0.attn.qkv": blocks[0].attention.qkv,
        "blocks.1.attn.proj": blocks[1].attention.projection,
        "blocks.0.mlp.fc1": blocks[0].mlp.up,
        "blocks.0.mlp.fc2": blocks[0].mlp.down,
    }
    for layer, weights in found.items():
        assert np.array_equal(weights.weight, stored[f"backbone.{layer}.integers"]), layer
    for part in ("up", "down"):
        layer = {"up": "htoh4", "down": "h4toh"}[part]
        each = np.stack([getattr(expert, part).weight for expert in experts.experts])
        assert np.array_equal(each, stored[f"backbone.blocks.1.mlp.experts.{layer}.integers"])
        assert np.abs(each).max() == 7
    assert np.abs(stored["backbone.blocks.0.mlp.fc1.integers"]).max() == 7
    assert np.abs(stored["backbone.blocks.0.mlp.fc2.integers"]).max() > 7
    assert load_calibration(tmp_path / CALIBRATION_FILE, config).narrow == narrow


def test_w16a16_keeps_the_tensors_of_the_checkpoint(model: M3ViT, tmp_path: Path) -> None:
    config, tensors = written(run(model, Options()), model, tmp_path)
    calibration = load_calibration(tmp_path / CALIBRATION_FILE, config)
    own = quantise(config, tensors, calibration, W16A16)
    beside = integers(tmp_path, config, tensors, W16A16)
    assert all(
        np.array_equal(one.attention.qkv.weight, other.attention.qkv.weight)
        and np.array_equal(one.norm1.weights.offset, other.norm1.weights.offset)
        for one, other in zip(own.blocks, beside.blocks, strict=True)
    )


@pytest.mark.parametrize("limit", [127, 7])
def test_rounding_by_second_order_error_beats_the_nearest(limit: int) -> None:
    rng = np.random.default_rng(limit)
    inputs = rng.standard_normal((400, FEATURES)) @ rng.standard_normal((FEATURES, FEATURES))
    weight, hessian = rng.standard_normal((10, FEATURES)), inputs.T @ inputs
    errors = {}
    for name, rounded in {"gptq": second_order(weight, hessian, limit), "nearest": nearest(weight, limit)}.items():
        assert rounded.integers.dtype == np.int8
        assert np.abs(rounded.integers.astype(int)).max() <= limit
        errors[name] = float((((weight - rounded.weight) @ inputs.T) ** 2).sum())
    assert errors["gptq"] < 0.7 * errors["nearest"]


def test_rounding_of_independent_inputs_is_rounding_to_the_nearest() -> None:
    """Nothing is left to make up for an error: only the scale may be another."""
    weight = np.random.default_rng(4).standard_normal((6, FEATURES))
    rounded = second_order(weight, np.eye(FEATURES), 7)
    expected = np.clip(np.rint(weight / rounded.scale[:, None].astype(np.float64)), -7, 7)
    assert np.array_equal(rounded.integers, expected)


def test_inputs_that_never_move_are_rounded_all_the_same() -> None:
    weight = np.random.default_rng(5).standard_normal((6, FEATURES))
    hessian = np.diag(np.arange(FEATURES, dtype=np.float64))
    for moments in (hessian, np.zeros_like(hessian)):
        rounded = second_order(weight, moments, 127)
        assert np.abs(rounded.weight - weight).max() < 2 * rounded.scale.max()


def test_a_limit_is_chosen_by_what_reads_the_tensor() -> None:
    """Feature 0 is ten times the others: it sets the limit where it is read, and is clipped where it is not."""
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(4 * 64, 8, generator=generator)
    values[:, 0] *= 10
    sample = Sample(values, torch.arange(4).repeat_interleave(64), torch.arange(4 * 64))
    whole = float(values.abs().max())
    assert best_limit(sample, lambda rows: rows) >= 0.9 * whole
    assert best_limit(sample, lambda rows: rows[:, 1:]) == pytest.approx(min(MULTIPLES) * whole)


def test_a_limit_is_judged_on_pictures_that_it_has_not_seen() -> None:
    assert others_largest(torch.tensor([3.0, 5.0, 4.0])).tolist() == [5.0, 4.0, 5.0]
    assert others_largest(torch.tensor([3.0])).tolist() == [3.0]


def test_an_expert_with_few_tokens_leans_on_its_layer() -> None:
    generator = torch.Generator().manual_seed(2)
    rows, layer = torch.randn(5, FEATURES, generator=generator), np.eye(FEATURES)
    score = torch.full((5,), 0.3)
    mixed = balanced_moment(rows, score, layer)
    share = 5 / (5 + FEATURES)
    assert own_share(5, FEATURES) == share
    assert np.allclose(mixed, share * second_moment(rows) + (1 - share) * layer)
    assert own_share(0, FEATURES) == 0


def test_an_expert_that_no_picture_reaches_is_rounded_to_the_nearest_and_named(model: M3ViT) -> None:
    expert, index = model.config.experts - 1, model.config.moe_blocks[0]
    block = model.backbone.blocks[index]
    with torch.no_grad():  # feature 0 of LayerNorm 2 becomes 1, and speaks against the expert
        block.norm2.weight[0], block.norm2.bias[0] = 0, 1
        for gate in block.mlp.gate:
            gate.w_gate[0, expert] = -100
    work = run(model, Options())
    assert work.result.unreached[index] == [expert]
    layer = f"backbone.blocks.{index}.mlp.experts.htoh4"
    own = work.result.layers[layer][expert]
    assert np.array_equal(own.integers, nearest(work.state[f"{layer}.weight"][expert].double().numpy(), 127).integers)


def test_a_bias_is_moved_as_far_as_pictures_agree_on_it() -> None:
    """Output 0 is off by the same on all of them, output 1 by as much one way as the other on the last two."""
    errors = torch.tensor([[2.0, 1.0], [2.0, 1.0], [2.0, 5.0], [2.0, -3.0]])
    moved = steady_mean(errors, torch.tensor([0, 0, 1, 3]))
    assert moved[0] == 2
    assert 0 < moved[1] < 0.2
    assert steady_mean(errors, torch.zeros(4, dtype=torch.long)).tolist() == [2, 1], "one picture says all there is"


def test_weights_move_towards_what_the_float_network_gives() -> None:
    """A ridge as large as the inputs undoes half of what one feature has lost; a constant error is left to the bias."""
    rows = torch.randn(4096, 3, generator=torch.Generator().manual_seed(5))
    weight = torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])
    error = rows * torch.tensor([0.0, 0.0, 1.0]) @ torch.ones(3, 2) * torch.tensor([1.0, 0.0]) + 7
    moved = towards(weight, rows, error) - weight
    assert torch.allclose(moved, torch.tensor([[0.0, 0.0, 0.5], [0.0, 0.0, 0.0]]), atol=0.03)
    assert torch.equal(towards(weight, torch.ones(5, 3), error[:5]), weight), "inputs that never move say nothing"


def test_a_step_that_loses_on_unseen_pictures_is_left_out(model: M3ViT, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the steps after it are judged without it."""
    frames = list(drawn_frames(model.config, 2))
    asked: list[frozenset[str]] = []

    def judged(*given: object) -> Work:
        options = given[4]
        assert isinstance(options, Options)
        asked.append(options.steps)
        decibels = 10.0 + len(options.steps) - 5 * ("zero-points" in options.steps)
        return SimpleNamespace(decibels=lambda learned: decibels + 20 * learned)  # type: ignore[return-value]

    monkeypatch.setattr("edgemoe_golden.quantising.gains.quantise_network", judged)
    found = gains(model.config, {}, frames, Histogram(), Options(), default_range, lambda: None)
    assert kept_steps(found) == {"ranges", "equalise", "gptq", "biases"}
    assert [gain.unseen_db for gain in found] == [10, 11, 7, 12, 13, 14]
    assert asked[-1] == kept_steps(found)
    narrow = Options(narrow=frozenset({"blocks.0.fc1"}))
    more = gains(model.config, {}, frames, Histogram(), narrow, default_range, lambda: None)
    assert kept_steps(more) == {*kept_steps(found), "asymmetric"}, "a step for weights of 4 bits alone"
    assert re.search(r"zero-points +27.0 +7.0 +-4.0 +left out", gains_table(found, 2))


def test_an_activation_of_sixteen_bits_is_eased_less_than_one_of_eight(model: M3ViT) -> None:
    """One feature is a hundred times the others: on 8 bits it shrinks, and its weights grow for it."""
    norm, reached = "backbone.blocks.0.norm1.weight", {}
    with torch.no_grad():
        model.state_dict()[norm][3] *= 100
    for bits, wide in {8: frozenset[str](), 16: frozenset({"blocks.0.norm1"})}.items():
        gain = run(model, Options(wide=wide)).state[norm].abs()
        reached[bits] = float(gain[3] / gain.median())
    assert 2 * reached[8] < reached[16]


@pytest.mark.parametrize("step", STEPS)
def test_every_step_can_be_left_out(step: str, model: M3ViT) -> None:
    narrow = frozenset(mixable_layers(model.config)) if step == "asymmetric" else frozenset()
    whole, without = (run(model, Options(frozenset(STEPS) - left, narrow=narrow)) for left in (frozenset(), {step}))
    assert without.decibels(learned=True) > 10
    assert not torch.equal(whole.found, without.found), "the step does nothing"


@pytest.fixture
def checkpoint(model: M3ViT, tmp_path: Path) -> Path:
    save_checkpoint(tmp_path / "random", model)
    return tmp_path / "random"


def pictures(folder: Path, count: int, colour: tuple[int, int, int] | None = None) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(1)
    for index in range(count):
        noise = rng.integers(0, 256, (6, 9, 3), dtype=np.uint8)
        picture = Image.fromarray(noise) if colour is None else Image.new("RGB", (9, 6), colour)
        picture.save(folder / f"{index}.png")
    return folder


def test_the_same_pictures_give_the_same_files(checkpoint: Path, tmp_path: Path) -> None:
    folder, found = pictures(tmp_path / "street", 4), []
    arguments = [
        "calibrate",
        str(checkpoint),
        "--pictures",
        str(folder),
        "--report",
        str(tmp_path / "report"),
        "--again",
    ]
    for _ in range(2):
        assert edgemoe(arguments) == 0
        found.append([(checkpoint / name).read_bytes() for name in (CALIBRATION_FILE, CALIBRATED_FILE)])
    assert found[0] == found[1]


def test_the_command_prints_and_keeps_what_each_step_gains(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--pictures", str(pictures(tmp_path / "a", 3)), str(pictures(tmp_path / "b", 2))]
    report = ["--report", str(tmp_path / "report")]
    assert edgemoe(["calibrate", str(checkpoint), *given, *report, "--without", "gptq,biases"]) == 0
    text = capsys.readouterr().out
    rows = json.loads((tmp_path / "report/calibration_random.json").read_text())
    steps = [row["step"] for row in rows if row["kind"] == "step"]
    assert steps[1:] == ["ranges", "zero-points", "equalise"]
    assert all(step in text for step in steps)
    assert "dB on pictures learned on    on the other half of 5" in text
    assert "5 pictures are few: from 6 on, ranges hold better for others" in text
    config, tensors = load_checkpoint(checkpoint)
    calibration = load_calibration(checkpoint / CALIBRATION_FILE, config)
    assert calibration.provenance.startswith("edgemoe_golden.calibrate on 5 pictures of 'a', 'b'")
    assert sorted(calibration.ranges) == sorted(["w8a8", "w16a16", WIDE])
    assert load_calibrated(checkpoint, config, tensors, calibration) is not None


def test_a_plain_calibration_takes_the_tensors_of_an_older_one_away(checkpoint: Path, tmp_path: Path) -> None:
    given = ["calibrate", str(checkpoint), "--scenes", "2", "--report", str(tmp_path / "report"), "--again"]
    assert edgemoe(given) == 0
    assert (checkpoint / CALIBRATED_FILE).is_file()
    assert edgemoe([*given, "--rule", "largest"]) == 0
    assert not (checkpoint / CALIBRATED_FILE).exists()


def _poisoned(folder: Path) -> None:
    _, tensors = load_checkpoint(folder)
    tensors["backbone.blocks.0.mlp.fc1.bias"][:] = 3e38
    (folder / WEIGHTS_FILE).write_bytes(save(tensors))


REFUSED: dict[str, tuple[Callable[[Path, Path], list[str]], str]] = {
    "no pictures": (lambda _, folder: [str(pictures(folder, 0))], "street: no pictures; expected files ending in"),
    "no folder": (lambda _, folder: [str(folder)], "street' does not exist; --pictures takes folders of pictures"),
    "a file": (
        lambda _, folder: [str(next(pictures(folder, 3).iterdir()))],
        "is a file; name the folder that it is in; --pictures takes folders of pictures",
    ),
    "one picture": (lambda _, folder: [str(pictures(folder, 1))], "1 picture in 'street': ranges that hold for others"),
    "black": (lambda _, folder: [str(pictures(folder, 3, (0, 0, 0)))], "are of one and the same colour"),
    "calibrated": (
        lambda model, folder: ((model / CALIBRATION_FILE).write_text("{}"), [str(pictures(folder, 3))])[1],
        "the model is calibrated already; --again replaces it",
    ),
    "no such step": (
        lambda _, folder: [str(pictures(folder, 3)), "--without", "magic"],
        "--without magic: there is no such step; there are ranges, zero-points, equalise, gptq, biases, asymmetric",
    ),
    "NaN": (
        lambda model, folder: (_poisoned(model), [str(pictures(folder, 3))])[1],
        "an activation is NaN or infinite; are these the weights that were trained?",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_calibrated_is_one_sentence(
    case: str, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, sentence = REFUSED[case]
    given = make(checkpoint, tmp_path / "street")
    assert edgemoe(["calibrate", str(checkpoint), "--report", str(tmp_path / "report"), "--pictures", *given]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert sentence in last
    assert not (checkpoint / CALIBRATED_FILE).exists()


def test_a_model_that_is_not_there_is_named_with_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert edgemoe(["calibrate", "nowhere", "--scenes", "2"]) == 1
    told = (
        "edgemoe: 'nowhere' is not a folder; a model is a checkpoint folder or a program folder, or one of mini, tiny"
    )
    assert capsys.readouterr().err.splitlines() == [told]
    assert edgemoe(["calibrate", "mini", "--scenes", "2"]) == 1, "by its name, and calibrated already"
    assert "the model is calibrated already; --again replaces it" in capsys.readouterr().err


def test_an_imported_model_is_not_calibrated_on_drawn_scenes_unasked(
    checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (checkpoint / VARIANT_FILE).write_text('{"version": 3}')
    assert edgemoe(["calibrate", str(checkpoint)]) == 1
    assert "an imported model was not trained on drawn scenes; name pictures" in capsys.readouterr().err
