"""An import is proved, not believed: the graph runs in onnxruntime beside our float model, on a seeded picture.

Compared are the tokens after the embedding, after every addition and after the final norm, then what follows the trunk.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edgemoe.spec.checkpoint import CheckpointError
from edgemoe.spec.names import shown
from edgemoe_golden.importing.onnx.graph import Graph
from edgemoe_golden.importing.onnx.runtime import Array, run_graph
from edgemoe_golden.importing.onnx.tail import Tail
from edgemoe_golden.importing.onnx.trunk import Trunk
from edgemoe_golden.importing.upstream import Imported
from edgemoe_golden.model import M3ViT, TensorRecorder, task_output

TOLERANCE = 1e-4
"""Largest difference over largest value: float32, another order of sums, and twelve or more blocks of them."""

_SEED = 14


def prove(graph: Graph, trunk: Trunk, tail: Tail, imported: Imported) -> float:
    """The largest relative difference found; raises CheckpointError naming the first value that differs by more."""
    config = imported.config
    generator = np.random.default_rng(_SEED)
    size = (config.image_height, config.image_width, config.picture_channels)
    frame = generator.integers(0, 256, size, dtype=np.uint8)
    wanted = list(dict.fromkeys([*trunk.residuals, trunk.tokens, *filter(None, [tail.logits]), *tail.outputs]))
    theirs = run_graph(graph.model, {graph.picture: picture_values(graph, trunk, imported, frame)}, wanted)
    ours, logits = _own_values(imported, frame)
    pairs: list[tuple[str, Array, Array]] = []
    for name, value in zip((*trunk.residuals, trunk.tokens), ours, strict=True):
        rows = theirs[name].reshape(-1, config.width)
        pairs.append((name, value, rows[: len(value)] if len(value) < len(rows) else rows))
    if tail.logits and logits is not None:
        pairs.append((tail.logits, logits, theirs[tail.logits].reshape(-1)))
    if tail.decoder is not None:
        decoded = run_graph(tail.decoder, {trunk.tokens: theirs[trunk.tokens]}, tail.outputs)
        pairs += [(name, decoded[name], theirs[name]) for name in tail.outputs]
    return max(_difference(*pair) for pair in pairs)


def picture_values(graph: Graph, trunk: Trunk, imported: Imported, frame: NDArray[np.uint8]) -> Array:
    """What the graph reads for a frame [H, W, C]: bytes, or floats normalised as the import was told."""
    values: Array = frame
    if graph.picture_type != "uint8":
        embedding, config = trunk.embedding, imported.config
        # (p/255 − mean)/deviation is what the convolution reads; undone are the graph's own scale and addend.
        convolved = (frame / 255 - np.array(config.pixel_mean)) / np.array(config.pixel_std)
        values = ((convolved - embedding.addend) / embedding.scale).astype(graph.picture_type)
    return values[None] if trunk.embedding.channels_last else np.ascontiguousarray(values.transpose(2, 0, 1))[None]


def _own_values(imported: Imported, frame: NDArray[np.uint8]) -> tuple[list[Array], Array | None]:
    """Residuals and normalised tokens, each [rows, D], and the logits of a classification."""
    config = imported.config
    model = M3ViT(config)
    model.load_state_dict(imported.tensors)
    recorder, task = TensorRecorder(), config.tasks[0]
    with torch.inference_mode():
        output = model.eval()(torch.from_numpy(frame)[None], task.name, recorder)
        logits = task_output(output, config, task.name)[0] if task.kind == "classification" else None
    names = ["embed.residual"]
    for block in range(config.depth):
        names += [f"blocks.{block}.attention.residual", f"blocks.{block}.mlp.residual"]
    found: list[Any] = [recorder.values[name][0].numpy() for name in (*names, f"heads.{task.name}.norm")]
    return found, None if logits is None else logits.numpy()


def _difference(name: str, ours: Array, theirs: Array) -> float:
    if ours.shape != theirs.shape:
        raise CheckpointError(f"value {shown(name)} has shape {theirs.shape} in the graph, {ours.shape} in our model")
    if not np.isfinite(theirs).all():
        raise CheckpointError(
            f"value {shown(name)} of the graph is not finite on a seeded picture; train it or export it anew"
        )
    largest = float(np.abs(theirs).max(initial=0)) or 1.0
    error = float(np.abs(ours.astype(np.float64) - theirs).max(initial=0)) / largest
    if not error <= TOLERANCE:
        raise CheckpointError(
            f"value {shown(name)} of the graph differs from our float model by {error:.2g} of its largest value, "
            f"{TOLERANCE:g} is allowed; this graph computes something that is not recognised"
        )
    return error
