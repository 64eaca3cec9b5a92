"""Dense vision transformers of every kind, on every engine: prefix tokens, pools, patches, channels; and against float.

A network of two blocks stands for each kind; random weights. Reproduce one: `python -m pytest
"tests/system/test_dense_models.py::NAME"`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from support import frame_of, result_of
from torch.nn import functional

from edgemoe.compiler.compile import compile_checkpoint
from edgemoe.compiler.program import Program
from edgemoe.compiler.quantise import quantise
from edgemoe.devices.base import MissingToolError
from edgemoe.devices.registry import open_device
from edgemoe.diff import compare_engines
from edgemoe.frames import read_rows
from edgemoe.session import Session
from edgemoe.spec.calibration import load_calibration
from edgemoe.spec.checkpoint import CALIBRATION_FILE, load_checkpoint
from edgemoe.spec.hardware import HardwareConfig, load_hardware_config
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.picture import model_pixels
from edgemoe.spec.precision import precision_named
from edgemoe.spec.task import TaskConfig
from edgemoe_golden.model import M3ViT, load_checkpoint_model, save_checkpoint, task_output
from sim.common.random_checkpoint import random_checkpoint


def classes(pool: str, count: int = 11) -> TaskConfig:
    return TaskConfig("classification", "classification", count, pool=pool)


FEATURES = TaskConfig("features", "features", 32, unit="normalised feature")
VIT = ModelConfig(
    name="vit", image_height=64, image_width=80, patch=16, width=32, depth=2, heads=2, mlp_ratio=4, moe_blocks=(),
    experts=0, top_k=0, expert_ratio=0, tasks=(classes("class"), FEATURES), head_cells=1,
    pixel_mean=(0.5, 0.4, 0.3), pixel_std=(0.2, 0.3, 0.4),
)  # fmt: skip
GREY = {"pixel_mean": (0.5,), "pixel_std": (0.25,), "picture_channels": 1}
KINDS: dict[str, ModelConfig] = {
    "ViT, class token": VIT,
    "ViT, mean, no prefix token": replace(VIT, prefix_tokens=0, tasks=(classes("mean"), FEATURES)),
    "DeiT, distilled": replace(VIT, prefix_tokens=2, tasks=(classes("distilled"), FEATURES)),
    "DINOv2, patch 14": replace(VIT, patch=14, image_height=56, image_width=70),
    "DINOv2, class and mean, registers": replace(
        VIT, patch=14, image_height=56, image_width=70, prefix_tokens=5, tasks=(classes("class-mean"), FEATURES)
    ),
    "SigLIP, tanh": replace(VIT, prefix_tokens=0, activation="gelu_tanh", tasks=(FEATURES,)),
    "patch 32, grey": replace(VIT, patch=32, image_height=64, image_width=96, **GREY),
    "spectrogram, overlapping patches": replace(VIT, patch_stride=10, image_width=96, prefix_tokens=2,
                                                tasks=(classes("class"),), **GREY),
}  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("dense")
    return {kind: random_checkpoint(config, folder / f"{index}") for index, (kind, config) in enumerate(KINDS.items())}


@cache
def program_of(folder: Path, hardware: HardwareConfig, trace: bool = False) -> Program:
    return compile_checkpoint(folder, None, hardware, trace)


@pytest.mark.parametrize("engine", ["csim", "rtl"])
@pytest.mark.parametrize("hardware", ["micro", "micro_w16a16"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_engine_gives_the_same_integers(folders: dict[str, Path], kind: str, hardware: str, engine: str) -> None:
    program = program_of(folders[kind], load_hardware_config(hardware), trace=True)
    try:
        found = compare_engines(program, frame_of(program), ("golden", engine))
    except MissingToolError as error:
        pytest.skip(str(error))
    assert found.difference is None, str(found.difference)
    assert found.values > 5_000


@pytest.mark.parametrize(("hardware", "least"), [("micro", 15.0), ("micro_w16a16", 45.0)])
@pytest.mark.parametrize("kind", KINDS)
def test_integers_follow_the_float_model(folders: dict[str, Path], kind: str, hardware: str, least: float) -> None:
    """Signal over error of every task, in dB; the random weights are larger than any trained ones."""
    program = program_of(folders[kind], load_hardware_config(hardware))
    result, model = result_of(program), load_checkpoint_model(folders[kind])
    frame = torch.from_numpy(model_pixels(frame_of(program), model.config).copy())[None]
    for task in model.config.tasks:
        with torch.inference_mode():
            exact = task_output(model(frame, task.name), model.config, task.name)[0].numpy()
        found = result.outputs[task.name]
        assert found.shape == exact.shape == model.config.output_shape(task.name)
        decibels = 10 * np.log10((exact**2).sum() / ((found - exact) ** 2).sum())
        assert decibels >= least, f"{task.name}: {decibels:.1f} dB"


@pytest.mark.parametrize("precision", ["w8a8", "w16a16"])
@pytest.mark.parametrize("kind", ["DeiT, distilled", "DINOv2, class and mean, registers"])
def test_prefix_tokens_are_exact_to_the_bit(folders: dict[str, Path], kind: str, precision: str) -> None:
    """A register rides on a row of mid-grey: its residual is its own rounded token, whatever the picture shows."""
    program = program_of(folders[kind], load_hardware_config("micro" if precision == "w8a8" else "micro_w16a16"), True)
    config, tensors = load_checkpoint(folders[kind])
    scale = quantise(
        config, tensors, load_calibration(folders[kind] / CALIBRATION_FILE, config), precision_named(precision)
    ).residual_scale
    prefix = np.concatenate([tensors["backbone.cls_token"][0], tensors["backbone.register_tokens"][0]])
    expected = np.rint((tensors["backbone.pos_embed"][0, : len(prefix)].astype(np.float64) + prefix) / scale)
    record = next(each for each in program.manifest.trace if each.label == "patch embed" and each.buffer == "RESIDUAL")
    for seed in (27, 51):
        with open_device("golden", program.manifest.hardware) as device, Session(program, device) as session:
            region = session.run_raw(frame_of(program, seed))
        bits = 16 if precision == "w8a8" else 32
        found = read_rows(region, record.address, record.rows, record.features, f"<i{bits // 8}")
        assert np.array_equal(found[: len(prefix)], expected)


@pytest.mark.parametrize("hardware", ["micro", "micro_w16a16"])
def test_a_hidden_layer_padded_with_zeros_changes_no_integer(tmp_path: Path, hardware: str) -> None:
    """As the import pads a hidden width between two multiples of the width: SigLIP so400m has 4304 of 4608 features."""
    narrow = random_checkpoint(replace(VIT, mlp_ratio=3), tmp_path / "narrow")
    wide = tmp_path / "wide"
    model = load_checkpoint_model(narrow)
    padded = M3ViT(replace(VIT, mlp_ratio=4)).eval()
    state = model.state_dict()
    for name, value in padded.state_dict().items():
        more = [wanted - had for wanted, had in zip(value.shape, state[name].shape, strict=True)]
        state[name] = functional.pad(state[name], [count for axis in reversed(more) for count in (0, axis)])
    padded.load_state_dict(state)
    save_checkpoint(wide, padded)
    calibration = json.loads((narrow / CALIBRATION_FILE).read_text())
    (wide / CALIBRATION_FILE).write_text(json.dumps(calibration | {"model_hash": padded.config.hash()}))
    found, expected = (result_of(program_of(folder, load_hardware_config(hardware))) for folder in (wide, narrow))
    for task, output in expected.outputs.items():
        assert np.array_equal(found.outputs[task], output), task
