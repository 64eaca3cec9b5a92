"""The attention of one block in a graph: softmax(q·kᵀ·scale)·v, whatever way its heads are cut and joined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from edgemoe_golden.importing.onnx.affine import Affine, affine
from edgemoe_golden.importing.onnx.graph import Graph, Node, misfit
from edgemoe_golden.importing.onnx.layers import Heads, Linear, heads_to

_ONE = 1e-6  # a scale nearer to 1 is 1, as rounding in float32 left it


@dataclass(frozen=True)
class Attention:
    """qkv: one layer, [q; k; v], features head by head. order: the feature that each column of the projection reads."""

    qkv: Linear
    heads: int
    order: list[int]


def attention_before(graph: Graph, linear: Linear, norm: str) -> Attention:
    """The attention whose heads `linear` (the projection) joins, reading the value `norm`.

    Raises CheckpointError naming the node that does not fit.
    """
    joined = affine(graph, linear.source)
    context = graph.producers[joined.base]
    score_values, value_values = context.inputs[:2]
    softmax = graph.producer(score_values)
    if softmax is None or softmax.kind != "Softmax":
        misfit(context, "expected the product of softmax and values")
    rank = len(graph.shape(softmax.outputs[0]))
    if int(softmax.attributes.get("axis", -1)) not in (-1, rank - 1):
        misfit(softmax, "expected a softmax over the keys, the last axis")
    scores = affine(graph, softmax.inputs[0])
    product = graph.producer(scores.base)
    if product is None or product.kind != "MatMul" or not _plain(scores):
        misfit(softmax, "expected queries times keys times one number, without a mask or relative positions")
    query = _heads(graph, product, product.inputs[0], norm, transposed=False)
    key = _heads(graph, product, product.inputs[1], norm, transposed=True)
    value = _heads(graph, context, value_values, norm, transposed=False)
    parts = (query, key, value)
    width = len(query.layer.weight)
    if len({each.count for each in parts}) > 1 or len({len(each.layer.weight) for each in parts}) > 1:
        misfit(product, "expected as many heads and features of queries, keys and values")
    root = np.sqrt(width // query.count)
    scales = (query.scale * key.scale * float(scores.scale.reshape(-1)[0]) * root, 1.0, value.scale)
    weights, biases = [], []
    for part, scale in zip(parts, scales, strict=True):
        exact = 1.0 if abs(scale - 1) < _ONE else scale
        weights.append(part.layer.weight * exact)
        biases.append(part.layer.bias * exact)
    qkv = Linear(product, norm, np.concatenate(weights), np.concatenate(biases))
    return Attention(qkv, query.count, _order(graph, context, joined, query.count, width))


def _plain(scores: Affine) -> bool:
    one = scores.scale.reshape(-1)[:1]
    return bool((scores.addend == 0).all() and (scores.scale == one).all() and scores.index.size)


def _heads(graph: Graph, reader: Node, name: str, norm: str, transposed: bool) -> Heads:
    found = heads_to(graph, name, transposed)
    if found is None:
        _no_heads(graph, reader, name)
    source = affine(graph, found.layer.source, moves_only=True)
    if source.base != graph.source(norm) or not in_order(source):
        misfit(found.layer.node, "expected queries, keys and values of the block's normalised tokens")
    return found


def _no_heads(graph: Graph, reader: Node, name: str) -> NoReturn:
    node = graph.producer(affine(graph, name).base)
    misfit(node or reader, "expected a linear layer whose features are split into heads")


def in_order(found: Affine) -> bool:
    """Whether a value is its base, element by element in the same order."""
    return found.pure and bool(np.array_equal(found.index.reshape(-1), np.arange(found.index.size)))


def _order(graph: Graph, context: Node, joined: Affine, heads: int, width: int) -> list[int]:
    """For each column of the projection's input the feature of the context, head by head, that stands there."""
    shape = graph.shape(context.outputs[0])
    tokens, each = shape[-2], shape[-1]
    if not joined.pure or joined.index.size != tokens * width or heads * each != width:
        misfit(context, "expected the heads side by side as the projection's input")
    rows = joined.index.reshape(tokens, width)
    head, rest = np.divmod(rows, tokens * each)
    token, feature = np.divmod(rest, each)
    order = head * each + feature
    if not (token == np.arange(tokens)[:, None]).all() or not (order == order[:1]).all():
        misfit(context, "expected the heads side by side as the projection's input")
    return [int(column) for column in order[0]]
