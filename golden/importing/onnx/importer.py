"""`import_onnx`: an ONNX file → a checkpoint folder, by way of the state dict that its trunk would have in timm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgemoe.spec.checkpoint import DECODER_FILE, PREPROCESSOR_FILE, CheckpointError, check_tensors
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.names import one_line, shown
from edgemoe.spec.onnx_file import read_onnx
from edgemoe_golden.importing.dense import from_dense
from edgemoe_golden.importing.dense_config import CLASSIFICATION, DenseOptions
from edgemoe_golden.importing.importer import ImportReport, write_imported
from edgemoe_golden.importing.onnx.front import Front, preprocessor, split_front
from edgemoe_golden.importing.onnx.graph import Graph, fixed_graph
from edgemoe_golden.importing.onnx.proof import prove
from edgemoe_golden.importing.onnx.tail import Tail, tail_of
from edgemoe_golden.importing.onnx.trunk import Trunk, trunk_of
from edgemoe_golden.importing.onnx.widen import widen
from edgemoe_golden.importing.source_config import SourceConfig, read_source_config

if TYPE_CHECKING:
    from onnx import ModelProto

LAYOUT = "ONNX graph"


def import_onnx(path: Path, out_folder: Path, options: DenseOptions) -> ImportReport:
    """Import the file `path` into the new folder `out_folder`.

    What follows the trunk and is no classifier goes into the folder as `decoder.onnx`, for the host. Raises
    CheckpointError naming the file and the node or tensor at fault; `out_folder` then does not exist.
    """
    if options.heads or options.activation:
        raise CheckpointError(f"{path}: a graph says its heads and its activation itself; leave both options off")
    beside = read_source_config(path.parent)
    model = read_onnx(path)
    try:
        widened = widen(model)
        front, graph = split_front(fixed_graph(model, options.size))
        trunk = trunk_of(graph)
        tail = tail_of(graph, trunk)
        source, chosen = _described(graph if front is None else front.graph, trunk, beside, options)
        imported, notes = from_dense(trunk.state | tail.state, source, chosen, LAYOUT)
        variant = replace(imported.variant, source=one_line(path.name), format=LAYOUT)
        imported = replace(imported, variant=variant)
        check_tensors(imported.config, {name: each.numpy() for name, each in imported.tensors.items()})
        difference = prove(graph, trunk, tail, imported)
        files = {} if tail.decoder is None else {DECODER_FILE: tail.decoder.SerializeToString()}
        if front is not None:
            told = (options.mean or beside.mean, options.deviation or beside.deviation)
            files[PREPROCESSOR_FILE] = _preprocessor(front, told, trunk, imported.config).SerializeToString()
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    write_imported(imported, out_folder, files)
    said = (*notes, *_notes(front, tail, imported.config.tasks[0].kind == CLASSIFICATION, widened))
    proved = (
        f"proved: onnxruntime and our float model differ by {difference:.1e} at most on a seeded picture, every block"
    )
    return ImportReport(LAYOUT, len(imported.tensors), imported.config, variant, notes=(*said, proved))


def _described(
    graph: Graph, trunk: Trunk, beside: SourceConfig, options: DenseOptions
) -> tuple[SourceConfig, DenseOptions]:
    """What the graph says of its network; the graph's own scaling of pixels is joined with what is said of them."""
    embedding = trunk.embedding
    mean, deviation = options.mean or beside.mean, options.deviation or beside.deviation
    if graph.picture_type == "uint8":
        if options.mean or options.deviation:
            raise CheckpointError("the graph takes bytes and normalises them itself; say nothing of its pixels")
        mean, deviation = (0.0,) * len(embedding.scale), (1 / 255,) * len(embedding.scale)
    if len(mean) == len(deviation) == len(embedding.scale):
        scale = np.array(deviation) / embedding.scale
        mean = tuple(float(each) for each in np.array(mean) - embedding.addend * scale)
        deviation = tuple(float(each) for each in scale)
    source = SourceConfig(
        heads=trunk.heads,
        epsilon=float(str(np.float32(trunk.epsilons[0]))),
        activation=trunk.activations[0],
        stride=embedding.stride,
        size=embedding.size,
        mean=mean,
        deviation=deviation,
        labels=beside.labels,
    )
    return source, replace(options, mean=(), deviation=(), size=None)


def _preprocessor(
    front: Front, told: tuple[Sequence[float], Sequence[float]], trunk: Trunk, config: ModelConfig
) -> ModelProto:
    """The front's graph with its ends in bytes; patches read scale·v + addend = (pixel/255 − mean)/deviation of it."""
    deviation, mean = np.array(config.pixel_std), np.array(config.pixel_mean)
    gain = 255 * deviation * trunk.embedding.scale
    return preprocessor(front, told, gain, 255 * (deviation * trunk.embedding.addend + mean))


def _notes(front: Front | None, tail: Tail, classifies: bool, widened: bool) -> list[str]:
    notes = ["its 16-bit floats are held as float32, which has all of their values"] if widened else []
    if front is not None:
        kinds = ", ".join(dict.fromkeys(node.op_type for node in front.nodes))
        height, width = front.size
        notes.append(f"before its patches it changes pictures of {width}×{height} ({kinds}): that runs on the host")
    if tail.decoder is not None:
        outputs = ", ".join(map(shown, tail.outputs))
        count = len(tail.decoder.graph.node)
        run = "1 node after the trunk runs" if count == 1 else f"{count} nodes after the trunk run"
        notes.append(f"{run} on the host and give{'s' if count == 1 else ''} {outputs}")
    if tail.logits and not classifies:
        notes.append("left out: its classifier, because other tasks were asked for")
    return notes + [f"left out: output {shown(name)}, which lies inside the trunk" for name in tail.left_out]
