"""Dense checkpoints of timm and transformers: our float model computes what the library's own model computes.

Models are built by the libraries with random weights; nothing is downloaded. The error allowed is that of float32.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from library_models import load_timm, load_transformers, normalised, pictures, randomised
from safetensors.torch import load_file

from edgemoe.spec.checkpoint import CheckpointError
from edgemoe_golden.importing.dense import from_dense, is_dense
from edgemoe_golden.importing.dense_config import DenseOptions
from edgemoe_golden.importing.source_config import SourceConfig, read_source_config
from edgemoe_golden.importing.states import State
from edgemoe_golden.importing.upstream import Imported
from edgemoe_golden.model import M3ViT, task_output

TOLERANCE = 1e-5  # relative to the largest value
HALF = {"mean": (0.5,) * 3, "deviation": (0.5,) * 3}
GREY = {"mean": (0.5,), "deviation": (0.5,)}
BOTH = ("classification", "features")


def outputs(imported: Imported, frames: torch.Tensor) -> dict[str, torch.Tensor]:
    """Every task's output by our float model."""
    config = imported.config
    model = M3ViT(config, imported.variant)
    model.load_state_dict(imported.tensors)
    with torch.inference_mode():
        return {t.name: task_output(model.eval()(frames, t.name), config, t.name) for t in config.tasks}


def assert_close(found: torch.Tensor, expected: torch.Tensor, what: str) -> None:
    assert found.shape == expected.shape, what
    error = float((found - expected).abs().max() / expected.abs().max())
    assert error <= TOLERANCE, f"{what}: relative error {error:.2g}"


TIMM: dict[str, tuple[str, dict[str, Any], tuple[int, int], tuple[str, ...]]] = {
    "ViT": ("vit_tiny_patch16_224", {}, (224, 224), BOTH),
    "ViT, patch 32": ("vit_small_patch32_224", {}, (224, 224), BOTH),
    "ViT, no qkv bias": ("vit_tiny_patch16_224", {"qkv_bias": False}, (224, 224), BOTH),
    "ViT, grey": ("vit_tiny_patch16_224", {"in_chans": 1}, (224, 224), BOTH),
    "DeiT": ("deit_tiny_patch16_224", {}, (224, 224), BOTH),
    "DeiT, distilled": ("deit_tiny_distilled_patch16_224", {}, (224, 224), BOTH),
    "DINOv2": ("vit_small_patch14_dinov2", {"img_size": 224}, (224, 224), ("features",)),
    "DINOv2 with registers": ("vit_small_patch14_reg4_dinov2", {"img_size": 224}, (224, 224), ("features",)),
    "SigLIP": ("vit_base_patch16_siglip_224", {}, (224, 224), ("features",)),
    "not square": ("vit_tiny_patch16_224", {"img_size": (64, 96)}, (64, 96), BOTH),
}


@pytest.mark.parametrize("kind", TIMM)
def test_timm(kind: str) -> None:
    name, arguments, size, tasks = TIMM[kind]
    model = randomised(load_timm().create_model(name, pretrained=False, depth=2, **arguments))
    channels = arguments.get("in_chans", 3)
    state = model.state_dict()
    assert is_dense(state)
    pixels = GREY if channels == 1 else HALF
    imported, _ = from_dense(state, SourceConfig(size=size), DenseOptions(tasks=tasks, **pixels))
    frames = pictures(*size, channels)
    with torch.inference_mode():
        expected = {"features": model.forward_features(normalised(frames))}
        expected |= {"classification": model(normalised(frames))} if "classification" in tasks else {}
    found = outputs(imported, frames)
    assert found.keys() == set(tasks)
    for task, value in found.items():
        assert_close(value, expected[task], f"{kind}: {task}")


SMALL = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
SQUARE = {**SMALL, "intermediate_size": 128, "image_size": 32, "patch_size": 16}
DINO = {**SMALL, "image_size": 28, "patch_size": 14, "mlp_ratio": 2}
SPECTROGRAM = {**SMALL, "intermediate_size": 128, "max_length": 64, "num_mel_bins": 32}
# kind: class of the model, class and arguments of its configuration, size, tasks
TRANSFORMERS: dict[str, tuple[str, str, dict[str, Any], tuple[int, int], tuple[str, ...]]] = {
    "ViT": ("ViTForImageClassification", "ViTConfig", {**SQUARE, "num_labels": 5}, (32, 32), BOTH),
    "ViT without bias": ("ViTModel", "ViTConfig", {**SQUARE, "qkv_bias": False}, (32, 32), ("features",)),
    "ViT, quick GELU": ("ViTModel", "ViTConfig", {**SQUARE, "hidden_act": "quick_gelu"}, (32, 32), ("features",)),
    "ViT, ReLU": ("ViTModel", "ViTConfig", {**SQUARE, "hidden_act": "relu"}, (32, 32), ("features",)),
    "DeiT": ("DeiTForImageClassificationWithTeacher", "DeiTConfig", {**SQUARE, "num_labels": 5}, (32, 32), BOTH),
    "DINOv2": ("Dinov2Model", "Dinov2Config", DINO, (28, 28), ("features",)),
    "DINOv2, classes": ("Dinov2ForImageClassification", "Dinov2Config", {**DINO, "num_labels": 7}, (28, 28), BOTH),
    "DINOv2 with registers": ("Dinov2WithRegistersModel", "Dinov2WithRegistersConfig", DINO, (28, 28), ("features",)),
    "SigLIP's trunk": ("SiglipVisionModel", "SiglipVisionConfig", SQUARE, (32, 32), ("features",)),
    "spectrogram transformer": ("ASTModel", "ASTConfig", SPECTROGRAM, (32, 64), ("features",)),
}


