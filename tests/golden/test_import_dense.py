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

from edgemoe.cli import main
from edgemoe.spec.checkpoint import CheckpointError
from edgemoe_golden.importing.dense import from_dense, is_dense
from edgemoe_golden.importing.dense_config import DenseOptions
from edgemoe_golden.importing.dense_importer import import_dense
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
    model = M3ViT(config)
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
    "DeiT III": ("deit3_small_patch16_224", {}, (224, 224), BOTH),
    "ViT, mean of its patches": ("vit_medium_patch16_gap_240", {"num_classes": 9}, (240, 240), BOTH),
    "ViT, hidden layer between two widths": ("vit_tiny_patch16_224", {"mlp_ratio": 3.7361}, (224, 224), BOTH),
    "DINOv2": ("vit_small_patch14_dinov2", {"img_size": 224}, (224, 224), ("features",)),
    "DINOv2 with registers": ("vit_small_patch14_reg4_dinov2", {"img_size": 224}, (224, 224), ("features",)),
    "SigLIP": ("vit_base_patch16_siglip_224", {}, (224, 224), ("features",)),
    "not square": ("vit_tiny_patch16_224", {"img_size": (64, 96)}, (64, 96), BOTH),
}

STATED = {
    "DeiT, distilled": "DeiT, distilled of timm",
    "DeiT III": "ViT with LayerScale of timm",
    "DINOv2": "DINOv2 of timm",
    "DINOv2 with registers": "DINOv2 with 4 registers of timm",
    "SigLIP": "ViT without class token of timm",
    "ViT, mean of its patches": "ViT with LayerScale of timm",
}


@pytest.mark.parametrize("kind", TIMM)
def test_timm(kind: str) -> None:
    name, arguments, size, tasks = TIMM[kind]
    model = randomised(load_timm().create_model(name, pretrained=False, depth=2, **arguments))
    channels = arguments.get("in_chans", 3)
    state = model.state_dict()
    assert is_dense(state)
    pixels = GREY if channels == 1 else HALF
    imported, notes = from_dense(state, SourceConfig(size=size), DenseOptions(tasks=tasks, **pixels))
    assert notes[0].startswith(STATED.get(kind, "ViT of timm") + ": 2 blocks of width")
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
    "EVA": (small_state(**{"blocks.0.attn.q_bias": torch.ones(32)}), {}, "rotary or relative positions, as EVA"),
    "DINOv3": (small_state(pos_embed=None), {}, "no position embeddings, so that positions come in elsewhere: rotary"),
    "YOLOS": (small_state(**{"embeddings.detection_tokens": torch.zeros(1, 3, 32)}), {}, "behind the patches"),
    "a hidden layer that is none": (small_state(**{"blocks.0.mlp.fc1.weight": torch.zeros(0, 32)}), HEADS,
                                    "'blocks.0.mlp.fc1.weight' is missing or no matrix"),
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


MISSHAPEN: dict[str, tuple[dict[str, torch.Tensor], str]] = {
    "a number for a tensor": ({"norm.weight": torch.tensor(1.0)}, "'norm.weight' is a single number"),
    "positions without a batch": ({"pos_embed": torch.zeros(5, 32)}, "'pos_embed' has shape (5, 32); expected"),
    "a flat class token": ({"cls_token": torch.zeros(32)}, "'cls_token' has shape (32,); expected"),
    "fewer positions than tokens": ({"pos_embed": torch.zeros(1, 0, 32)}, "no square grid of patches"),
    "a name with control characters": ({"blocks.0.\x1b[2Jx": torch.zeros(3)}, "'blocks.0.\\x1b[2Jx'"),
}


@pytest.mark.parametrize("what", MISSHAPEN)
def test_misshapen_tensors_are_refused_in_a_sentence(what: str) -> None:
    changes, said = MISSHAPEN[what]
    with pytest.raises(CheckpointError) as error:
        from_dense(small_state(**changes), SourceConfig(), DenseOptions(heads=2, **HALF))
    assert said in str(error.value)
    assert str(error.value).isprintable()


