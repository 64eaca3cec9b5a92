"""Checkpoints of others: every layout and every form of gate gives what M³ViT computes; bad files leave nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from upstream_reference import Gates, State, random_state, reference_head, reference_tokens

from edgemoe.cli import main as edgemoe
from edgemoe.compiler.compile import compile_checkpoint
from edgemoe.devices.registry import open_device
from edgemoe.session import Session
from edgemoe.spec.checkpoint import CheckpointError
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.model import ModelConfig, load_model_config
from edgemoe.spec.strict import to_dict
from golden.calibrate import main as calibrate
from golden.importing import GateOptions, import_checkpoint, load_imported_model

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
    "top-k first, conditioned": (Gates(multi=False, conditioned=4, top_first=True), GateOptions()),
}


def save_file(state: State, path: Path) -> Path:
    """As M³ViT's training writes it."""
    content = {"epoch": 3, "backbone": "VisionTransformer_moe", "best_result": {"mIoU": np.float64(0.5)}}
    torch.save(content | {"state_dict": state, "optimizer": {"state": {}, "param_groups": []}}, path)
    return path


def save_ranks(state: State, folder: Path, ranks: int = 2) -> Path:
    """As written with experts spread over processes: rank 0 has everything, with its own experts only."""
    folder.mkdir()
    for rank in range(ranks):
        experts = {name: value.chunk(ranks)[rank].clone() for name, value in state.items() if ".mlp.experts." in name}
        rest = {name: value for name, value in state.items() if name not in experts} if rank == 0 else {}
        torch.save({"epoch": 1, "state_dict": rest | experts}, folder / f"{rank}.pth")
    return folder


def pixels(frames: Tensor, config: ModelConfig) -> Tensor:
    mean, std = (torch.tensor(value).view(3, 1, 1) for value in (config.pixel_mean, config.pixel_std))
    return (frames.permute(0, 3, 1, 2) / 255 - mean) / std


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_gate_gives_what_its_description_says(form: str, frames: Tensor, tmp_path: Path) -> None:
    gates, options = FORMS[form]
    state = random_state(MICRO, gates)
    report = import_checkpoint(save_file(state, tmp_path / "checkpoint.pth.tar"), MICRO, tmp_path / "out", options)
    model = load_imported_model(tmp_path / "out")
    plain = gates in (Gates(), Gates(multi=False))
    assert report.variant.float_only == (not plain)
    for index, task in enumerate(MICRO.tasks):
        tokens = reference_tokens(state, MICRO, gates, pixels(frames, MICRO), index)
        expected = reference_head(state, MICRO, tokens, f"decoders.{task.name}")
        with torch.no_grad():
            torch.testing.assert_close(model(frames, task.name), expected, rtol=1e-4, atol=1e-4)


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
    ignored = sum("num_batches" in name or "tam_" in name or "_aux" in name for name in state)
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
    calibrate([str(out), "--scenes", "4"])
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


def test_biased_gates_are_refused_by_the_compiler(tmp_path: Path) -> None:
    gates, options = FORMS["task-conditioned"]
    import_checkpoint(save_file(random_state(MICRO, gates), tmp_path / "c.pth"), MICRO, tmp_path / "out", options)
    with pytest.raises(CheckpointError, match="only the float model can compute them"):
        compile_checkpoint(tmp_path / "out", None, load_hardware_config("micro"))


def broken(state: State, name: str, value: Tensor | None) -> State:
    kept = {key: tensor for key, tensor in state.items() if key != name}
    return kept if value is None else kept | {name: value}