def saved(kind: str, folder: Path) -> tuple[Any, State, SourceConfig]:
    """A random model of transformers, its state dict as its own file has it, and what stands beside it."""
    library = load_transformers()
    model_class, config_class, arguments, _, _ = TRANSFORMERS[kind]
    model = randomised(getattr(library, model_class)(getattr(library, config_class)(**arguments)))
    model.save_pretrained(folder)
    return model, load_file(folder / "model.safetensors"), read_source_config(folder)


def expected_of(model: Any, frames: torch.Tensor, **options: Any) -> dict[str, torch.Tensor]:
    """What transformers computes: hidden states after the final norm, and logits of a classifier."""
    pixels = normalised(frames)
    pixels = pixels[:, 0].transpose(1, 2) if pixels.shape[1] == 1 else pixels  # spectrograms come as time × frequency
    trunk = next((getattr(model, name) for name in ("vit", "deit", "dinov2") if hasattr(model, name)), model)
    with torch.inference_mode():
        found = {"features": trunk(pixels, **options).last_hidden_state}
        return found if trunk is model else found | {"classification": model(pixels, **options).logits}


@pytest.mark.parametrize("kind", TRANSFORMERS)
def test_transformers(kind: str, tmp_path: Path) -> None:
    *_, size, tasks = TRANSFORMERS[kind]
    model, state, source = saved(kind, tmp_path)
    assert is_dense(state)
    channels = 1 if "spectrogram" in kind else 3
    options = DenseOptions(tasks=tasks, **(GREY if channels == 1 else HALF))
    frames = pictures(*size, channels)
    found, expected = outputs(from_dense(state, source, options)[0], frames), expected_of(model, frames)
    assert found.keys() == set(tasks)
    for task, value in found.items():
        assert_close(value, expected[task], f"{kind}: {task}")


def test_names_of_transformers_5_give_the_same_tensors(tmp_path: Path) -> None:
    """Files keep the names of its hub, state dicts in memory have the new ones: both are read."""
    for kind in ("ViT", "DeiT", "DINOv2 with registers", "SigLIP's trunk"):
        model, state, source = saved(kind, tmp_path / kind)
        options = DenseOptions(tasks=("features",), **HALF)
        (from_file, _), (from_memory, _) = (from_dense(s, source, options) for s in (state, model.state_dict()))
        assert from_file.config == from_memory.config
        assert all(torch.equal(value, from_memory.tensors[name]) for name, value in from_file.tensors.items())


@pytest.mark.parametrize("kind", ["ViT without bias", "DINOv2", "DINOv2 with registers", "SigLIP's trunk"])
def test_another_picture_size_as_transformers_interpolates_it(kind: str, tmp_path: Path) -> None:
    model, state, source = saved(kind, tmp_path)
    patch = 14 if "DINO" in kind else 16
    size = (4 * patch, 3 * patch)
    imported, notes = from_dense(state, source, DenseOptions(size=size, **HALF))
    assert "position embeddings interpolated from 2×2 to 4×3 patches" in notes
    frames = pictures(*size)
    options = {} if "DINO" in kind else {"interpolate_pos_encoding": True}
    assert_close(outputs(imported, frames)["features"], expected_of(model, frames, **options)["features"], kind)


@pytest.mark.parametrize("size", [(128, 160), (256, 320)])
def test_another_picture_size_as_timm_interpolates_it(size: tuple[int, int]) -> None:
    timm = load_timm()
    model = randomised(timm.create_model("vit_tiny_patch16_224", pretrained=False, depth=2))
    other = timm.create_model("vit_tiny_patch16_224", pretrained=False, depth=2, img_size=size)
    other.load_state_dict(timm.models.vision_transformer.checkpoint_filter_fn(model.state_dict(), other))
    imported, _ = from_dense(model.state_dict(), SourceConfig(), DenseOptions(size=size, **HALF))
    frames = pictures(*size)
    with torch.inference_mode():
        expected = other.eval()(normalised(frames))
    assert_close(outputs(imported, frames)["classification"], expected, "classification")


