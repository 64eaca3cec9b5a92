"""The beginning of a graph: pixels as it takes them, the patch convolution, prefix tokens and position embeddings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from edgemoe.spec.checkpoint import CheckpointError
from edgemoe_golden.importing.onnx.affine import CONSTANT, Affine, Floats, affine
from edgemoe_golden.importing.onnx.graph import Graph, Node, misfit
from edgemoe_golden.importing.onnx.layers import norm_of
from edgemoe_golden.importing.states import State

_STEPS = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Concat", "Add", "Slice")


@dataclass(frozen=True)
class Embedding:
    """state: patch_embed, cls_token, reg_token, pos_embed. tokens: the value before the first block.

    scale, addend: per channel, what the graph does to the values of its picture before the convolution.
    size: (height, width) in pixels. stride: between patches. channels_last: as the graph's input is laid out.
    """

    state: State
    tokens: str
    scale: Floats
    addend: Floats
    size: tuple[int, int]
    stride: int
    channels_last: bool


def embedding_of(graph: Graph) -> Embedding:
    """Find it; raises CheckpointError naming the first node that does not fit."""
    conv = next((node for node in graph.nodes if node.kind == "Conv"), None)
    first = graph.nodes[0] if graph.nodes else None
    if conv is None or first is None:
        if first is None:
            raise CheckpointError("the graph computes nothing from its picture")
        misfit(first, "expected the convolution that embeds patches")
    kernel, bias, stride = _kernel(graph, conv)
    pixels = affine(graph, conv.inputs[0])
    if pixels.base != graph.picture:
        misfit(graph.producers[pixels.base], "expected nothing but scaling of pixels before the patches are embedded")
    scale, addend, order = _per_channel(graph, conv, pixels)
    tokens = _tokens(graph, conv)
    state = _placed(graph, conv, tokens)
    state["patch_embed.proj.weight"] = torch.from_numpy(np.ascontiguousarray(kernel[:, np.argsort(order)]))
    state["patch_embed.proj.bias"] = torch.from_numpy(bias)
    ordered = np.argsort(order)
    last = graph.picture_shape[1] not in (1, 3)
    height, width = graph.picture_shape[1:3] if last else graph.picture_shape[2:4]
    return Embedding(state, tokens, scale[ordered], addend[ordered], (height, width), stride, last)


def only_scales(graph: Graph, conv: Node) -> bool:
    """Whether a convolution reads every pixel of the picture at its own place, scaled channel by channel."""
    pixels = affine(graph, conv.inputs[0])
    if pixels.base != graph.picture:
        return False
    try:
        _per_channel(graph, conv, pixels)
    except CheckpointError:
        return False
    return True


def _kernel(graph: Graph, conv: Node) -> tuple[np.ndarray, np.ndarray, int]:
    """Kernel [D, C, p, p], bias [D], stride."""
    kernel = graph.constant(conv.inputs[1])
    bias = graph.constant(conv.inputs[2]) if len(conv.inputs) > 2 and conv.inputs[2] else None
    if kernel is None or kernel.ndim != 4 or kernel.shape[2] != kernel.shape[3]:
        misfit(conv, "expected a square kernel of one patch")
    strides = list(conv.attributes.get("strides", [1, 1]))
    plain = not any(conv.attributes.get("pads", ())) and conv.attributes.get("auto_pad", b"NOTSET") in (
        b"NOTSET",
        b"VALID",
    )
    if len(set(strides)) > 1 or not plain or any(side != 1 for side in conv.attributes.get("dilations", ())):
        misfit(conv, "expected patches without padding, as far apart in both directions")
    if int(conv.attributes.get("group", 1)) != 1 or strides[0] > kernel.shape[2]:
        misfit(conv, "expected patches side by side or overlapping, over all channels")
    offset = np.zeros(len(kernel), np.float32) if bias is None else np.array(bias, np.float32)
    return np.asarray(kernel, np.float32), offset, int(strides[0])


def _per_channel(graph: Graph, conv: Node, pixels: Affine) -> tuple[Floats, Floats, list[int]]:
    """(scale, addend) of each channel that the convolution reads, and which of the picture's channels it is."""
    last = graph.picture_shape[1] not in (1, 3)
    channels, height, width = graph.shape(conv.inputs[0])[1:]
    index = pixels.index[0]
    place = np.arange(height * width).reshape(height, width)
    size = graph.picture_shape[3] if last else graph.picture_shape[1]
    order = []
    for channel in range(channels):
        start = int(index[channel, 0, 0])
        own = start if last else start // (height * width)
        expected = place * size + own if last else place + own * height * width
        if not np.array_equal(index[channel], expected):
            misfit(conv, "expected every pixel of the picture at its own place")
        order.append(own)
    flat = [values[0].reshape(channels, -1) for values in (pixels.scale, pixels.addend)]
    if not all((values == values[:, :1]).all() for values in flat) or sorted(order) != list(range(size)):
        misfit(conv, "expected one mean and deviation for each channel of the picture")
    return flat[0][:, 0], flat[1][:, 0], order


def _tokens(graph: Graph, conv: Node) -> str:
    """The value that the first LayerNorm reads: what the patches become by moving, joining and adding constants."""
    value = graph.source(conv.outputs[0])
    while norm_of(graph, value) is None:
        readers = graph.readers(value)
        if not readers:
            misfit(conv, "expected tokens and blocks after the patches")
        if len(readers) > 1 or readers[0].kind not in _STEPS:
            misfit(readers[0], "expected prefix tokens, position embeddings and LayerNorm after the patches")
        value = graph.source(readers[0].outputs[0])
    return value


def _placed(graph: Graph, conv: Node, tokens: str) -> State:
    """Prefix tokens and the table of positions, from what is added to which patch."""
    found = affine(graph, tokens)
    width, rows, columns = graph.shape(conv.outputs[0])[1:]
    if found.base != graph.source(conv.outputs[0]) or found.index.size % width or (found.scale != 1).any():
        misfit(_adder(graph, tokens), "expected prefix tokens and position embeddings")
    index, addend = found.index.reshape(-1, width), found.addend.reshape(-1, width)
    prefix = len(index) - rows * columns
    patches = np.arange(width * rows * columns).reshape(width, -1).T
    if prefix < 0 or not (index[:prefix] == CONSTANT).all() or not np.array_equal(index[prefix:], patches):
        misfit(_adder(graph, tokens), "expected prefix tokens, then the patches row by row")
    table = np.array(addend, np.float32)
    state: State = {}
    for name, first, last in (("cls_token", 0, min(prefix, 1)), ("reg_token", 1, prefix)):
        if last > first:
            state[name] = torch.from_numpy(table[None, first:last].copy())
    table[:prefix] = 0
    state["pos_embed"] = torch.from_numpy(table[None])
    return state


def _adder(graph: Graph, tokens: str) -> Node:
    return graph.producers[graph.source(tokens)]
