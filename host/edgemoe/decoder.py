"""Host decoders: what an imported ONNX graph computes after its trunk, run by onnxruntime on this host.

Such a graph comes with a checkpoint as `decoder.onnx`, travels inside programs, and reads the features of all tokens.
It needs the extra `onnx`; without it a session gives the features alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgemoe.compiler.program import Program, ProgramError
from edgemoe.errors import ArgumentError
from edgemoe.host_graph import HostGraph
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.names import path_part, shown

MAX_OUTPUTS = 16


class HostDecoder:
    """Features of one picture → named arrays. Raises ProgramError for a graph that does not fit the model."""

    def __init__(self, content: bytes, model: ModelConfig) -> None:
        called = f"decoder of model '{model.name}'"
        self._graph = HostGraph(content, called)
        shape = self._graph.shape
        if not shape or int(np.prod(shape)) != model.tokens * model.width:
            raise ProgramError(
                f"{called} takes {list(shape) or 'an input of unknown size'}; the model has {model.tokens} tokens of "
                f"{model.width} features"
            )
        if len(self._graph.outputs) > MAX_OUTPUTS:
            raise ProgramError(f"{called} has {len(self._graph.outputs)} outputs, more than {MAX_OUTPUTS}")

    def __call__(self, features: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Arrays by name for features [tokens, D], each without the axis of pictures; raises ProgramError."""
        decoded: dict[str, NDArray[np.float32]] = {}
        for name, value in self._graph.run(np.ascontiguousarray(features, np.float32)).items():
            if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiub":
                raise ProgramError(f"{self._graph.called}: output {shown(name)} holds no numbers")
            one = value[0] if value.ndim and len(value) == 1 else value
            decoded[path_part(name)] = np.asarray(one, dtype=np.float32)
        return decoded


def decoder_of(program: Program) -> tuple[HostDecoder | None, str]:
    """The decoder that comes with a program, and where it cannot run for want of the extra, a sentence that says so."""
    if not program.decoder:
        return None, ""
    try:
        return HostDecoder(program.decoder, program.manifest.model), ""
    except ArgumentError as error:
        return None, f"{error}; the features are given without what it makes of them"
