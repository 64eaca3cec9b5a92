"""What a graph does to its picture before the patches are embedded, beyond scaling it: cut out, for the host.

A resize, a crop, a border. What comes out is a picture again, of the size that the trunk takes; the accelerator reads
bytes, so it is rounded to them, as every picture is that was resized in a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgemoe.spec.checkpoint import CheckpointError
from edgemoe.spec.names import shown
from edgemoe.spec.onnx_file import require_onnx
from edgemoe_golden.importing.onnx.affine import Floats
from edgemoe_golden.importing.onnx.embedding import only_scales
from edgemoe_golden.importing.onnx.graph import Graph, fixed_graph, misfit
from edgemoe_golden.importing.onnx.runtime import Array, run_graph
from edgemoe_golden.importing.onnx.tail import nodes_before

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_SCALES = ("Add", "Sub", "Mul", "Div")
_OVERSHOOT = 16.0  # of a bicubic resize of a smooth picture, in pixel values; what is beyond a byte is cut off
_PREFIX = "edgemoe_"  # of values that no exporter names so


@dataclass(frozen=True)
class Front:
    """graph: as it came. output: the value [1, 3, H, W] or [1, H, W, 3] that patches are cut from, but for scaling.

    nodes: from the picture to it, in order.
    """

    graph: Graph
    output: str
    nodes: tuple[NodeProto, ...]

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the picture that it takes."""
        shape = self.graph.picture_shape
        return (shape[1], shape[2]) if _channels_last(shape) else (shape[2], shape[3])


def split_front(graph: Graph) -> tuple[Front | None, Graph]:
    """(what stands before the patches, the graph from there on); (None, the graph) where there is nothing but scaling.

    Raises CheckpointError where no picture of three channels comes out, and where more than it is read from inside.
    """
    conv = next((node for node in graph.nodes if node.kind == "Conv"), None)
    output = graph.picture if conv is None or only_scales(graph, conv) else _unscaled(graph, conv.inputs[0])
    if output == graph.picture:
        return None, graph
    base, shape = graph.producers[output], graph.shape(output)
    if len(shape) != 4 or 3 not in (shape[1], shape[3]) or 3 not in (graph.picture_shape[1], graph.picture_shape[3]):
        misfit(base, "expected a picture of three channels before the patches are embedded")
    nodes = nodes_before(graph, [output])
    own = {name for node in nodes for name in node.output} | {graph.picture}
    after = [node for node in graph.folded.graph.node if not own.intersection(node.output)]
    for node in after:
        for name in node.input:
            if name in own and name != output:
                called = f"node {shown(node.name or node.output[0])} ({node.op_type})"
                raise CheckpointError(f"{called} reads {shown(name)} from before the patches are embedded")
    return Front(graph, output, tuple(nodes)), fixed_graph(_rest(graph, output, shape, after), None)


def _unscaled(graph: Graph, name: str) -> str:
    """The value that `name` is made of by adding and multiplying constants."""
    while (node := graph.producer(name)) is not None and node.kind in _SCALES:
        moving = [each for each in node.inputs if graph.constant(each) is None]
        if len(moving) != 1 or (node.kind == "Div" and moving[0] != node.inputs[0]):
            break
        name = moving[0]
    return graph.source(name)


def _rest(graph: Graph, name: str, shape: tuple[int, ...], nodes: Sequence[NodeProto]) -> ModelProto:
    onnx, _ = require_onnx("reading ONNX files")
    rest: ModelProto = onnx.ModelProto()
    rest.CopyFrom(graph.folded)
    del rest.graph.node[:], rest.graph.input[:]
    rest.graph.node.extend(nodes)
    rest.graph.input.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))
    return rest


def preprocessor(
    front: Front, told: tuple[Sequence[float], Sequence[float]], gain: Floats, offset: Floats
) -> ModelProto:
    """The graph for the host: bytes [1, h, w, 3] → bytes [1, H, W, 3].

    told: mean and deviation of the pixels that the graph reads, where it does not read bytes. gain, offset: the front's
    value v is the pixel gain·v + offset, per channel. Raises CheckpointError where that is no picture.
    """
    onnx, _ = require_onnx("reading ONNX files")
    graph, kinds, make = front.graph, onnx.TensorProto, onnx.helper.make_node
    (height, width), shape = front.size, graph.shape(front.output)
    constants: dict[str, Array] = {"gain": gain, "offset": offset, "low": np.array(0), "high": np.array(255)}
    mean, deviation = (np.array(each, np.float64) for each in told)
    steps: list[NodeProto] = []

    def step(kind: str, given: Sequence[str], output: str = "", **attributes: Any) -> str:
        output = output or f"{_PREFIX}{len(steps)}"
        steps.append(make(kind, list(given), [output], **attributes))
        return output

    def constant(name: str) -> str:
        return f"{_PREFIX}{name}"

    value = f"{_PREFIX}frame"
    if graph.picture_type != "uint8":
        constants |= {"scale": 1 / (255 * deviation), "shift": -mean / deviation}
        value = step("Cast", [value], to=kinds.FLOAT)
        value = step("Add", [step("Mul", [value, constant("scale")]), constant("shift")])
        kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(graph.picture_type))
        value = step("Cast", [value], to=kind)
    last = _channels_last(graph.picture_shape)
    step("Identity", [value], graph.picture) if last else step("Transpose", [value], graph.picture, perm=[0, 3, 1, 2])
    steps.extend(front.nodes)
    value = step("Cast", [front.output], to=kinds.FLOAT)
    value = value if _channels_last(shape) else step("Transpose", [value], perm=[0, 2, 3, 1])
    pixels = step("Add", [step("Mul", [value, constant("gain")]), constant("offset")])
    value = step("Clip", [step("Round", [pixels]), constant("low"), constant("high")])
    step("Cast", [value], f"{_PREFIX}picture", to=kinds.UINT8)

    model: ModelProto = onnx.ModelProto()
    model.CopyFrom(graph.folded)
    for part in (model.graph.node, model.graph.input, model.graph.output, model.graph.initializer):
        del part[:]
    read = {name for node in front.nodes for name in node.input}
    model.graph.node.extend(steps)
    model.graph.initializer.extend(each for each in graph.folded.graph.initializer if each.name in read)
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(np.asarray(each, np.float32), constant(name)) for name, each in constants.items()
    )
    info = onnx.helper.make_tensor_value_info
    model.graph.input.append(info(f"{_PREFIX}frame", kinds.UINT8, (1, height, width, 3)))
    model.graph.output.append(info(f"{_PREFIX}picture", kinds.UINT8, None))
    _require_picture(model, front, pixels)
    return model


def _require_picture(model: ModelProto, front: Front, pixels: str) -> None:
    """Raise CheckpointError where pictures of 0 … 255 do not stay pictures."""
    height, width = front.size
    ramp = np.broadcast_to(np.linspace(0, 255, width)[:, None], (1, height, width, 3))
    frames = [np.full_like(ramp, 0), np.full_like(ramp, 255), ramp]
    values = [run_graph(model, {f"{_PREFIX}frame": frame.astype(np.uint8)}, [pixels])[pixels] for frame in frames]
    low, high = min(float(each.min()) for each in values), max(float(each.max()) for each in values)
    if not (low >= -_OVERSHOOT and high <= 255 + _OVERSHOOT):
        raise CheckpointError(
            f"what stands before its patches, up to value {shown(front.output)}, makes {low:.0f} … {high:.0f} of "
            "pixels from 0 to 255; resizes, crops and borders run on the host"
        )


def _channels_last(shape: Sequence[int]) -> bool:
    return shape[1] not in (1, 3)
