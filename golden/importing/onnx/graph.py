"""An ONNX graph at one picture size: what depends on the picture's values, and constants for everything else.

Exporters leave sizes in a graph as computations (`Shape`, `Gather`, `Concat`, even the interpolation of position
embeddings). With the size fixed, all of that is the same for every picture: it is computed once, by onnxruntime, and
what stays are the nodes that a picture's values run through.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from edgemoe.spec.checkpoint import CheckpointError
from edgemoe.spec.names import shown
from edgemoe.spec.onnx_file import MAX_GRAPH_VALUES, inferred_shapes, require_onnx, require_small
from edgemoe_golden.importing.onnx.runtime import Array, run_graph

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_SHAPES = ("Shape", "Size")
_RANDOM = ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli")
_SAME = ("Identity", "Dropout", "Cast", "CastLike")


@dataclass(frozen=True)
class Node:
    """One node that a picture's values run through; empty names in `inputs` are inputs left out."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    def called(self) -> str:
        """How a message names it."""
        return f"node {shown(self.name or self.outputs[0])} ({self.kind})"


def misfit(node: Node, expected: str) -> NoReturn:
    """Raise CheckpointError for the first node that is no part of a plain vision transformer."""
    raise CheckpointError(f"{node.called()} does not fit a plain pre-norm vision transformer: {expected}")


@dataclass
class Graph:
    """model: the graph as it came, its picture's size fixed. folded: constants in place of what no picture changes.

    nodes: in order of computation, without those that pass a value on. constants, shapes: by name of the value.
    types: names of NumPy, as far as casts tell.
    """

    model: ModelProto
    folded: ModelProto
    picture: str
    picture_shape: tuple[int, ...]
    picture_type: str
    outputs: tuple[str, ...]
    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    same: dict[str, str] = field(default_factory=dict)
    producers: dict[str, Node] = field(default_factory=dict)
    consumers: dict[str, list[Node]] = field(default_factory=dict)

    def source(self, name: str) -> str:
        """The value that `name` is another name of, past Identity, Dropout and casts to the same type."""
        while name in self.same:
            name = self.same[name]
        return name

    def producer(self, name: str) -> Node | None:
        """The node that computes a value; None for the picture and constants."""
        return self.producers.get(self.source(name))

    def readers(self, name: str) -> list[Node]:
        """The nodes that read a value, in order of computation."""
        return self.consumers.get(self.source(name), [])

    def constant(self, name: str) -> Array | None:
        """The array of a constant, None for what depends on the picture."""
        return self.constants.get(self.source(name))

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a value; raises CheckpointError where the graph does not tell."""
        own = self.source(name)
        if own in self.constants:
            return self.constants[own].shape
        if own not in self.shapes:
            raise CheckpointError(f"value {shown(own)} has no shape that can be told from the graph")
        return self.shapes[own]


def fixed_graph(model: ModelProto, size: tuple[int, int] | None) -> Graph:
    """The graph for one picture of that (height, width), None: as the graph says.

    Raises CheckpointError for more than one input, an input that is no picture, and sizes that contradict.
    """
    onnx, _ = require_onnx("reading ONNX files")
    names = {tensor.name for tensor in model.graph.initializer}
    inputs = [entry for entry in model.graph.input if entry.name not in names]
    if len(inputs) != 1:
        found = ", ".join(shown(entry.name) for entry in inputs[:4])
        raise CheckpointError(f"{len(inputs)} inputs ({found or 'none'}); expected one, the picture")
    shape = _fixed_shape(inputs[0], size)
    kind = onnx.helper.tensor_dtype_to_np_dtype(inputs[0].type.tensor_type.elem_type).name
    del model.graph.value_info[:]
    outputs = tuple(entry.name for entry in model.graph.output)
    for entry in model.graph.output:
        entry.type.tensor_type.ClearField("shape")
    require_small(inferred_shapes(model))
    constants = {tensor.name: _array(tensor) for tensor in model.graph.initializer}
    moving = _moving(model, constants, inputs[0].name)
    frozen = {inputs[0].name} | {name for node in moving for name in node.output if name}
    frontier = {name for node in moving for name in node.input if name} | set(outputs)
    missing = sorted(frontier - frozen - set(constants))
    blank: Array = np.zeros(shape, kind)
    constants |= run_graph(model, {inputs[0].name: blank}, missing) if missing else {}
    folded = _folded(model, moving, {name: constants[name] for name in frontier if name in constants})
    graph = Graph(model, folded, inputs[0].name, shape, kind, outputs, constants=constants)
    graph.shapes = inferred_shapes(folded) | {inputs[0].name: shape}
    require_small(graph.shapes)
    _connect(graph, moving)
    return graph


def _fixed_shape(entry: Any, size: tuple[int, int] | None) -> tuple[int, ...]:
    """Write one picture's shape into the input: batch 1, channels first or last."""
    where = f"input {shown(entry.name)}"
    sides = list(entry.type.tensor_type.shape.dim)
    if not entry.type.HasField("tensor_type") or len(sides) != 4:
        raise CheckpointError(f"{where} is no picture; expected 4 axes: batch, channels, height, width")
    numbers = [side.dim_value if side.HasField("dim_value") else 0 for side in sides]
    first = numbers[1] in (1, 3) or numbers[3] not in (1, 3)
    rows, columns, channels = (2, 3, 1) if first else (1, 2, 3)
    if numbers[channels] not in (1, 3):
        raise CheckpointError(f"{where} has {numbers[channels] or 'an unknown number of'} channels; expected 1 or 3")
    if numbers[0] not in (0, 1):
        raise CheckpointError(f"{where} takes {numbers[0]} pictures at once; export it for one, or for any number")
    for index, side, axis in ((0, rows, "height"), (1, columns, "width")):
        wanted = size[index] if size else numbers[side]
        if not wanted:
            raise CheckpointError(f"{where} takes pictures of any {axis}; name theirs with --size HEIGHTxWIDTH")
        if numbers[side] and wanted != numbers[side]:
            raise CheckpointError(f"{where} has {axis} {numbers[side]}; --size says {wanted}")
        numbers[side] = wanted
    numbers[0] = 1
    if numbers[rows] * numbers[columns] > MAX_GRAPH_VALUES // 4:
        raise CheckpointError(f"{where}: pictures of {numbers[rows]}×{numbers[columns]} pixels are too large")
    for side, number in zip(sides, numbers, strict=True):
        side.dim_value = number
    return tuple(numbers)