QKV = "backbone.blocks.0.attn.qkv.weight"
MISTAKES: dict[str, tuple[str, Tensor | None, str]] = {
    "missing": (QKV, None, rf"tensor '{QKV}' is missing; expected shape \(96, 32\)"),
    "misshapen": (QKV, torch.zeros(96, 33), rf"tensor '{QKV}' has shape \(96, 33\); expected \(96, 32\)"),
    "not finite": (QKV, torch.full((96, 32), torch.nan), rf"'{QKV}' holds NaN or infinite values"),
    "unknown": (
        "backbone.extra",
        torch.zeros(3),
        r"tensor 'backbone.extra' of shape \(3,\) has no place in model 'micro'",
    ),
    "a third gate": ("backbone.blocks.1.mlp.gate.2.w_gate", torch.zeros(32, 4), "has no place in model 'micro'"),
    "gate without features": (
        "backbone.blocks.1.mlp.gate.0.w_gate",
        torch.zeros(37, 4),
        r"gate.0.w_gate' has shape \(37, 4\); expected \(32, 4\)",
    ),
    "decoder": (
        "decoders.depth.conv_4.weight",
        torch.zeros(2, 256, 1, 1),
        r"conv_4.weight' has shape \(2, 256, 1, 1\); expected \(1, 256, 1, 1\)",
    ),
    "half a decoder": ("decoders.depth.norm.bias", None, r"'decoders.depth.norm.bias' is missing"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_tensor_is_named_and_nothing_is_written(mistake: str, tmp_path: Path) -> None:
    name, value, message = MISTAKES[mistake]
    path = save_file(broken(random_state(MICRO), name, value), tmp_path / "c.pth")
    with pytest.raises(CheckpointError, match=message) as caught:
        import_checkpoint(path, MICRO, tmp_path / "out")
    assert str(caught.value).startswith(str(path))
    assert [entry.name for entry in tmp_path.iterdir()] == ["c.pth"]


class Foreign:
    """An object whose class a loader would have to run."""


def foreign_file(folder: Path) -> Path:
    torch.save({"state_dict": {}, "arguments": Foreign()}, folder / "c.pth")
    return folder / "c.pth"


def other_architecture(folder: Path) -> Path:
    torch.save({"conv1.weight": torch.zeros(3), "fc.bias": torch.zeros(2)}, folder / "c.pth")
    return folder / "c.pth"


def text_file(folder: Path) -> Path:
    (folder / "c.pth").write_text("not a checkpoint")
    return folder / "c.pth"


def cut_file(folder: Path) -> Path:
    path = save_file(random_state(MICRO), folder / "c.pth")
    path.write_bytes(path.read_bytes()[:5000])
    return path


def no_tensors(folder: Path) -> Path:
    torch.save({"epoch": 3}, folder / "c.pth")
    return folder / "c.pth"


def lost_rank(folder: Path) -> Path:
    ranks = save_ranks(random_state(MICRO), folder / "c.pth", 4)
    (ranks / "2.pth").unlink()
    return ranks


def rank_without_experts(folder: Path) -> Path:
    ranks = save_ranks(random_state(MICRO), folder / "c.pth")
    torch.save({"state_dict": {"x": torch.zeros(1)}}, ranks / "1.pth")
    return ranks


def absent(folder: Path) -> Path:
    return folder / "nowhere.pth"


def empty_folder(folder: Path) -> Path:
    (folder / "c").mkdir()
    return folder / "c"


BAD_FILES: list[tuple[Callable[[Path], Path], str]] = [
    (foreign_file, "could run foreign code"),
    (other_architecture, "not an M³ViT checkpoint: none of its 2 tensors .* the first is 'conv1.weight'"),
    (text_file, "c.pth: not "),
    (cut_file, "c.pth: not "),
    (no_tensors, "'epoch' is a int; expected tensors by name"),
    (lost_rank, "2.pth: no such file; ranks 0 … 3 are needed"),
    (rank_without_experts, "1.pth: tensor 'backbone.blocks.1.mlp.experts.htoh4.weight' is missing"),
    (absent, "nowhere.pth: no such file or folder"),
    (empty_folder, "neither Edge-MoE's .* nor M³ViT's 0.pth"),
]


@pytest.mark.parametrize(("make", "message"), BAD_FILES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_bad_file_is_one_sentence_on_the_command_line(
    make: Callable[[Path], Path], message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source, out = make(tmp_path), tmp_path / "out"
    assert edgemoe(["import", str(source), "--config", "micro", "--out", str(out)]) == 1
    error = capfd.readouterr().err
    assert re.search(message, error), error
    assert error.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize(
    ("width", "message"), [(3, "window of task 'depth' at 3 … 5"), (1, "1 experts per task; expected 2")]
)
def test_windows_that_do_not_fit_are_refused(width: int, message: str, tmp_path: Path) -> None:
    path = save_file(random_state(MICRO), tmp_path / "c.pth")
    with pytest.raises(CheckpointError, match=message):
        import_checkpoint(path, MICRO, tmp_path / "out", GateOptions(experts_per_task=width))


def test_an_existing_folder_is_left_alone(tmp_path: Path) -> None:
    path = save_file(random_state(MICRO), tmp_path / "c.pth")
    (tmp_path / "out").mkdir()
    with pytest.raises(CheckpointError, match="exists already"):
        import_checkpoint(path, MICRO, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_the_command_imports_and_says_what_comes_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save_file(random_state(MICRO), tmp_path / "c.pth")
    config = tmp_path / "own.json"
    config.write_text(json.dumps(to_dict(MICRO)))
    assert edgemoe(["import", str(path), "--config", str(config), "--out", str(tmp_path / "out")]) == 0
    text = capsys.readouterr().out
    assert "semseg (7 channels), depth (1 channels)" in text
    assert "next: python -m golden.calibrate" in text
