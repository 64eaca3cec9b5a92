"""Layers of a transformer in a graph: LayerNorm as one node or as a chain, linear layers, activation functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgemoe_golden.importing.onnx.affine import Affine, Floats, affine, floats
from edgemoe_golden.importing.onnx.graph import Graph, Node, misfit
from edgemoe_golden.model.layers import ACTIVATIONS

DEFAULT_EPSILON = 1e-5  # of ONNX's LayerNormalization
_LIKENESS = 2e-4  # constants of 16 bits stay below; erf and tanh GELU differ by 5e-4
_POINTS = 4001
_LONGEST = 24  # nodes of one activation function


@dataclass(frozen=True)
class Norm:
    """LayerNorm over the last axis. node: its first, for messages. output: name of the value."""

    node: Node
    output: str
    weight: Floats
    bias: Floats
    epsilon: float


@dataclass(frozen=True)
class Linear:
    """y = x·weightᵀ + bias, weight [outputs, inputs]; x is the value `source`."""

    node: Node
    source: str
    weight: Floats
    bias: Floats


@dataclass(frozen=True)
class Heads:
    """Queries, keys or values: scale · layer, its features side by side, `count` heads of them."""

    layer: Linear
    count: int
    scale: float


def norm_of(graph: Graph, name: str) -> Norm | None:
    """The LayerNorm that reads a value, over its last axis; None where nothing does."""
    rank, width = len(graph.shape(name)), graph.shape(name)[-1]
    for node in graph.readers(name):
        if node.kind == "LayerNormalization" and graph.source(node.inputs[0]) == graph.source(name):
            weight, bias = (graph.constant(each) for each in (*node.inputs[1:], "")[:2])
            if int(node.attributes.get("axis", -1)) not in (-1, rank - 1) or weight is None or weight.size != width:
                return None
            offset = np.zeros(width) if bias is None else floats(bias).reshape(-1)
            epsilon = float(node.attributes.get("epsilon", DEFAULT_EPSILON))
            return Norm(node, node.outputs[0], floats(weight).reshape(-1), offset, epsilon)
    return _chained_norm(graph, name, rank, width)


def _chained_norm(graph: Graph, name: str, rank: int, width: int) -> Norm | None:
    """(x − mean)/√(variance + ε)·γ + β as ReduceMean, Sub, Pow, ReduceMean, Add, Sqrt, Div, Mul, Add."""
    first = next((node for node in graph.readers(name) if _is_mean(graph, node, rank)), None)
    centred = next((node for node in graph.readers(first.outputs[0]) if node.kind == "Sub"), None) if first else None
    if first is None or centred is None or graph.source(centred.inputs[0]) != graph.source(name):
        return None
    square = next((node for node in graph.readers(centred.outputs[0]) if node.kind in ("Pow", "Mul")), None)
    mean = _reader(graph, square, "ReduceMean")
    if mean is None or not _is_mean(graph, mean, rank):
        return None
    shifted = _reader(graph, mean, "Add")
    root = _reader(graph, shifted, "Sqrt")
    quotient = _reader(graph, root, "Div")
    if shifted is None or quotient is None or graph.source(quotient.inputs[0]) != graph.source(centred.outputs[0]):
        return None
    epsilon = next((value for each in shifted.inputs if (value := graph.constant(each)) is not None), None)
    if epsilon is None or epsilon.size != 1:
        return None
    last, weight, bias = quotient, np.ones(width), np.zeros(width)
    for kind in ("Mul", "Add"):
        node = _reader(graph, last, kind)
        found = None if node is None else _vector(graph, node, width)
        if node is None or found is None:
            continue
        last = node
        weight, bias = (found, bias) if kind == "Mul" else (weight, found)
    return Norm(first, last.outputs[0], weight, bias, float(epsilon.reshape(-1)[0]))


def _is_mean(graph: Graph, node: Node, rank: int) -> bool:
    """ReduceMean over the last axis alone; since operator set 18 its axes are an input."""
    if node.kind != "ReduceMean":
        return False
    given = graph.constant(node.inputs[1]) if len(node.inputs) > 1 else None
    axes = node.attributes.get("axes", ()) if given is None else given.reshape(-1)
    return [int(axis) % rank for axis in axes] == [rank - 1]


def _reader(graph: Graph, before: Node | None, kind: str) -> Node | None:
    """The one node that reads what a node gives, when it is of that kind."""
    readers = graph.readers(before.outputs[0]) if before else []
    return readers[0] if len(readers) == 1 and readers[0].kind == kind else None


def _vector(graph: Graph, node: Node, width: int) -> Floats | None:
    found = [value for name in node.inputs if (value := graph.constant(name)) is not None]
    return floats(found[0]).reshape(-1) if len(found) == 1 and found[0].size == width else None


def product(graph: Graph, name: str) -> tuple[Node, str, Floats, Floats] | None:
    """(node, its other operand, weight [outputs, inputs], bias) where `name` is a product with a constant matrix."""
    node = graph.producer(name)
    if node is None or node.kind not in ("MatMul", "Gemm"):
        return None
    matrix = graph.constant(node.inputs[1])
    if matrix is None or matrix.ndim != 2 or graph.constant(node.inputs[0]) is not None:
        return None
    weight = floats(matrix).T
    bias = np.zeros(len(weight))
    if node.kind == "Gemm":
        if node.attributes.get("transA", 0):
            return None
        weight = (weight.T if node.attributes.get("transB", 0) else weight) * float(node.attributes.get("alpha", 1.0))
        offset = graph.constant(node.inputs[2]) if len(node.inputs) > 2 else None
        if len(node.inputs) > 2 and (offset is None or offset.size not in (1, len(weight))):
            return None
        bias = np.zeros(len(weight))
        if offset is not None:
            bias = bias + floats(offset).reshape(-1) * float(node.attributes.get("beta", 1.0))
    return node, node.inputs[0], weight, bias


def linear_to(graph: Graph, name: str) -> Linear | None:
    """The linear layer that gives value `name` [1, N, outputs], with the bias and scale that follow it worked in."""
    found = affine(graph, name)
    made = product(graph, found.base)
    if made is None:
        return None
    node, source, weight, bias = made
    tokens = np.prod(graph.shape(found.base)[:-1])
    if found.index.size % tokens:
        return None
    rows = found.moved(lambda values: values.reshape(int(tokens), -1))
    return _layer(node, source, weight, bias, rows)


def _layer(node: Node, source: str, weight: Floats, bias: Floats, rows: Affine) -> Linear | None:
    """rows: [tokens, features] of the product's output; None where tokens do not stand in their own rows."""
    outputs = len(weight)
    token, feature = np.divmod(rows.index, outputs)
    own = np.arange(len(rows.index))[:, None]
    same = all((values == values[:1]).all() for values in (feature, rows.scale, rows.addend))
    if not same or not (token == own).all() or (rows.index < 0).any():
        return None
    scale, columns = rows.scale[0], feature[0]
    return Linear(node, source, weight[columns] * scale[:, None], bias[columns] * scale + rows.addend[0])


