"""Running a graph in onnxruntime, with inner values as extra outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.spec.checkpoint import CheckpointError
from edgemoe.spec.names import shown
from edgemoe.spec.onnx_file import require_onnx

if TYPE_CHECKING:
    from onnx import ModelProto

Array = NDArray[Any]
THREADS = 1
_ERRORS_ONLY = 3


def run_graph(model: ModelProto, feeds: Mapping[str, Array], wanted: Sequence[str]) -> dict[str, Array]:
    """Values of one run by name, of outputs and of inner values alike, without any of the runtime's rewrites.

    Raises CheckpointError when the runtime does not take the graph or fails in it, with its own reason.
    """
    onnx, runtime = require_onnx("reading ONNX files")
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    for name in wanted:
        copy.graph.output.add().name = name
    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = THREADS
    options.log_severity_level = _ERRORS_ONLY + 1
    try:
        session = runtime.InferenceSession(copy.SerializeToString(), options, providers=["CPUExecutionProvider"])
        found = session.run(list(wanted), dict(feeds))
    except Exception as error:  # the runtime's own exceptions have no common root
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"onnxruntime cannot run this graph ({reason[:200]})") from error
    for name, value in zip(wanted, found, strict=True):
        if not isinstance(value, np.ndarray):
            raise CheckpointError(f"value {shown(name)} is a {type(value).__name__}; expected a tensor")
    return dict(zip(wanted, found, strict=True))
