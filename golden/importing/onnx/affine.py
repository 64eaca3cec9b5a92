"""Where every element of a value comes from: value = scale · base[index] + addend, element by element.

Between two matrix products a graph only moves, scales and adds: reshapes, transposes, slices, splits, biases,
LayerScale, 1/√d. Followed back to its base, a value tells how heads, thirds of qkv and tokens lie, whatever way an
exporter chose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.spec.checkpoint import CheckpointError
from edgemoe_golden.importing.onnx.graph import Graph, Node

Index = NDArray[np.int64]
Floats = NDArray[np.float64]


def floats(values: Any) -> Floats:
    """As float64, without a warning; NaN of any kind stay NaN, and are refused with the tensor that they end up in."""
    with np.errstate(invalid="ignore"):
        return np.asarray(values, np.float64)


_WHOLE = ("uint8", "int8", "int16", "uint16")
CONSTANT = -1  # index of an element that does not depend on the base
_MOVES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Gather", "Slice", "Split")
_ARITHMETIC = ("Add", "Sub", "Mul", "Div")
_LONGEST = 64  # nodes in a row
_LARGEST = 1 << 24  # elements


@dataclass(frozen=True)
class Affine:
    """base: name of a value. index: flat indices into it, or CONSTANT. scale, addend: of the same shape."""

    base: str
    index: Index
    scale: Floats
    addend: Floats

    def moved(self, move: Callable[[NDArray[Any]], NDArray[Any]]) -> Affine:
        """The same elements at other places."""
        return Affine(self.base, move(self.index), move(self.scale), move(self.addend))

    @property
    def pure(self) -> bool:
        """Whether elements are only moved."""
        return bool((self.scale == 1).all() and (self.addend == 0).all() and (self.index >= 0).all())


def affine(graph: Graph, name: str, moves_only: bool = False) -> Affine:
    """Follow a value back to the last node that does more than move, scale and add constants."""
    chain: list[tuple[Node, str]] = []
    while (node := graph.producer(name)) is not None and len(chain) < _LONGEST:
        operand = _operand(graph, node, moves_only)
        if operand is None:
            break
        chain.append((node, graph.source(name)))
        name = operand
    name = graph.source(name)
    shape = graph.shape(name)
    count = int(np.prod(shape))
    if max([count, *(int(np.prod(graph.shape(output))) for _, output in chain)]) > _LARGEST:
        raise CheckpointError(f"values of more than {_LARGEST:,} elements between two layers do not run here")
    found = Affine(name, np.arange(count).reshape(shape), np.ones(shape), np.zeros(shape))
    for node, output in reversed(chain):
        found = _applied(graph, node, output, found)
    return found


def _operand(graph: Graph, node: Node, moves_only: bool) -> str | None:
    """The input that a node moves, scales or adds to; None where it does something else."""
    moving = [name for name in node.inputs if name and graph.constant(name) is None]
    if len(moving) != 1:
        return None
    if node.kind == "Cast":  # whole numbers to floats keep their values
        before, after = (graph.types.get(graph.source(name), "") for name in (moving[0], node.outputs[0]))
        return moving[0] if before in _WHOLE and after == "float32" else None
    if node.kind in _MOVES:
        return moving[0] if moving[0] == node.inputs[0] else None
    if moves_only or node.kind not in (*_ARITHMETIC, "Concat", "Neg"):
        return None
    return None if node.kind == "Div" and moving[0] != node.inputs[0] else moving[0]


def _applied(graph: Graph, node: Node, output: str, before: Affine) -> Affine:
    try:
        if node.kind in _ARITHMETIC:
            return _arithmetic(graph, node, before)
        if node.kind == "Neg":
            return Affine(before.base, before.index, -before.scale, -before.addend)
        if node.kind == "Concat":
            return _joined(graph, node, before)
        shape = graph.shape(output)
        return before.moved(lambda values: _move(graph, node, output, values).reshape(shape))
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise CheckpointError(f"{node.called()} contradicts the shape of its input") from error


def _arithmetic(graph: Graph, node: Node, before: Affine) -> Affine:
    first = graph.constant(node.inputs[0])
    constant = floats(first if first is not None else graph.constant(node.inputs[1]))
    index, scale, addend = before.index, before.scale, before.addend
    if node.kind == "Mul":
        scale, addend = scale * constant, addend * constant
    elif node.kind == "Div":
        scale, addend = scale / constant, addend / constant
    elif node.kind == "Add":
        addend = addend + constant
    elif first is None:
        addend = addend - constant
    else:
        scale, addend = -scale, constant - addend
    shape = np.broadcast_shapes(index.shape, constant.shape)
    index, scale, addend = np.broadcast_to(index, shape), np.broadcast_to(scale, shape), np.broadcast_to(addend, shape)
    return Affine(before.base, index, scale, addend)


def _joined(graph: Graph, node: Node, before: Affine) -> Affine:
    """Concat of constants (prefix tokens) and one value."""
    axis = int(node.attributes["axis"])
    constants = [graph.constant(name) for name in node.inputs]

    def join(own: NDArray[Any], fill: Callable[[NDArray[Any]], NDArray[Any]]) -> NDArray[Any]:
        return np.concatenate([own if each is None else fill(each) for each in constants], axis)

    return Affine(
        before.base,
        join(before.index, lambda each: np.full(each.shape, CONSTANT)),
        join(before.scale, np.ones_like),
        join(before.addend, lambda each: each.astype(np.float64)),
    )


def _move(graph: Graph, node: Node, output: str, values: NDArray[Any]) -> NDArray[Any]:
    """The elements that a node keeps, in its order; the shape is given by the caller."""
    if node.kind == "Transpose":
        return np.transpose(values, node.attributes.get("perm"))
    if node.kind == "Gather":
        return np.take(
            values, np.asarray(graph.constant(node.inputs[1]), np.int64), int(node.attributes.get("axis", 0))
        )
    if node.kind == "Split":
        axis, first = int(node.attributes.get("axis", 0)), 0
        for name in node.outputs:
            length = graph.shape(name)[axis]
            if graph.source(name) == output:
                return np.take(values, range(first, first + length), axis)
            first += length
        raise KeyError(output)
    if node.kind == "Slice":
        return values[_slices(graph, node, values.ndim)]
    return values


def _slices(graph: Graph, node: Node, rank: int) -> tuple[slice, ...]:
    def numbers(position: int, default: Iterable[int]) -> list[int]:
        name = node.inputs[position] if position < len(node.inputs) else ""
        return [int(each) for each in np.ravel(graph.constants[graph.source(name)])] if name else list(default)

    starts, ends = numbers(1, ()), numbers(2, ())
    axes, steps = numbers(3, range(len(starts))), numbers(4, [1] * len(starts))
    found = [slice(None)] * rank
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        backwards = step < 0 and end < -(1 << 30)
        found[axis] = slice(start, None if backwards else end, step)
    return tuple(found)
