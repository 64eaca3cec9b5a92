"""Edge-MoE's folder of raw float32 files: the tensors arrive in place, and its own reference frame is reproduced."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from upstream_reference import Gates, random_state, reference_tokens

from edgemoe.cli import main as edgemoe
from edgemoe.spec.checkpoint import CheckpointError
from edgemoe.spec.model import load_model_config
from edgemoe_golden.importing import import_checkpoint, load_imported_model
from edgemoe_golden.importing.edge_moe import raw_files

MICRO = load_model_config("micro")


def write(folder: Path, name: str, values: torch.Tensor | np.ndarray) -> None:
    np.asarray(values, dtype="<f4").tofile(folder / f"{name}.float32.bin")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as Edge-MoE publishes it: gates transposed, class token inside the position table, pixels / 256."""
    folder = tmp_path_factory.mktemp("edge_moe")
    state = random_state(MICRO, decoders=False)
    renamed = {"attn_proj": "attn.proj", "qkv": "attn.qkv", "fc1": "mlp.fc1", "fc2": "mlp.fc2"}
    renamed |= {"htoh4": "mlp.experts.htoh4", "h4toh": "mlp.experts.h4toh", "norm1": "norm1", "norm2": "norm2"}
    for index in range(MICRO.depth):
        for file, tensor in renamed.items():
            for part in ("weight", "bias"):
                name = f"backbone.blocks.{index}.{tensor}.{part}"
                if name in state:
                    write(folder, f"l{index}_{file}_{part}", state[name])
        for task in range(2):
            name = f"backbone.blocks.{index}.mlp.gate.{task}.w_gate"
            if name in state:
                write(folder, f"l{index}_w_gate_T_task{task}", state[name].T.contiguous())
    position = state["backbone.pos_embed"][0].clone()
    position[0] += state["backbone.cls_token"][0, 0]
    write(folder, "pos_embed", position)
    for part in ("weight", "bias"):
        write(folder, f"patch_embed_{part}", state[f"backbone.patch_embed.proj.{part}"])
    image = torch.randint(0, 256, (1, 3, 32, 48), generator=torch.Generator().manual_seed(3)) / 256
    write(folder, "image", image[0])
    write(folder, "l11_x_post_moe", reference_tokens(state, MICRO, Gates(), image, 0)[0])
    return folder


def test_tiny_asks_for_the_files_that_edge_moe_has() -> None:
    """184 weight files; the twelve of the experts' matrices have 4,718,592 bytes each."""
    files = raw_files(load_model_config("tiny"))
    assert len(files) == 3 + 12 * 8 + 6 * 4 + 6 * 4 + 6 * 2
    assert files["l0_qkv_weight"] == ("backbone.blocks.0.attn.qkv.weight", (576, 192))
    assert files["l11_w_gate_T_task1"] == ("backbone.blocks.11.mlp.gate.1.w_gate", (16, 192))
    large = [name for name, (_, shape) in files.items() if 4 * np.prod(shape) == 4_718_592]
    assert large == [f"l{index}_{part}_weight" for index in (1, 3, 5, 7, 9, 11) for part in ("htoh4", "h4toh")]


def test_the_reference_frame_is_reproduced(made: Path, tmp_path: Path) -> None:
    report = import_checkpoint(made, MICRO, tmp_path / "out")
    assert report.layout == "Edge-MoE raw folder"
    assert report.reference_mse is not None
    assert report.reference_mse < 1e-9
    model = load_imported_model(tmp_path / "out").model
    assert torch.equal(
        model.backbone.blocks[1].mlp.gate[1].w_gate, random_state(MICRO)["backbone.blocks.1.mlp.gate.1.w_gate"]
    )
    assert model.config.pixel_std == pytest.approx([256 / 255] * 3)


def transpose_a_gate(folder: Path) -> None:
    values = np.fromfile(folder / "l1_w_gate_T_task0.float32.bin", dtype="<f4")
    write(folder, "l1_w_gate_T_task0", values.reshape(32, 4).T)


def store_the_kernel_in_another_order(folder: Path) -> None:
    name = next(folder.glob("*patch_embed*weight*")).name.removesuffix(".float32.bin")
    kernel = np.fromfile(folder / f"{name}.float32.bin", dtype="<f4").reshape(32, 3, 16, 16)
    write(folder, name, kernel.transpose(2, 3, 1, 0))


def grow(folder: Path) -> None:
    write(folder, "l0_fc2_weight", np.fromfile(folder / "l0_fc2_weight.float32.bin", dtype="<f4") * 1e38)


def shift_the_reference(folder: Path) -> None:
    write(folder, "l11_x_post_moe", np.fromfile(folder / "l11_x_post_moe.float32.bin", dtype="<f4") + 1)