def small_state(**changes: torch.Tensor | None) -> State:
    """timm's names, one block of width 32, four patches; a change of None leaves a tensor out."""
    generator = torch.Generator().manual_seed(0)
    shapes = {
        "cls_token": (1, 1, 32), "pos_embed": (1, 5, 32), "patch_embed.proj.weight": (32, 3, 16, 16),
        "patch_embed.proj.bias": (32,), "blocks.0.norm1.weight": (32,), "blocks.0.norm1.bias": (32,),
        "blocks.0.attn.qkv.weight": (96, 32), "blocks.0.attn.qkv.bias": (96,), "blocks.0.attn.proj.weight": (32, 32),
        "blocks.0.attn.proj.bias": (32,), "blocks.0.norm2.weight": (32,), "blocks.0.norm2.bias": (32,),
        "blocks.0.mlp.fc1.weight": (64, 32), "blocks.0.mlp.fc1.bias": (64,), "blocks.0.mlp.fc2.weight": (32, 64),
        "blocks.0.mlp.fc2.bias": (32,), "norm.weight": (32,), "norm.bias": (32,), "head.weight": (4, 32),
        "head.bias": (4,),
    }  # fmt: skip
    state = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    for name, value in changes.items():
        if value is None:
            del state[name]
        else:
            state[name] = value
    return state


HEADS = {"heads": 2}
REFUSED: dict[str, tuple[State, dict[str, Any], str]] = {
    "Swin": (small_state(**{"blocks.0.attn.relative_position_bias_table": torch.zeros(9, 2)}), {}, "as Swin has"),
    "CLIP": (small_state(**{"norm_pre.weight": torch.ones(32)}), {}, "a norm before the first block, as CLIP has"),
    "norms of query and key": (small_state(**{"blocks.0.attn.q_norm.weight": torch.ones(16)}), {}, "norms of query"),
    "SwiGLU": (small_state(**{"blocks.0.mlp.w12.weight": torch.ones(4, 4)}), {}, "a gated MLP (SwiGLU)"),
    "a stem": (small_state(**{"patch_embed.proj.0.weight": torch.ones(4)}), {}, "a convolution stem"),
    "a CNN": ({"conv1.weight": torch.ones(8, 3, 7, 7), "layer1.0.conv1.weight": torch.ones(4)}, {}, "a CNN"),
    "fc_norm": (small_state(**{"fc_norm.weight": torch.ones(32)}), HEADS, "normalises pooled tokens"),
    "a tensor too many": (small_state(**{"blocks.0.extra": torch.ones(3)}), HEADS, "shape (3,) has no place"),
    "a missing tensor": (small_state(**{"blocks.0.norm2.bias": None, "blocks.0.norm2.weight": None}), HEADS,
                         "tensor 'blocks.0.norm2.weight' is missing"),
    "NaN": (small_state(**{"norm.bias": torch.full((32,), float("nan"))}), HEADS, "'norm.bias' holds NaN"),
    "heads unknown": (small_state(), {}, "pass --heads"),
    "heads that do not divide": (small_state(), {"heads": 3}, "not a multiple of 3 attention heads"),
    "no grid": (small_state(pos_embed=torch.zeros(1, 8, 32)), HEADS, "no square grid of patches; name the size"),
    "size between patches": (small_state(), {**HEADS, "size": (40, 32)}, "no multiple of the patch side 16"),
    "no pixels": (small_state(), {**HEADS, "mean": (), "deviation": ()}, "pass --pixels imagenet"),
    "one mean": (small_state(), {**HEADS, "mean": (0.5,)}, "1 means and 3 deviations for 3 channel"),
    "labels": (small_state(), {**HEADS, "labels": ("a", "b")}, "2 labels for 4 classes"),
    "task": (small_state(), {**HEADS, "tasks": ("depth",)}, "task 'depth' is unknown; a dense model has"),
    "no classifier": (small_state(**{"head.weight": None, "head.bias": None}), {**HEADS, "tasks": ("classification",)},
                      "no classifier that runs here; ask for 'features'"),
    "too many prefix tokens": (small_state(reg_token=torch.zeros(1, 9, 32)), HEADS, "10 tokens before the patches"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_is_named(what: str) -> None:
    state, changes, said = REFUSED[what]
    with pytest.raises(CheckpointError) as error:
        from_dense(state, SourceConfig(), DenseOptions(**{**HALF, **changes}))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_the_small_state_itself_is_fine() -> None:
    imported, notes = from_dense(small_state(), SourceConfig(), DenseOptions(heads=2, **HALF))
    assert imported.config.tasks[0].pool == "class"
    assert notes[0].startswith("ViT of timm: 1 blocks of width 32")