def thirds_of(state: State, drop: str = "") -> State:
    """The small state under the names of transformers; `drop` leaves that third of the attention without a bias."""
    names = {
        "cls_token": "embeddings.cls_token", "pos_embed": "embeddings.position_embeddings",
        "patch_embed.proj": "embeddings.patch_embeddings.projection", "norm": "layernorm", "head": "classifier",
        "blocks.0.norm1": "layers.0.layernorm_before", "blocks.0.norm2": "layers.0.layernorm_after",
        "blocks.0.attn.proj": "layers.0.attention.o_proj", "blocks.0.mlp.fc1": "layers.0.mlp.fc1",
        "blocks.0.mlp.fc2": "layers.0.mlp.fc2",
    }  # fmt: skip
    renamed: State = {}
    for name, value in state.items():
        stem, _, part = name.rpartition(".")
        if stem == "blocks.0.attn.qkv":
            for third, piece in zip("qkv", value.chunk(3), strict=True):
                if not (part == "bias" and third == drop):
                    renamed[f"layers.0.attention.{third}_proj.{part}"] = piece
        else:
            renamed[names[name] if name in names else f"{names[stem]}.{part}"] = value
    return renamed


@pytest.mark.parametrize("third", ["", "q", "k", "v"])
def test_a_third_of_the_attention_without_a_bias_has_zeros_there(third: str) -> None:
    """And the biases of the other two are kept."""
    state = small_state()
    if third:
        state["blocks.0.attn.qkv.bias"][("qkv".index(third)) * 32 :][:32] = 0
    imported, _ = from_dense(thirds_of(state, third), SourceConfig(), DenseOptions(heads=2, **HALF))
    expected, _ = from_dense(state, SourceConfig(), DenseOptions(heads=2, **HALF))
    assert all(torch.equal(value, imported.tensors[name]) for name, value in expected.tensors.items())


def test_thirds_of_other_widths_are_refused() -> None:
    state = thirds_of(small_state())
    state["layers.0.attention.k_proj.weight"] = torch.zeros(32, 16)
    with pytest.raises(CheckpointError, match=r"'blocks\.0\.attn\.key\.weight' has shape"):
        from_dense(state, SourceConfig(), DenseOptions(heads=2, **HALF))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"hidden_act": ["gelu"]}', "activation"),
        ('{"hidden_act": "mish"}', "activation 'mish' is unknown"),
        ('{"num_attention_heads": "3"}', "expected a whole number"),
        ('{"image_size": "224"}', "'image_size' is '224'"),
        ('{"id2label": ["a"]}', "no table of at most"),
        ('{"pretrained_cfg": {}, "label_names": 5}', "'label_names' is no list of names"),
        ('{"pretrained_cfg": {"input_size": [3, 224, "x"]}}', "expected [channels, height, width]"),
        ("[]", "expected an object"),
    ],
)
def test_a_foreign_configuration_that_says_nonsense_is_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(CheckpointError) as error:
        read_source_config(tmp_path)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--gate-order", "softmax-first"], "--gate-order belong to M³ViT's checkpoints"),
        (["--config", "tiny", "--pixels", "half"], "--pixels belong to dense models"),
        (["--size", "224"], "expected HEIGHTxWIDTH"),
        (["--mean", "0.5;0.5"], "expected numbers separated by commas"),
        (["--labels", "LABELS"], "no text in UTF-8"),
    ],
)
def test_what_the_command_refuses(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_bytes(b"tabby\n\xff\n")
    torch.save(small_state(), tmp_path / "small.pth")
    given = [str(labels) if argument == "LABELS" else argument for argument in arguments]
    assert main(["import", str(tmp_path / "small.pth"), "--out", str(tmp_path / "out"), *given]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_several_tasks_have_the_final_norm_each(tmp_path: Path) -> None:
    torch.save(small_state(), tmp_path / "small.pth")
    import_dense(tmp_path / "small.pth", tmp_path / "out", DenseOptions(tasks=BOTH, heads=2, **HALF))
    stored = load_file(tmp_path / "out" / "weights.safetensors")
    assert torch.equal(stored["heads.classification.norm.weight"], stored["heads.features.norm.weight"])


def test_the_command_imports_what_it_recognises(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(small_state(), tmp_path / "small.pth")
    options = ["--out", str(tmp_path / "out"), "--pixels", "half", "--heads", "2"]
    assert main(["import", str(tmp_path / "small.pth"), *options]) == 0
    said = capsys.readouterr().out
    assert "ViT of timm: 1 blocks of width 32" in said
    assert "tasks: classification (4 channels)" in said
    assert (tmp_path / "out" / "config.json").is_file()