@pytest.mark.parametrize(
    "damage", [transpose_a_gate, store_the_kernel_in_another_order, grow, shift_the_reference],
    ids=lambda value: value.__name__,
)  # fmt: skip
def test_a_folder_that_does_not_reproduce_its_reference_is_refused(
    damage: Callable[[Path], None], made: Path, tmp_path: Path
) -> None:
    """All sizes are right, and only the reference frame shows that something is not."""
    folder = Path(shutil.copytree(made, tmp_path / "raw"))
    damage(folder)
    with pytest.raises(CheckpointError, match=r"does not reproduce its own reference frame \(MSE .*another order"):
        import_checkpoint(folder, MICRO, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_reference_frame_is_optional(made: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(made, tmp_path / "raw"))
    (folder / "image.float32.bin").unlink()
    assert import_checkpoint(folder, MICRO, tmp_path / "out").reference_mse is None


def remove_experts(folder: Path) -> None:
    (folder / "l1_htoh4_weight.float32.bin").unlink()
    (folder / "l1_h4toh_weight.float32.bin").unlink()


def shorten(folder: Path) -> None:
    path = folder / "l0_fc1_bias.float32.bin"
    path.write_bytes(path.read_bytes()[:-4])


def spoil(folder: Path) -> None:
    write(folder, "l1_norm2_bias", np.full(32, np.nan))


def add_a_third_gate(folder: Path) -> None:
    write(folder, "l1_w_gate_T_task2", np.zeros((4, 32)))


def add_a_block(folder: Path) -> None:
    write(folder, "l2_norm1_weight", np.zeros(32))


def darken(folder: Path) -> None:
    write(folder, "image", np.full((3, 32, 48), 0.3))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            remove_experts,
            r"l1_htoh4_weight.float32.bin: missing; expected 16,384 bytes, shape \(4, 32, 32\); so are l1_h4",
        ),
        (shorten, r"l0_fc1_bias.float32.bin: 252 bytes; expected 256, shape \(64,\)"),
        (spoil, "l1_norm2_bias.float32.bin: holds NaN"),
        (
            add_a_third_gate,
            r"l1_w_gate_T_task2.float32.bin: has no place in model 'micro' of 2 blocks with tasks semseg",
        ),
        (add_a_block, r"l2_norm1_weight.float32.bin: has no place in model 'micro' of 2 blocks"),
        (darken, r"image.float32.bin: expected pixels of 0 … 255 / 256"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_bad_folder_is_named_and_nothing_is_written(
    damage: Callable[[Path], None], message: str, made: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(made, tmp_path / "raw"))
    damage(folder)
    with pytest.raises(CheckpointError, match=message):
        import_checkpoint(folder, MICRO, tmp_path / "out")
    assert [entry.name for entry in tmp_path.iterdir()] == ["raw"]


def test_the_command_prints_the_error_against_the_reference(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert edgemoe(["import", str(made), "--config", "micro", "--out", str(tmp_path / "out")]) == 0
    text = capsys.readouterr().out
    assert "against the reference frame: MSE" in text
    assert re.search(r"verdict: the same network, its error is \d\S* % of the reference's variance", text)
    assert text.splitlines()[-1] == f"next: edgemoe calibrate {tmp_path / 'out'} --pictures FOLDER_OF_YOUR_PICTURES"


def test_a_suspicious_error_against_the_reference_is_a_warning(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """0.4 % of the variance: no other network, and no arithmetic either."""
    folder = Path(shutil.copytree(made, tmp_path / "raw"))
    tokens = np.fromfile(folder / "l11_x_post_moe.float32.bin", dtype="<f4")
    write(folder, "l11_x_post_moe", tokens + np.float32(np.sqrt(0.004 * tokens.var())))
    assert edgemoe(["import", str(folder), "--config", "micro", "--out", str(tmp_path / "out")]) == 0
    text = capsys.readouterr().out
    assert "warning: suspicious, its error is 0.4 % of the reference's variance, where arithmetic alone" in text
    assert "verdict: the same" not in text


def test_files_that_are_no_weights_are_left_alone(made: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(made, tmp_path / "raw"))
    write(folder, "l0_x_norm1", np.zeros(3))
    import_checkpoint(folder, MICRO, tmp_path / "out")


@pytest.mark.parametrize(
    "options", [["--gate-order", "top-k-first"], ["--experts-per-task", "2"], ["--gate-input-ahead"]]
)
def test_gate_options_do_not_apply(
    options: list[str], made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert edgemoe(["import", str(made), "--config", "micro", "--out", str(tmp_path / "out"), *options]) == 1
    assert "Edge-MoE's gates are softmax-first and plain" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
