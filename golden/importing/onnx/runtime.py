"""Running a graph in onnxruntime, with inner values as extra outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.spec.checkpoint import CheckpointError
from edgemoe.spec.names import shown
from edgemoe.spec.onnx_file import reason_of, require_onnx, runtime_session

if TYPE_CHECKING:
    from onnx import ModelProto

Array = NDArray[Any]


def run_graph(model: ModelProto, feeds: Mapping[str, Array], wanted: Sequence[str]) -> dict[str, Array]:
    """Values of one run by name, of outputs and of inner values alike, without any of the runtime's rewrites.

    Raises CheckpointError when the runtime does not take the graph or fails in it, with its own reason.
    """
    onnx, _ = require_onnx("reading ONNX files")
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    for name in wanted:
        copy.graph.output.add().name = name
    try:
        found = runtime_session(copy.SerializeToString(), rewrites=False).run(list(wanted), dict(feeds))
    except Exception as error:  # the runtime's own exceptions have no common root
        raise CheckpointError(f"onnxruntime cannot run this graph ({reason_of(error)})") from error
    for name, value in zip(wanted, found, strict=True):
        if not isinstance(value, np.ndarray):
            raise CheckpointError(f"value {shown(name)} is a {type(value).__name__}; expected a tensor")
    return dict(zip(wanted, found, strict=True))