def heads_to(graph: Graph, name: str, transposed: bool) -> Heads | None:
    """What gives queries, keys or values [1, heads, N, d]; None where no linear layer does.

    transposed: the value is [1, heads, d, N], as keys stand in the product of scores.
    """
    found = affine(graph, name)
    made = product(graph, found.base)
    if made is None or found.index.ndim < 3:
        return None
    heads = int(np.prod(found.index.shape[:-2]))

    def by_token(values: NDArray[Any]) -> NDArray[Any]:
        cube = values.reshape(heads, *values.shape[-2:])
        cube = cube.swapaxes(1, 2) if transposed else cube  # [heads, N, d]
        return cube.swapaxes(0, 1).reshape(cube.shape[1], -1)

    rows = found.moved(by_token)
    scale = float(rows.scale.reshape(-1)[0]) if rows.scale.size else 0.0
    if scale == 0 or not (rows.scale == scale).all():
        return None
    layer = _layer(*made, Affine(rows.base, rows.index, rows.scale / scale, rows.addend / scale))
    return None if layer is None else Heads(layer, heads, scale)


def activation_between(graph: Graph, name: str) -> tuple[str, str]:
    """(our name of an activation function, the value that goes into it) for the value that comes out of it.

    The function is known by its values, so that every way to write it is recognised.
    """
    inside: dict[str, Node] = {}
    leaves: list[str] = []
    stack = [graph.source(name)]
    while stack:
        value = stack.pop()
        node = graph.producer(value)
        if node is None or not _is_function(graph, node) or len(inside) > _LONGEST:
            leaves += [] if value in leaves else [value]
        elif value not in inside:
            inside[value] = node
            stack += [graph.source(each) for each in node.inputs if each and graph.constant(each) is None]
    if len(leaves) != 1:
        misfit(graph.producers[graph.source(name)], "expected one activation function of one linear layer")
    points = torch.linspace(-8, 8, _POINTS, dtype=torch.float64)
    found = _evaluated(graph, graph.source(name), {leaves[0]: points})
    errors = {own: float((function(points) - found).abs().max()) for own, function in ACTIVATIONS.items()}
    best = min(errors, key=lambda own: errors[own])
    if not errors[best] <= _LIKENESS:
        node = graph.producer(name)
        assert node is not None  # a value without a producer is a leaf, and equals none of the functions
        misfit(node, f"expected one of the activation functions {', '.join(ACTIVATIONS)}")
    return best, leaves[0]


def _is_function(graph: Graph, node: Node) -> bool:
    """Whether a node computes on every element alone, with no constants but numbers."""
    constants = [graph.constant(name) for name in node.inputs if name]
    return node.kind in _FUNCTIONS and all(value is None or value.size == 1 for value in constants)


def _evaluated(graph: Graph, name: str, known: dict[str, Tensor]) -> Tensor:
    name = graph.source(name)
    constant = graph.constant(name)
    if constant is not None:
        return torch.tensor(float(constant.reshape(-1)[0]), dtype=torch.float64)
    if name not in known:
        node = graph.producers[name]
        operands = [_evaluated(graph, each, known) for each in node.inputs if each]
        if node.kind == "Gelu":
            tanh = node.attributes.get("approximate", b"none") == b"tanh"
            known[name] = ACTIVATIONS["gelu_tanh" if tanh else "gelu"](operands[0])
        else:
            known[name] = _FUNCTIONS[node.kind](*operands)
    return known[name]


_FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "Add": torch.add, "Sub": torch.sub, "Mul": torch.mul, "Div": torch.div, "Pow": torch.pow, "Neg": torch.neg,
    "Erf": torch.erf, "Tanh": torch.tanh, "Sigmoid": torch.sigmoid, "Relu": torch.relu, "Sqrt": torch.sqrt,
    "Gelu": ACTIVATIONS["gelu"], "Exp": torch.exp,
}  # fmt: skip