def _array(tensor: Any) -> Array:
    onnx, _ = require_onnx("reading ONNX files")
    try:
        return np.asarray(onnx.numpy_helper.to_array(tensor))
    except Exception as error:  # ValueError, TypeError and NotImplementedError among them
        raise CheckpointError(f"tensor {shown(tensor.name)} cannot be read ({str(error)[:100]})") from error


def _moving(model: ModelProto, constants: dict[str, Array], picture: str) -> list[NodeProto]:
    """The nodes that a picture's values run through; arrays of `Constant` nodes go into `constants`."""
    onnx, _ = require_onnx("reading ONNX files")
    moved, nodes = {picture}, []
    for node in model.graph.node:
        if node.op_type in _RANDOM:
            raise CheckpointError(f"node {shown(node.name)} ({node.op_type}) draws numbers; export it for inference")
        if node.op_type == "Constant" and node.attribute:
            value = onnx.helper.get_attribute_value(node.attribute[0])
            constants[node.output[0]] = _array(value) if node.attribute[0].HasField("t") else np.asarray(value)
        elif node.op_type not in _SHAPES and any(name in moved for name in node.input):
            moved.update(name for name in node.output if name)
            nodes.append(node)
    return nodes


def _folded(model: ModelProto, nodes: list[NodeProto], constants: Mapping[str, Array]) -> ModelProto:
    onnx, _ = require_onnx("reading ONNX files")
    made: ModelProto = onnx.ModelProto()
    made.CopyFrom(model)
    for part in (made.graph.node, made.graph.initializer, made.graph.value_info):
        del part[:]
    inputs = [entry for entry in model.graph.input if entry.name not in {each.name for each in model.graph.initializer}]
    del made.graph.input[:]
    made.graph.input.extend(inputs)
    made.graph.node.extend(nodes)
    made.graph.initializer.extend(onnx.numpy_helper.from_array(value, name) for name, value in constants.items())
    return made


def _connect(graph: Graph, nodes: list[NodeProto]) -> None:
    onnx, _ = require_onnx("reading ONNX files")
    graph.types[graph.picture] = graph.picture_type
    for proto in nodes:
        attributes = {entry.name: onnx.helper.get_attribute_value(entry) for entry in proto.attribute}
        kind = proto.op_type if proto.domain in ("", "ai.onnx") else f"{proto.domain}.{proto.op_type}"
        node = Node(proto.name, kind, tuple(proto.input), tuple(name for name in proto.output if name), attributes)
        before = graph.types.get(graph.source(proto.input[0]), "float32") if proto.input else ""
        target = onnx.helper.tensor_dtype_to_np_dtype(attributes["to"]).name if kind == "Cast" else before
        if kind in _SAME and target == before:
            graph.same[proto.output[0]] = proto.input[0]
            continue
        if kind == "Where" and _only_replaces_nan(graph, node):
            graph.same[proto.output[0]] = proto.input[2]
            continue
        graph.types.update(dict.fromkeys(node.outputs, target))
        graph.nodes.append(node)
        for name in node.outputs:
            graph.producers[name] = node
        for name in dict.fromkeys(map(graph.source, filter(None, node.inputs))):
            graph.consumers.setdefault(name, []).append(node)


def _only_replaces_nan(graph: Graph, node: Node) -> bool:
    """Whether a Where is its third input, with zeros for NaN: exporters put it behind a softmax for rows all masked."""
    condition, zeros = graph.producer(node.inputs[0]), graph.constant(node.inputs[1])
    if condition is None or condition.kind != "IsNaN" or zeros is None or zeros.any():
        return False
    return graph.source(condition.inputs[0]) == graph.source(node.inputs[2])
