"""ONNX files of small random networks, as exporters write them, for tests of the import."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from library_models import load_timm, load_transformers, randomised
from torch import Tensor, nn

onnx = pytest.importorskip("onnx", reason="onnx is not installed here")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed here")

from edgemoe.decoder import HostDecoder  # noqa: E402
from edgemoe.spec.checkpoint import DECODER_FILE  # noqa: E402
from edgemoe_golden.model import load_checkpoint_model, task_output  # noqa: E402

TOLERANCE = 1e-4  # relative to the largest value


class Saliency(nn.Module):
    """A trunk's patch features through transposed convolutions to a map, as saliency decoders do."""

    def __init__(self, trunk: nn.Module, width: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.trunk, self.grid = trunk, grid
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(width, 8, 4, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 1, 1), nn.Sigmoid()
        )

    def forward(self, pixels: Tensor) -> Tensor:
        tokens = self.trunk.forward_features(pixels)[:, 1:]
        decoded: Tensor = self.decoder(tokens.transpose(1, 2).reshape(len(pixels), -1, *self.grid))
        return decoded


class FromBytes(nn.Module):
    """Bytes, channels last, normalised in the graph: as networks come that are ready to be deployed."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor) -> Tensor:
        mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        output: Tensor = self.network(((frames / 255 - mean) / deviation).permute(0, 3, 1, 2))
        return output


class LastHidden(nn.Module):
    """The tokens of a network of transformers, as a plain tensor."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        output: Tensor = self.network(pixels).last_hidden_state
        return output


class MiddleLayers(nn.Module):
    """Reads two depths of a trunk, as dense prediction transformers do."""

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, pixels: Tensor) -> Tensor:
        tokens = self.trunk.patch_embed(pixels)
        first = self.trunk.blocks[0](self.trunk._pos_embed(tokens))
        output: Tensor = self.trunk.norm(self.trunk.blocks[1](first)) + first
        return output


def timm_model(name: str, **arguments: Any) -> nn.Module:
    small: dict[str, Any] = {"depth": 2, "embed_dim": 64, "num_heads": 2, "img_size": 32} | arguments
    return randomised(load_timm().create_model(name, pretrained=False, **small))


def transformers_model(network: str, configuration: str, **arguments: Any) -> nn.Module:
    library = load_transformers()
    small = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 32, **arguments}
    return randomised(getattr(library, network)(getattr(library, configuration)(**small)))


def export(model: nn.Module, path: Path, size: tuple[int, int] = (32, 32), opset: int = 17, **options: Any) -> Path:
    """Write `model` for pictures of that size, one input `picture`, any number of pictures unless options say else."""
    given = options.pop("given", torch.zeros(1, 3, *size))
    options = {"input_names": ["picture"], "dynamic_axes": {"picture": {0: "batch"}}} | options
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model.eval(), (given,), str(path), dynamo=False, opset_version=opset, **options)
    return path


def export_program(model: nn.Module, path: Path, size: tuple[int, int] = (32, 32), opset: int = 20) -> Path:
    """As `torch.onnx.export` writes a file when nothing is said: from the exported program, not from a trace."""
    pytest.importorskip("onnxscript", reason="torch exports programs with onnxscript, which is not installed here")
    given, options = (torch.zeros(1, 3, *size),), {"input_names": ["picture"], "external_data": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model.eval(), given, str(path), dynamo=True, verbose=False, opset_version=opset, **options)
    return path


def changed(path: Path, change: Callable[[Any], None]) -> Path:
    """The file with its graph changed."""
    model = onnx.load(str(path))
    change(model)
    path.write_bytes(model.SerializeToString())
    return path


def answer(path: Path, picture: np.ndarray) -> list[np.ndarray]:
    """The graph's own outputs."""
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    found: list[np.ndarray] = session.run(None, {session.get_inputs()[0].name: picture})
    return found


def outcome(folder: Path, frame: torch.Tensor) -> np.ndarray:
    """What our float model, and the host decoder where there is one, make of one frame."""
    model = load_checkpoint_model(folder)
    task = model.config.tasks[0].name
    with torch.inference_mode():
        found = task_output(model(frame, task), model.config, task)[0].numpy()
    if not (folder / DECODER_FILE).is_file():
        return found
    decoder = HostDecoder((folder / DECODER_FILE).read_bytes(), model.config)
    return next(iter(decoder(found).values()))


def assert_close(found: np.ndarray, expected: np.ndarray) -> None:
    """The same values as float32 has them, over many layers."""
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= TOLERANCE * np.abs(expected).max()
