"""Checkpoints that cannot be used: the tensor or file at fault is named with what was expected; nothing is written."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from upstream_files import save_file, save_ranks
from upstream_reference import State, random_state

from edgemoe.cli import main as edgemoe
from edgemoe.spec.checkpoint import CheckpointError
from edgemoe.spec.model import load_model_config
from edgemoe.spec.strict import ConfigError
from edgemoe_golden.importing import GateOptions, import_checkpoint
from edgemoe_golden.model import M3ViT

MICRO = load_model_config("micro")


def broken(state: State, name: str, value: Tensor | None) -> State:
    kept = {key: tensor for key, tensor in state.items() if key != name}
    return kept if value is None else kept | {name: value}


QKV = "backbone.blocks.0.attn.qkv.weight"
MISTAKES: dict[str, tuple[str, Tensor | None, str]] = {
    "missing": (QKV, None, rf"tensor '{QKV}' is missing; expected shape \(96, 32\)"),
    "misshapen": (QKV, torch.zeros(96, 33), rf"tensor '{QKV}' has shape \(96, 33\); expected \(96, 32\)"),
    "of integers": (
        QKV,
        torch.zeros(96, 32, dtype=torch.int8),
        rf"'{QKV}' holds torch.int8; expected floating-point weights",
    ),
    "an infinite gate": (
        "backbone.blocks.1.mlp.gate.1.w_gate",
        torch.full((32, 4), torch.inf),
        r"gate.1.w_gate' holds NaN or infinite values",
    ),
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
    "a decoder that is not finite": (
        "decoders.depth.conv_2.bias",
        torch.full((256,), torch.nan),
        r"'decoders.depth.conv_2.bias' holds NaN",
    ),
    "a decoder of another task": (
        "decoders.normals.conv_4.bias",
        torch.zeros(3),
        r"'decoders.normals.conv_4.bias' of shape \(3,\) has no place in model 'micro' with tasks semseg, depth",
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


STACKED = "backbone.blocks.1.mlp.experts.htoh4.weight"


@pytest.mark.parametrize("form", ["experts.htoh4.{}.weight", "experts.{}.htoh4.weight"])
@pytest.mark.parametrize("kept", [False, True])
def test_experts_that_are_not_stacked_are_refused_by_name(form: str, kept: bool, tmp_path: Path) -> None:
    """One tensor for each expert, in place of the stacked one or beside it: none is taken for another or left out."""
    state = random_state(MICRO)
    each = STACKED.replace("experts.htoh4.weight", form)
    named = {each.format(expert): values for expert, values in enumerate(state[STACKED])}
    path = save_file({name: value for name, value in state.items() if kept or name != STACKED} | named, tmp_path / "c")
    told = f"'{each.format(0)}' of shape .* has no place in model 'micro'" if kept else f"'{STACKED}' is missing"
    with pytest.raises(CheckpointError, match=f"tensor {told}"):
        import_checkpoint(path, MICRO, tmp_path / "out")
    assert [entry.name for entry in tmp_path.iterdir()] == ["c"]


class Foreign:
    """An object whose class a loader would have to run."""


def foreign_file(folder: Path) -> Path:
    torch.save({"state_dict": {}, "arguments": Foreign()}, folder / "c.pth")
    return folder / "c.pth"


def other_architecture(folder: Path) -> Path:
    torch.save({"conv1.weight": torch.zeros(3), "fc.bias": torch.zeros(2)}, folder / "c.pth")
    return folder / "c.pth"


def dense_transformer(folder: Path) -> Path:
    """DeiT: bare names, a classifier, and an MLP in every block."""
    state = random_state(replace(MICRO, moe_blocks=()), decoders=False)
    bare = {name.removeprefix("backbone."): value for name, value in state.items()}
    torch.save({"model": bare | {"head.weight": torch.zeros(10, 32), "head.bias": torch.zeros(10)}}, folder / "c.pth")
    return folder / "c.pth"


def all_blocks_of_experts(folder: Path) -> Path:
    return save_file(random_state(replace(MICRO, moe_blocks=(0, 1))), folder / "c.pth")


def deeper(folder: Path) -> Path:
    return save_file(random_state(replace(MICRO, depth=3)), folder / "c.pth")


def wider(folder: Path) -> Path:
    return save_file(random_state(replace(MICRO, width=64)), folder / "c.pth")


def other_picture(folder: Path) -> Path:
    return save_file(random_state(replace(MICRO, image_width=96)), folder / "c.pth")


def more_experts(folder: Path) -> Path:
    return save_file(random_state(replace(MICRO, experts=8)), folder / "c.pth")


def numbers_for_names(folder: Path) -> Path:
    torch.save({1: torch.zeros(3)}, folder / "c.pth")
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
    (dense_transformer, "block 1 is a dense MLP; in model 'micro' it is a mixture of experts"),
    (all_blocks_of_experts, "block 0 is a mixture of experts; in model 'micro' it is a dense MLP"),
    (deeper, "has 3 blocks; model 'micro' has 2"),
    (wider, r"cls_token' has shape \(1, 1, 64\); expected \(1, 1, 32\)"),
    (other_picture, r"pos_embed' has shape \(1, 13, 32\); expected \(1, 7, 32\)"),
    (more_experts, r"w_gate' has shape \(32, 8\); expected \(32, 4\)"),
    (numbers_for_names, "under the key 1; expected names"),
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


@pytest.mark.parametrize(
    ("interruption", "raised", "message"),
    [
        (
            OSError(28, "No space left on device"),
            CheckpointError,
            "cannot be written: no space left on device; choose",
        ),
        (KeyboardInterrupt(), KeyboardInterrupt, None),
    ],
    ids=["a full disk", "Ctrl-C"],
)
def test_an_import_cut_off_while_writing_leaves_nothing(
    interruption: BaseException,
    raised: type[BaseException],
    message: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second file of two fails."""
    path, calls = save_file(random_state(MICRO), tmp_path / "c.pth"), []

    def failing(target: Path, content: bytes) -> int:
        calls.append(target)
        with target.open("wb") as file:
            file.write(content[:4])
        if len(calls) == 2:
            raise interruption
        return len(content)

    monkeypatch.setattr(Path, "write_bytes", failing)
    with pytest.raises(raised, match=message):
        import_checkpoint(path, MICRO, tmp_path / "out")
    assert len(calls) == 2
    assert [entry.name for entry in tmp_path.iterdir()] == ["c.pth"]


