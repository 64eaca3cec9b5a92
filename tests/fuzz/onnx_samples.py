"""A valid ONNX file, and mutations that know what an ONNX graph is."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from tests.fuzz.mutate import NUMBERS, TEXTS, mutate_folder, pick
from tests.fuzz.target import Rng
from tests.fuzz.torch_samples import PATCH, SIDE, WIDTH

FILE = "model.onnx"
OPERATIONS = (
    "Add",
    "Mul",
    "Gather",
    "Loop",
    "If",
    "Resize",
    "Identity",
    "Tile",
    "Expand",
    "ConstantOfShape",
    "Reshape",
)


class _Block(nn.Module):
    """A pre-norm block of two heads."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.qkv(self.norm1(x)).reshape(1, -1, 3, 2, WIDTH // 2).permute(2, 0, 3, 1, 4).unbind(0)
        scores = (query * (WIDTH // 2) ** -0.5) @ key.transpose(-2, -1)
        x = x + self.proj((scores.softmax(-1) @ value).transpose(1, 2).reshape(1, -1, WIDTH))
        added: Tensor = x + self.mlp(self.norm2(x))
        return added


class _Network(nn.Module):
    """A vision transformer of one block, with a classifier on its class token."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, WIDTH, PATCH, PATCH)
        self.token = nn.Parameter(torch.randn(1, 1, WIDTH))
        self.position = nn.Parameter(torch.randn(1, 1 + (SIDE // PATCH) ** 2, WIDTH))
        self.block, self.norm, self.head = _Block(), nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 3)

    def forward(self, pixels: Tensor) -> Tensor:
        tokens = self.patches(pixels).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token, tokens], 1) + self.position
        logits: Tensor = self.head(self.norm(self.block(tokens))[:, 0])
        return logits


def onnx_file(folder: Path) -> None:
    """As torch exports it, with the normalisation of pictures beside it."""
    torch.manual_seed(1)
    picture = torch.zeros(1, 3, SIDE, SIDE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(_Network().eval(), (picture,), str(folder / FILE), opset_version=17, dynamo=False)
    (folder / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0.5] * 3, "image_std": [0.5] * 3}))


def mutate_onnx(folder: Path, rng: Rng) -> None:
    """As any folder, or one to three changes of the graph."""
    if rng.random() < 0.4:
        mutate_folder(folder, rng)
        return
    model = onnx.load(str(folder / FILE))
    for _ in range(int(rng.integers(1, 4))):
        _alter(model, rng)
    (folder / FILE).write_bytes(model.SerializeToString())


def _alter(model: Any, rng: Rng) -> None:
    graph, number, text = model.graph, pick(rng, NUMBERS) % (1 << 63), pick(rng, TEXTS)
    node, tensor = pick(rng, graph.node), pick(rng, graph.initializer)
    match int(rng.integers(15)):
        case 0 if len(graph.node) > 1:
            graph.node.remove(node)
        case 1:
            graph.node.add().CopyFrom(node)
        case 2:
            node.op_type = pick(rng, (*OPERATIONS, text, pick(rng, graph.node).op_type))
        case 3 if node.input:
            other = pick(rng, graph.node)
            node.input[int(rng.integers(len(node.input)))] = pick(rng, (text, *other.input, *other.output))
        case 4 if node.output:
            node.output[0] = pick(rng, (text, *pick(rng, graph.node).output))
        case 5 if node.attribute:
            attribute = pick(rng, node.attribute)
            attribute.i = number
            attribute.ints[:] = [number] * int(rng.integers(0, 5))
        case 6 if tensor.dims:
            tensor.dims[int(rng.integers(len(tensor.dims)))] = pick(rng, (number, 0, 1, 2 * tensor.dims[0]))
        case 7:
            tensor.raw_data = tensor.raw_data[: int(rng.integers(len(tensor.raw_data) + 1))]
        case 8:
            tensor.data_type = int(rng.integers(0, 24))
        case 9:
            tensor.data_location = onnx.TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value=pick(rng, (text, "../../etc/passwd", FILE)))
        case 10:
            sides = graph.input[0].type.tensor_type.shape.dim
            pick(rng, sides).dim_value = number
        case 11:
            model.opset_import[0].version = number % (1 << 31)
        case 12:
            node.name, model.producer_name = text, text
        case 13:
            graph.node.add(op_type="Identity", input=[pick(rng, node.output)], output=["unused"])
        case _ if tensor.raw_data:
            values = bytearray(tensor.raw_data)
            values[4 * int(rng.integers(len(values) // 4))] ^= 1
            tensor.raw_data = bytes(values)
