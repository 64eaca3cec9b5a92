"""DeiT-tiny, DeiT-small and DINOv2-small (257 tokens) as timm builds them, random weights, from file to every engine.

Whole networks, so all of this is slow; test_dense_models.py has every kind in small.
Reproduce one: `python -m pytest "tests/system/test_library_models.py::NAME"`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "golden"))
from library_models import load_timm, normalised, randomised

from edgemoe.compiler.compile import compile_checkpoint
from edgemoe.devices.base import MissingToolError
from edgemoe.devices.registry import open_device
from edgemoe.session import Session
from edgemoe.spec.hardware import HardwareConfig, in_w16a16, load_hardware_config
from edgemoe_golden.calibrate import main as calibrate
from edgemoe_golden.importing import DenseOptions, import_dense
from edgemoe_golden.scenes import VALIDATION_SEEDS, draw_scene

pytestmark = pytest.mark.slow

MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "DeiT-tiny": ("deit_tiny_patch16_224", {}),
    "DeiT-small": ("deit_small_patch16_224", {}),
    "DINOv2-small": ("vit_small_patch14_dinov2", {"img_size": 224}),
}
COARSE = load_hardware_config("zcu102_vit")
FINE = in_w16a16(COARSE)
SCENES = 4


@pytest.fixture(scope="module", params=MODELS)
def network(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """(timm's own model, its checkpoint imported from a state dict and calibrated on drawn scenes)."""
    name, arguments = MODELS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    model = randomised(load_timm().create_model(name, pretrained=False, **arguments))
    torch.save(model.state_dict(), folder / "network.pth")
    options = DenseOptions(size=(224, 224), mean=(0.5,) * 3, deviation=(0.5,) * 3)
    import_dense(folder / "network.pth", folder / "model", options)
    calibrate([str(folder / "model"), "--scenes", str(SCENES), "--report", str(folder)])
    return model, folder / "model"


FRAME = draw_scene(VALIDATION_SEEDS[0], 224, 224).image


@pytest.mark.parametrize(("hardware", "least"), [(COARSE, 28.0), (FINE, 70.0)], ids=["w8a8", "w16a16"])
def test_integers_follow_the_library(network: tuple[Any, Path], hardware: HardwareConfig, least: float) -> None:
    """Signal over error of logits or features against timm's own float model, in dB, on a picture not calibrated on."""
    model, folder = network
    with torch.inference_mode():
        pixels = normalised(torch.from_numpy(FRAME)[None])
        exact = (model(pixels) if model.num_classes else model.forward_features(pixels))[0].numpy()
    program = compile_checkpoint(folder, None, hardware)
    with open_device("golden", hardware) as device, Session(program, device) as session:
        found = next(iter(session.run(FRAME).outputs.values()))
    decibels = 10 * np.log10((exact**2).sum() / ((found - exact) ** 2).sum())
    assert decibels >= least, f"{decibels:.1f} dB"


@pytest.mark.parametrize("engine", ["csim", "rtl"])
def test_every_engine_gives_the_same_integers(network: tuple[Any, Path], engine: str) -> None:
    program = compile_checkpoint(network[1], None, COARSE)
    with open_device("golden", COARSE) as device, Session(program, device) as session:
        expected = session.run_raw(FRAME)
    try:
        with open_device(engine, COARSE) as device, Session(program, device) as session:
            found = session.run_raw(FRAME)
    except MissingToolError as error:
        pytest.skip(str(error))
    assert np.array_equal(found, expected)
