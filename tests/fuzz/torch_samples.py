"""Valid files that torch or SciPy write."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from scipy.io import savemat

from edgemoe.spec.model import load_model_config
from edgemoe_golden.importing import import_checkpoint
from edgemoe_golden.importing.edge_moe import PICTURE, SUFFIX, raw_files
from edgemoe_golden.importing.gates import GateOptions
from tests.fuzz.mutate import pick
from tests.fuzz.target import Rng
from tests.golden.upstream_reference import Gates, State, random_state

MICRO = load_model_config("micro")
WIDTH, PATCH, SIDE = 64, 16, 32


def moe_file(folder: Path, rng: Rng) -> None:
    """M³ViT's own, in the archive that torch writes today or in the pickles of old, whole or as a bare state dict."""
    state = random_state(MICRO, decoders=False)
    content = {"epoch": 3, "best_result": {"mIoU": np.float64(0.5)}, "state_dict": state, "optimizer": {"state": {}}}
    today = bool(rng.random() < 0.7)
    torch.save(pick(rng, (content, state)), folder / "x.pth", _use_new_zipfile_serialization=today)


def ranks(folder: Path) -> None:
    """Experts spread over two processes."""
    state = random_state(MICRO, decoders=False)
    (folder / "ranks").mkdir()
    for rank in range(2):
        experts = {name: value.chunk(2)[rank].clone() for name, value in state.items() if ".mlp.experts." in name}
        rest = {name: value for name, value in state.items() if name not in experts} if rank == 0 else {}
        torch.save({"state_dict": rest | experts}, folder / "ranks" / f"{rank}.pth")


def raw_folder(folder: Path) -> None:
    """Edge-MoE's."""
    rng = np.random.default_rng(1)
    (folder / "raw").mkdir()
    for name, (_, shape) in raw_files(MICRO).items():
        (0.1 * rng.standard_normal(shape)).astype("<f4").tofile(folder / "raw" / f"{name}{SUFFIX}")
    picture = rng.integers(0, 256, (3, MICRO.image_height, MICRO.image_width)) / 256
    picture.astype("<f4").tofile(folder / "raw" / f"{PICTURE}{SUFFIX}")


def _dense_state() -> State:
    """A vision transformer of one block under timm's names."""
    generator = torch.Generator().manual_seed(1)

    def layer(name: str, *shape: int) -> State:
        return {f"{name}.weight": torch.randn(shape, generator=generator), f"{name}.bias": torch.zeros(shape[0])}

    state = {"cls_token": torch.zeros(1, 1, WIDTH), "pos_embed": torch.zeros(1, 1 + (SIDE // PATCH) ** 2, WIDTH)}
    state |= layer("patch_embed.proj", WIDTH, 3, PATCH, PATCH)
    state |= layer("blocks.0.norm1", WIDTH) | layer("blocks.0.attn.qkv", 3 * WIDTH, WIDTH)
    state |= layer("blocks.0.attn.proj", WIDTH, WIDTH) | layer("blocks.0.norm2", WIDTH)
    state |= layer("blocks.0.mlp.fc1", 2 * WIDTH, WIDTH) | layer("blocks.0.mlp.fc2", WIDTH, 2 * WIDTH)
    return state | layer("norm", WIDTH) | layer("head", 3, WIDTH)


_TRANSFORMERS = {
    "cls_token": "embeddings.cls_token",
    "pos_embed": "embeddings.position_embeddings",
    "patch_embed.proj": "embeddings.patch_embeddings.projection",
    "blocks.0.norm1": "encoder.layer.0.layernorm_before",
    "blocks.0.norm2": "encoder.layer.0.layernorm_after",
    "blocks.0.attn.proj": "encoder.layer.0.attention.output.dense",
    "blocks.0.mlp.fc1": "encoder.layer.0.intermediate.dense",
    "blocks.0.mlp.fc2": "encoder.layer.0.output.dense",
    "norm": "layernorm",
    "head": "classifier",
}


def dense_safetensors(folder: Path) -> None:
    """As Hugging Face keeps them: three files."""
    state = _dense_state()
    named: State = {}
    for part in ("weight", "bias"):
        thirds = state.pop(f"blocks.0.attn.qkv.{part}").chunk(3)
        for name, value in zip(("query", "key", "value"), thirds, strict=True):
            named[f"encoder.layer.0.attention.attention.{name}.{part}"] = value.clone()
    for name, value in state.items():
        stem, dot, part = name.rpartition(".")
        named[f"vit.{_TRANSFORMERS[stem]}{dot}{part}" if dot else f"vit.{_TRANSFORMERS[name]}"] = value
    save_file(named, folder / "model.safetensors")
    network = {"model_type": "vit", "num_attention_heads": 2, "layer_norm_eps": 1e-12, "hidden_act": "gelu"}
    network |= {"image_size": SIDE, "id2label": {"0": "cat", "1": "dog", "2": "tree"}}
    (folder / "config.json").write_text(json.dumps(network))
    (folder / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0.5] * 3, "image_std": [0.5] * 3}))


