"""What comes after the trunk: a classifier that the accelerator runs, or a graph of its own for the host."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from edgemoe.spec.checkpoint import CheckpointError
from edgemoe.spec.names import shown
from edgemoe.spec.onnx_file import require_onnx
from edgemoe_golden.importing.onnx.affine import affine
from edgemoe_golden.importing.onnx.graph import Graph
from edgemoe_golden.importing.onnx.layers import Linear, linear_to
from edgemoe_golden.importing.onnx.trunk import Trunk
from edgemoe_golden.importing.states import State

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto


@dataclass(frozen=True)
class Tail:
    """logits: value of a recognised classifier's logits, empty where there is none; state: its tensors.

    decoder: graph from tokens to `outputs`, None where the graph ends with the tokens or in a classifier.
    left_out: outputs that are neither, because they lie inside the trunk.
    """

    logits: str
    state: State
    decoder: ModelProto | None
    outputs: tuple[str, ...]
    left_out: tuple[str, ...]


def tail_of(graph: Graph, trunk: Trunk) -> Tail:
    """Cut the graph behind the trunk; raises CheckpointError for a tail that reads from inside the trunk."""
    inside = nodes_before(graph, [trunk.tokens])
    names = {name for node in inside for name in node.output}
    left_out = tuple(name for name in graph.outputs if name in names and graph.source(name) != trunk.tokens)
    constant = [name for name in graph.outputs if graph.constant(name) is not None]
    outputs = [
        name for name in graph.outputs if name not in (*left_out, *constant) and graph.source(name) != trunk.tokens
    ]
    found = _classifier(graph, trunk, outputs[0]) if len(outputs) == 1 else None
    if found is not None:
        logits, layer = found
        parts = {"weight": layer.weight, "bias": layer.bias}
        state = {f"head.{part}": torch.from_numpy(np.array(value, np.float32)) for part, value in parts.items()}
        return Tail(logits, state, None, (), left_out)
    decoder = _cut(graph, trunk, outputs, names) if outputs else None
    return Tail("", {}, decoder, tuple(outputs), left_out)


def _classifier(graph: Graph, trunk: Trunk, output: str) -> tuple[str, Linear] | None:
    """(logits, layer) of a linear layer on the class token, or on the mean of all patches where there is no prefix."""
    node = graph.producer(output)
    logits = graph.source(output)
    if node is not None and node.kind == "Softmax":
        logits = graph.source(node.inputs[0])
    shape = graph.shape(logits)
    layer = linear_to(graph, logits) if np.prod(shape) == shape[-1] else None
    if layer is None:
        return None
    pooled = affine(graph, layer.source, moves_only=True)
    width = graph.shape(trunk.tokens)[-1]
    first = np.arange(width)
    if pooled.base == trunk.tokens and "cls_token" in trunk.state:
        return (logits, layer) if np.array_equal(pooled.index.reshape(-1), first) else None
    mean = graph.producer(pooled.base)
    if mean is None or mean.kind != "ReduceMean" or "cls_token" in trunk.state:
        return None
    every = affine(graph, mean.inputs[0], moves_only=True)
    over_tokens = graph.shape(mean.inputs[0])[-2] == np.prod(graph.shape(trunk.tokens)) // width
    whole = np.array_equal(every.index.reshape(-1), np.arange(every.index.size)) and pooled.index.size == width
    return (logits, layer) if every.base == trunk.tokens and over_tokens and whole else None


def nodes_before(graph: Graph, names: Iterable[str], stop: str = "") -> list[NodeProto]:
    """The nodes that values are computed from, in the graph's order, not past the value `stop`."""
    wanted, found = set(names), []
    for node in reversed(graph.folded.graph.node):
        if any(name in wanted and name != stop for name in node.output):
            found.append(node)
            wanted.update(name for name in node.input if name)
    return found[::-1]


def _cut(graph: Graph, trunk: Trunk, outputs: list[str], inside: set[str]) -> ModelProto:
    onnx, _ = require_onnx("reading ONNX files")
    nodes = nodes_before(graph, outputs, trunk.tokens)
    made = {name for node in nodes for name in node.output}
    for node in nodes:
        for name in node.input:
            within = name in inside or name == graph.picture
            if within and name not in made and name != trunk.tokens:
                called = f"node {shown(node.name or node.output[0])} ({node.op_type})"
                raise CheckpointError(
                    f"{called} reads {shown(name)} from inside the trunk; decoders that read the tokens after the "
                    "final norm run here"
                )
        if any(name in inside and name != trunk.tokens for name in node.output):
            called = f"node {shown(node.name or node.output[0])} ({node.op_type})"
            raise CheckpointError(
                f"{called} belongs to the trunk, and an output needs it besides the tokens after the final norm; "
                "decoders that read those tokens alone run here"
            )
    model: ModelProto = onnx.ModelProto()
    model.CopyFrom(graph.folded)
    for part in (model.graph.node, model.graph.input, model.graph.output, model.graph.initializer):
        del part[:]
    read = {name for node in nodes for name in node.input}
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(each for each in graph.folded.graph.initializer if each.name in read)
    shape = graph.shape(trunk.tokens)
    model.graph.input.append(onnx.helper.make_tensor_value_info(trunk.tokens, onnx.TensorProto.FLOAT, shape))
    for name in outputs:
        model.graph.output.add().name = name
    return model
