"""The attention of one block in a graph: softmax(q·kᵀ·scale)·v, whatever way its heads are cut and joined.

It stands there as two products and a softmax between them, or as one node `Attention` (operator set 23).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NoReturn

import numpy as np

from edgemoe_golden.importing.onnx.affine import Affine, affine
from edgemoe_golden.importing.onnx.graph import Graph, Node, misfit
from edgemoe_golden.importing.onnx.layers import Heads, Linear, heads_to
from edgemoe_golden.importing.onnx.runtime import Array

FUSED = "Attention"
_RANK = 3  # axes of a value whose heads are not cut
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
    parts, factor = (_fused if context.kind == FUSED else _spelt_out)(graph, context, norm)
    query, key, value = parts
    width = len(query.layer.weight)
    if len({each.count for each in parts}) > 1 or len({len(each.layer.weight) for each in parts}) > 1:
        misfit(context, "expected as many heads and features of queries, keys and values")
    root = np.sqrt(width // query.count)
    scales = (query.scale * key.scale * factor * root, 1.0, value.scale)
    weights, biases = [], []
    for part, scale in zip(parts, scales, strict=True):
        exact = 1.0 if abs(scale - 1) < _ONE else scale
        weights.append(part.layer.weight * exact)
        biases.append(part.layer.bias * exact)
    qkv = Linear(context, norm, np.concatenate(weights), np.concatenate(biases))
    cut = query.count if len(graph.shape(context.outputs[0])) > _RANK else 1
    return Attention(qkv, query.count, _order(graph, context, joined, cut, width))


def _spelt_out(graph: Graph, context: Node, norm: str) -> tuple[tuple[Heads, Heads, Heads], float]:
    """Queries, keys, values and the scores' scale, of the product `context` of softmax and values."""
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
    return (query, key, value), float(scores.scale.reshape(-1)[0])


def _fused(graph: Graph, context: Node, norm: str) -> tuple[tuple[Heads, Heads, Heads], float]:
    """The same of one node: [1, heads, N, d] each, or [1, N, heads·d] with the number of heads beside it."""
    given = context.attributes
    masked = any(context.inputs[3:4]) and not _hides_nothing(graph.constant(context.inputs[3]))
    if masked or any(context.inputs[4:]) or given.get("is_causal", 0) or given.get("softcap", 0):
        misfit(context, "expected attention over all tokens, without a mask, a cache or a soft cap")
    query, key, value = (_heads(graph, context, name, norm, transposed=False) for name in context.inputs[:3])
    if len(graph.shape(context.inputs[0])) == _RANK:
        query = replace(query, count=int(given.get("q_num_heads", 0)))
        key, value = (replace(each, count=int(given.get("kv_num_heads", 0))) for each in (key, value))
    width = len(query.layer.weight)
    if query.count < 1 or width % query.count:
        misfit(context, f"expected heads that divide {width} features")
    return (query, key, value), float(given.get("scale", 1 / np.sqrt(width // query.count)))


def _hides_nothing(mask: Array | None) -> bool:
    """Whether a mask is true everywhere, or adds 0."""
    return mask is not None and bool(mask.all() if mask.dtype == np.bool_ else not mask.any())


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
