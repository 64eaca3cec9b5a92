"""Checkpoints of others: every layout and every form of gate gives what M³ViT computes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from upstream_files import save_file, save_ranks
from upstream_reference import Gates, State, random_state, reference_head, reference_tokens

from edgemoe.cli import main as edgemoe
from edgemoe.compiler.compile import compile_checkpoint
from edgemoe.compiler.program import ProgramError
from edgemoe.devices.registry import open_device
from edgemoe.session import Session
from edgemoe.spec.checkpoint import CALIBRATION_FILE, load_checkpoint, tensor_shapes
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.model import ModelConfig, load_model_config
from edgemoe.spec.strict import to_dict
from edgemoe_golden.calibrate import main as calibrate
from edgemoe_golden.importing import GateOptions, import_checkpoint, load_imported_model
from edgemoe_golden.model.decoder import answers
from sim.common.shapes import shape
from tests.examples.program import plain_calibration

# Softmax over 4 experts with k 2, so that windows of 2 and of 3 (which the second task would leave) can be asked for.
MICRO = load_model_config("micro")
ONE_TASK = replace(MICRO, tasks=MICRO.tasks[:1])

FORMS = {
    "a gate per task": (Gates(), GateOptions()),
    "one shared gate": (Gates(multi=False), GateOptions()),
    "task-conditioned": (Gates(multi=False, conditioned=5), GateOptions()),
    "expert windows": (Gates(multi=False, window=2), GateOptions(experts_per_task=2)),
    "windows, a gate per task": (Gates(window=2), GateOptions(experts_per_task=2)),
    "conditioned windows": (Gates(multi=False, conditioned=3, window=2), GateOptions(experts_per_task=2)),
    "top-k first by w_noise": (Gates(top_first=True), GateOptions()),
    "gates ahead of attention": (Gates(ahead=True), GateOptions(input_ahead=True)),
    "ahead, conditioned, in windows": (
        Gates(multi=False, conditioned=3, window=2, ahead=True),
        GateOptions(experts_per_task=2, input_ahead=True),
    ),
    "top-k first, conditioned": (Gates(multi=False, conditioned=4, top_first=True), GateOptions()),
}


def pixels(frames: Tensor, config: ModelConfig) -> Tensor:
    mean, std = (torch.tensor(value).view(3, 1, 1) for value in (config.pixel_mean, config.pixel_std))
    return (frames.permute(0, 3, 1, 2) / 255 - mean) / std


@pytest.mark.parametrize(("name", "parameters"), [("tiny", 17_983_680), ("small_pascal", 43_463_040)])
def test_backbones_have_the_size_of_m3vits_own(name: str, parameters: int) -> None:
    """Counted with M³ViT's classes: Edge-MoE's configuration, and the small one of five tasks with k 4, ratio 1."""
    shapes = tensor_shapes(load_model_config(name))
    assert sum(math.prod(shape) for tensor, shape in shapes.items() if tensor.startswith("backbone.")) == parameters


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_gate_gives_what_its_description_says(form: str, frames: Tensor, tmp_path: Path) -> None:
    gates, options = FORMS[form]
    state = random_state(MICRO, gates)
    report = import_checkpoint(save_file(state, tmp_path / "checkpoint.pth.tar"), MICRO, tmp_path / "out", options)
    model = load_imported_model(tmp_path / "out")
    assert report.config.gate_input_ahead == options.input_ahead
    for index, task in enumerate(MICRO.tasks):
        tokens = reference_tokens(state, MICRO, gates, pixels(frames, MICRO), index)
        expected = reference_head(state, MICRO, tokens, f"decoders.{task.name}")
        with torch.no_grad():
            torch.testing.assert_close(model(frames, task.name), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("stored", "order"),
    [(Gates(), "top-k-first"), (Gates(top_first=True), "softmax-first")],
    ids=lambda value: str(value),
)
def test_the_order_that_is_asked_for_wins(stored: Gates, order: str, frames: Tensor, tmp_path: Path) -> None:
    state = random_state(MICRO, stored)
    path = save_file(state, tmp_path / "c.pth")
    report = import_checkpoint(path, MICRO, tmp_path / "out", GateOptions(order))
    assert report.config.renormalised_scores == (order == "top-k-first")
    meant = Gates(top_first=order == "top-k-first")
    tokens = reference_tokens(state, MICRO, meant, pixels(frames, MICRO), 1)
    with torch.no_grad():
        found = load_imported_model(tmp_path / "out")(frames, "depth")
    torch.testing.assert_close(found, reference_head(state, MICRO, tokens, "decoders.depth"), rtol=1e-4, atol=1e-4)


def one_file(state: State, folder: Path) -> Path:
    return save_file(state, folder / "best_model.pth.tar")


def wrapped(state: State, folder: Path) -> Path:
    return save_file({f"module.module.{name}": value for name, value in state.items()}, folder / "checkpoint.pth.tar")


def bare_dict(state: State, folder: Path) -> Path:
    torch.save(state, folder / "weights.pth")
    return folder / "weights.pth"


def under_model(state: State, folder: Path) -> Path:
    torch.save({"model": state}, folder / "weights.pth")
    return folder / "weights.pth"


def two_ranks(state: State, folder: Path) -> Path:
    return save_ranks(state, folder / "checkpoint.pth.tar")


def four_wrapped_ranks(state: State, folder: Path) -> Path:
    return save_ranks({f"module.{name}": value for name, value in state.items()}, folder / "best_model.pth.tar", 4)


LAYOUTS: list[Callable[[State, Path], Path]] = [
    one_file,
    wrapped,
    bare_dict,
    under_model,
    two_ranks,
    four_wrapped_ranks,
]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_every_layout_gives_the_same_tensors(layout: Callable[[State, Path], Path], tmp_path: Path) -> None:
    state = random_state(MICRO) | {
        "tam_model0.conv.weight": torch.ones(2),
        "backbone.blocks.1.mlp.gate.0.w_gate_aux": torch.ones(1),
        "backbone.blocks.1.mlp.gate.0.w_noise_aux": torch.ones(1),
        "backbone.blocks.1.mlp.gate.1.head.weight": torch.ones(3),
        "backbone.dist_token": torch.ones(1),
    }
    import_checkpoint(layout(state, tmp_path), MICRO, tmp_path / "out")
    found = load_imported_model(tmp_path / "out").state_dict()
    checked = 0
    for name, value in state.items():
        own = name.replace("backbone", "model.backbone")
        own = own.replace("decoders.", "model.heads.") if ".norm." in name else own
        if own in found and "num_batches" not in name:
            assert torch.equal(found[own], value), name
            checked += 1
    unused = ("num_batches", "tam_", "_aux", "gate.1.head", "dist_token")
    ignored = sum(any(part in name for part in unused) for name in state)
    assert checked == len(state) - ignored


def test_a_single_task_model_has_one_decoder(frames: Tensor, tmp_path: Path) -> None:
    state = random_state(ONE_TASK, Gates(multi=False))
    assert "decoder.conv_0.weight" in state
    import_checkpoint(save_file(state, tmp_path / "c.pth"), ONE_TASK, tmp_path / "out")
    tokens = reference_tokens(state, ONE_TASK, Gates(multi=False), pixels(frames, ONE_TASK), 0)
    with torch.no_grad():
        found = load_imported_model(tmp_path / "out")(frames, "semseg")
    torch.testing.assert_close(found, reference_head(state, ONE_TASK, tokens, "decoder"), rtol=1e-4, atol=1e-4)


def test_an_imagenet_backbone_without_prefix_is_imported_without_heads(tmp_path: Path) -> None:
    state = random_state(MICRO, Gates(multi=False), decoders=False)
    bare = {f"module.{name.removeprefix('backbone.')}": value for name, value in state.items()}
    bare |= {"module.head.weight": torch.ones(3), "module.norm.weight": torch.ones(2)}
    torch.save(bare, tmp_path / "pretrained.pth")
    report = import_checkpoint(tmp_path / "pretrained.pth", MICRO, tmp_path / "out")
    assert report.variant.decoders == {}
    model = load_imported_model(tmp_path / "out").model
    gate = state["backbone.blocks.1.mlp.gate.w_gate"]
    assert all(torch.equal(each.w_gate, gate) for each in model.backbone.blocks[1].mlp.gate)


def test_an_import_compiles_and_the_host_decodes_what_the_accelerator_gives(tmp_path: Path) -> None:
    """Accelerator features through the decoder are close to the float model: W16A16, on drawn scenes."""
    state, out = random_state(MICRO), tmp_path / "out"
    import_checkpoint(save_file(state, tmp_path / "c.pth"), MICRO, out)
    calibrate([str(out), "--scenes", "4", "--report", str(tmp_path / "report")])
    hardware = load_hardware_config("micro_w16a16")
    program = compile_checkpoint(out, None, hardware)
    frame = torch.randint(0, 256, (1, 32, 48, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(4))
    with open_device("golden", hardware) as device, Session(program, device) as session:
        result = session.run(frame[0].numpy())
    model = load_imported_model(out)
    for task in ("semseg", "depth"):
        with torch.no_grad():
            expected = model(frame, task)
            found = model.decode(torch.from_numpy(result.outputs[task])[None], task)
        assert float((found - expected).norm() / expected.norm()) < 0.02


def test_mean_and_deviation_of_the_pixels_go_into_the_model_file(frames: Tensor, tmp_path: Path) -> None:
    """Cityscapes has none, NYUD and PASCAL have ImageNet's."""
    config = replace(MICRO, pixel_mean=(0.485, 0.456, 0.406), pixel_std=(0.229, 0.224, 0.225))
    state = random_state(config)
    import_checkpoint(save_file(state, tmp_path / "c.pth"), config, tmp_path / "out")
    written = json.loads((tmp_path / "out/config.json").read_text(encoding="utf-8"))
    assert (written["pixel_mean"], written["pixel_std"]) == ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    tokens = reference_tokens(state, config, Gates(), pixels(frames, config), 0)
    with torch.no_grad():
        found = load_imported_model(tmp_path / "out")(frames, "semseg")
    torch.testing.assert_close(found, reference_head(state, config, tokens, "decoders.semseg"), rtol=1e-4, atol=1e-4)


