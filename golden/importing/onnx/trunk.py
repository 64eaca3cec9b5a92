"""From a graph to the state dict of its transformer trunk, under timm's names, node by node from the picture on.

The walk ends at the first node that does not fit, which the message names. What it found is proved afterwards by
running the graph beside our float model (proof.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from edgemoe.spec.checkpoint import CheckpointError
from edgemoe_golden.importing.onnx.affine import Floats, affine
from edgemoe_golden.importing.onnx.attention import FUSED, attention_before, in_order
from edgemoe_golden.importing.onnx.embedding import Embedding, embedding_of
from edgemoe_golden.importing.onnx.graph import Graph, Node, misfit
from edgemoe_golden.importing.onnx.layers import Linear, Norm, activation_between, linear_to, norm_of
from edgemoe_golden.importing.states import State


@dataclass
class Trunk:
    """state: tensors under timm's names. residuals: value after the embedding and after every addition, in order.

    tokens: the value of all tokens after the final norm. activations, epsilons: all that were found.
    """

    embedding: Embedding
    state: State = field(default_factory=dict)
    residuals: list[str] = field(default_factory=list)
    tokens: str = ""
    heads: int = 0
    activations: list[str] = field(default_factory=list)
    epsilons: list[float] = field(default_factory=list)


def trunk_of(graph: Graph) -> Trunk:
    """Find the trunk; raises CheckpointError naming the first node that does not fit."""
    embedding = embedding_of(graph)
    trunk = Trunk(embedding, dict(embedding.state), [embedding.tokens])
    block = 0
    while True:
        value = trunk.residuals[-1]
        norm = norm_of(graph, value)
        if norm is None:
            misfit(_next(graph, value), f"expected the LayerNorm of block {block}'s attention, or the final one")
        addition = _addition(graph, value)
        if addition is None:
            break
        attention = _branch(graph, trunk, addition, value, norm, block)
        _attention(graph, trunk, attention, norm, block)
        value = trunk.residuals[-1]
        norm, addition = norm_of(graph, value), _addition(graph, value)
        if norm is None or addition is None:
            misfit(_next(graph, value), f"expected LayerNorm, MLP and addition of block {block}")
        mlp = _branch(graph, trunk, addition, value, norm, block)
        _mlp(graph, trunk, mlp, norm, block)
        block += 1
    if not block:
        misfit(norm.node, "it normalises the tokens before the first block, as CLIP and Swin do")
    _put_norm(trunk, "norm", norm)
    trunk.tokens = graph.source(norm.output)
    if max(trunk.epsilons) - min(trunk.epsilons) > 1e-3 * min(trunk.epsilons):
        raise CheckpointError(
            f"its LayerNorms add {min(trunk.epsilons):g} … {max(trunk.epsilons):g}; expected one value"
        )
    if len(set(trunk.activations)) > 1:
        raise CheckpointError(f"its blocks have different activation functions: {', '.join(set(trunk.activations))}")
    return trunk


def _next(graph: Graph, value: str) -> Node:
    readers = graph.readers(value)
    node = readers[0] if readers else graph.producer(value)
    if node is None:
        raise CheckpointError("the graph computes nothing from its picture")
    return node


def _addition(graph: Graph, value: str) -> Node | None:
    """The residual addition that reads a value."""
    for node in graph.readers(value):
        if node.kind == "Add" and all(graph.constant(name) is None for name in node.inputs):
            return node
    return None


def _branch(graph: Graph, trunk: Trunk, addition: Node, value: str, norm: Norm, block: int) -> Linear:
    """The last linear layer of the branch that an addition joins; notes the sum."""
    others = [name for name in addition.inputs if graph.source(name) != graph.source(value)]
    layer = linear_to(graph, others[0]) if len(others) == 1 else None
    if layer is None:
        node = graph.producer(affine(graph, others[0]).base) if others else None
        misfit(node or addition, f"expected the linear layer that ends a branch of block {block}")
    trunk.epsilons.append(norm.epsilon)
    trunk.residuals.append(graph.source(addition.outputs[0]))
    return layer


def _attention(graph: Graph, trunk: Trunk, layer: Linear, norm: Norm, block: int) -> None:
    context = graph.producer(affine(graph, layer.source).base)
    if context is None or context.kind not in ("MatMul", FUSED):
        misfit(context or layer.node, f"expected the attention of block {block}")
    found = attention_before(graph, layer, norm.output)
    if trunk.heads not in (0, found.heads):
        misfit(found.qkv.node, f"expected {trunk.heads} heads as in the blocks before, found {found.heads}")
    trunk.heads = found.heads
    weight = np.empty_like(layer.weight)
    weight[:, found.order] = layer.weight
    _put_norm(trunk, f"blocks.{block}.norm1", norm)
    _put(trunk, f"blocks.{block}.attn.qkv", found.qkv.weight, found.qkv.bias)
    _put(trunk, f"blocks.{block}.attn.proj", weight, layer.bias)


def _mlp(graph: Graph, trunk: Trunk, layer: Linear, norm: Norm, block: int) -> None:
    hidden = affine(graph, layer.source, moves_only=True)
    if not in_order(hidden):
        misfit(layer.node, f"expected the hidden features of block {block} in order")
    name, source = activation_between(graph, hidden.base)
    first = linear_to(graph, source)
    inputs = affine(graph, first.source, moves_only=True) if first else None
    if first is None or inputs is None or inputs.base != graph.source(norm.output) or not in_order(inputs):
        node = graph.producer(affine(graph, source).base)
        misfit(node or layer.node, f"expected the first layer of block {block}'s MLP on its normalised tokens")
    trunk.activations.append(name)
    _put_norm(trunk, f"blocks.{block}.norm2", norm)
    _put(trunk, f"blocks.{block}.mlp.fc1", first.weight, first.bias)
    _put(trunk, f"blocks.{block}.mlp.fc2", layer.weight, layer.bias)


def _put(trunk: Trunk, name: str, weight: Floats, bias: Floats) -> None:
    for part, value in (("weight", weight), ("bias", bias)):
        trunk.state[f"{name}.{part}"] = torch.from_numpy(np.ascontiguousarray(value, np.float32))


def _put_norm(trunk: Trunk, name: str, norm: Norm) -> None:
    _put(trunk, name, norm.weight, norm.bias)