def dense_torch(folder: Path) -> None:
    """As timm keeps them: two files."""
    torch.save(_dense_state(), folder / "pytorch_model.bin")
    pictures = {"input_size": [3, SIDE, SIDE], "mean": [0.5] * 3, "std": [0.5] * 3}
    network = {"architecture": "vit_test", "model_args": {"num_heads": 2}, "label_names": ["cat", "dog", "tree"]}
    (folder / "config.json").write_text(json.dumps(network | {"pretrained_cfg": pictures}))


def imported_checkpoint(folder: Path) -> None:
    """What the import writes, gates that read the input of their block among it."""
    source = folder / "x.pth"
    torch.save(random_state(MICRO, Gates(ahead=True), decoders=False), source)
    import_checkpoint(source, MICRO, folder / "model", GateOptions(input_ahead=True))
    source.unlink()


def data_set(folder: Path, rng: Rng) -> None:
    """One picture of one of the three layouts."""
    size, root = (12, 20), folder / "data"

    def save(name: str, values: np.ndarray) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".mat":
            savemat(str(path), {"LabelMap": values})
        elif path.suffix == ".npy":
            np.save(path, values)
        else:
            Image.fromarray(values).save(path)

    picture, classes = rng.integers(0, 256, (*size, 3), dtype=np.uint8), rng.integers(1, 7, size, dtype=np.uint8)
    match int(rng.integers(3)):
        case 0:
            save("val/image/0.npy", picture / 255)
            save("val/label_7/0.npy", classes.astype(np.int64) - 1)
            save("val/depth/0.npy", rng.random((*size, 1)))
        case 1:
            save("images/a.jpg", picture)
            save("segmentation/a.png", classes)
            save("depth/a.npy", rng.random(size, dtype=np.float32))
            save("normals/a.npy", rng.standard_normal((*size, 3)))
            save("edge/a.npy", classes % 2)
            _text(root / "gt_sets/val.txt", "a\n")
        case _:
            save("JPEGImages/a.jpg", picture)
            save("semseg/VOC12/a.png", classes)
            save("normals_distill/a.png", picture)
            save("sal_distill/a.png", classes * 30)
            save("pascal-context/trainval/a.mat", np.full(size, 104))
            _text(root / "ImageSets/Context/val.txt", "a\n")
            _text(root / "db_info/nyu_classes.json", json.dumps({"chair": 5, "unknown": 0}))
            _text(root / "db_info/context_classes.json", json.dumps({"chair": 104, "unknown": 1}))
            _save_parts(root / "human_parts/a.mat", size)


def _save_parts(path: Path, size: tuple[int, int]) -> None:
    """A PASCAL-Parts annotation of one person with one part."""
    parts = np.zeros((1, 1), dtype=[("part_name", object), ("mask", object)])
    parts[0, 0] = ("lear", np.ones(size, np.uint8))
    people = np.zeros((1, 1), dtype=[("class_ind", object), ("parts", object)])
    people[0, 0] = (15, parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(str(path), {"anno": {"imname": "x", "objects": people}})


def _text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