def test_half_precision_is_read(tmp_path: Path) -> None:
    state = {name: value.half() if value.is_floating_point() else value for name, value in random_state(MICRO).items()}
    import_checkpoint(save_file(state, tmp_path / "c.pth"), MICRO, tmp_path / "out")
    found = load_imported_model(tmp_path / "out").model.backbone.pos_embed
    assert torch.equal(found, state["backbone.pos_embed"].float())


ANSWERS = {
    "semseg": ([[0.1, -2.0], [0.3, 1.0], [0.2, 0.9]], [[1, 1]]),
    "human_parts": ([[0.5, 1.0], [0.5, 2.0]], [[0, 1]]),
    "sal": ([[0.0, 5.0]], [[127, 253]]),
    "edge": ([[-20.0, 1.0]], [[0, 186]]),
    "normals": ([[3.0, 0.0], [0.0, -2.0], [4.0, 0.0]], [[[204, 127, 229], [127, 0, 127]]]),
    "depth": ([[0.25, -7.5]], [[0.25, -7.5]]),
}


@pytest.mark.parametrize("task", ANSWERS)
def test_maps_become_what_m3vit_saves(task: str) -> None:
    """argmax; 255·sigmoid and (n/|n| + 1)·255/2 cut to whole numbers, as PNG takes them; depth as it is."""
    channels, expected = ANSWERS[task]
    found = answers(task, torch.tensor(channels)[None, :, None, :])
    assert found.dtype == (np.float32 if task == "depth" else np.uint8)
    assert found[0].tolist() == expected