def other_tensors() -> dict[str, tuple[Tensor, str]]:
    """Tensors that torch stores and reads back, but that have no plain values in the file."""
    plain = torch.ones(96, 32)
    float8 = "holds torch.float8_e4m3fn; accepted are float64, float32, float16 and bfloat16"
    return {
        "coordinates": (plain.to_sparse(), "is sparse; expected plain tensors"),
        "compressed rows": (plain.to_sparse_csr(), "is sparse; expected plain tensors"),
        "float8": (plain.to(torch.float8_e4m3fn), float8),
        "meta": (torch.empty(96, 32, device="meta"), "is on the meta device, so its values are not in the file"),
        "expanded": (torch.ones(1, 32).expand(96, 32), r"has shape \(96, 32\), but fewer stored values"),
        "a thousand million rows": (torch.ones(1).expand(10**9, 32), r"has shape \(1000000000, 32\), but fewer stored"),
    }


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize(
    "case", ["coordinates", "compressed rows", "float8", "meta", "expanded", "a thousand million rows"]
)
@pytest.mark.parametrize("name", [QKV, "backbone.blocks.1.mlp.experts.htoh4.weight", "tam_model.unused"])
def test_tensors_without_plain_values_are_refused_in_one_sentence(
    case: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    value, message = other_tensors()[case]
    path = save_file(broken(random_state(MICRO), name, value), tmp_path / "x.pth")
    assert edgemoe(["import", str(path), "--config", "micro", "--out", str(tmp_path / "out")]) == 1
    printed = capsys.readouterr().err
    assert re.fullmatch(rf"edgemoe: {path}: tensor '{re.escape(name)}' {message}[^\n]*\n", printed), printed
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["keys", "training", "forward"])
def test_a_task_that_torch_has_another_use_for_is_refused(name: str) -> None:
    config = replace(MICRO, tasks=(replace(MICRO.tasks[0], name=name),))
    with pytest.raises(ConfigError, match=f"task '{name}' has a name that torch keeps for itself"):
        M3ViT(config)