def test_a_task_without_post_processing_is_refused() -> None:
    with pytest.raises(ValueError, match="no post-processing for task 'flow'; M³ViT's tasks are semseg, human_parts"):
        answers("flow", torch.zeros(1, 1, 2, 2))


def test_gates_ahead_of_attention_are_compiled_where_the_build_has_forms_of_gates(tmp_path: Path) -> None:
    gates, options = FORMS["gates ahead of attention"]
    folder = tmp_path / "out"
    import_checkpoint(save_file(random_state(MICRO, gates), tmp_path / "c.pth"), MICRO, folder, options)
    ranges = to_dict(plain_calibration(load_checkpoint(folder)[0]))
    (folder / CALIBRATION_FILE).write_text(json.dumps(ranges), encoding="utf-8")
    assert any(i.residual_copy for i in compile_checkpoint(folder, None, shape("gate_forms")).instructions)
    with pytest.raises(ProgramError, match="gates that read the input of their block, which hardware 'micro' does not"):
        compile_checkpoint(folder, None, load_hardware_config("micro"))


def test_the_command_imports_and_says_what_comes_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save_file(random_state(MICRO), tmp_path / "c.pth")
    config = tmp_path / "own.json"
    config.write_text(json.dumps(to_dict(MICRO)))
    assert edgemoe(["import", str(path), "--config", str(config), "--out", str(tmp_path / "out")]) == 0
    text = capsys.readouterr().out
    assert "semseg (7 channels), depth (1 channels)" in text
    assert "next: edgemoe calibrate" in text


def test_the_command_calibrates_at_once_on_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where its report goes
    config, street = tmp_path / "own.json", tmp_path / "street"
    config.write_text(json.dumps(to_dict(MICRO)))
    path, out = save_file(random_state(MICRO), tmp_path / "c.pth"), tmp_path / "out"
    given = ["import", str(path), "--config", str(config), "--out", str(out), "--pictures", str(street)]
    street.mkdir()
    assert edgemoe(given) == 1
    assert "street: no pictures; expected files ending in" in capsys.readouterr().err
    assert not out.exists(), "imported before the pictures were looked for"
    for index, grey in enumerate((20, 90, 200)):
        Image.new("L", (9, 6), grey).save(street / f"{index}.png")
    assert edgemoe(given) == 0
    assert compile_checkpoint(out, None, load_hardware_config("micro"))
    text = capsys.readouterr().out
    assert "next: edgemoe calibrate" not in text
    assert "step, added to those kept above" in text
