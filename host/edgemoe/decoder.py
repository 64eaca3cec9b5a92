"""Host decoders: what an imported ONNX graph computes after its trunk, run by onnxruntime on this host.

Such a graph comes with a checkpoint as `decoder.onnx`, travels inside programs, and reads the features of all tokens.
It needs the extra `onnx`; without it a session gives the features alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.compiler.program import Program, ProgramError
from edgemoe.errors import ArgumentError
from edgemoe.spec.checkpoint import CheckpointError
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.names import path_part, shown
from edgemoe.spec.onnx_file import inferred_shapes, parse_onnx, reason_of, require_onnx, require_small, runtime_session

MAX_OUTPUTS = 16


class HostDecoder:
    """Features of one picture → named arrays. Raises ProgramError for a graph that does not fit the model."""

    def __init__(self, content: bytes, model: ModelConfig) -> None:
        require_onnx("the decoder of this model")
        try:
            graph = parse_onnx(content)
            require_small(inferred_shapes(graph))
        except CheckpointError as error:
            raise ProgramError(f"decoder of model '{model.name}': {error}") from error
        try:
            self._session: Any = runtime_session(content)
        except Exception as error:  # the runtime's own exceptions have no common root
            raise ProgramError(f"decoder of model '{model.name}': {reason_of(error)}") from error
        inputs = self._session.get_inputs()
        self._names = [output.name for output in self._session.get_outputs()]
        shape = list(inputs[0].shape) if len(inputs) == 1 else []
        sizes_known = all(isinstance(side, int) for side in shape)
        if not sizes_known or not shape or int(np.prod(shape)) != model.tokens * model.width:
            raise ProgramError(
                f"decoder of model '{model.name}' takes {shape or 'several inputs'}; the model has {model.tokens} "
                f"tokens of {model.width} features"
            )
        if len(self._names) > MAX_OUTPUTS:
            raise ProgramError(
                f"decoder of model '{model.name}' has {len(self._names)} outputs, more than {MAX_OUTPUTS}"
            )
        self._input, self._shape, self._model = inputs[0].name, tuple(shape), model

    def __call__(self, features: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Arrays by name for features [tokens, D], each without the axis of pictures; raises ProgramError."""
        feeds = {self._input: np.ascontiguousarray(features, np.float32).reshape(self._shape)}
        try:
            found = self._session.run(self._names, feeds)
        except Exception as error:  # as above
            raise ProgramError(f"decoder of model '{self._model.name}': {reason_of(error)}") from error
        decoded: dict[str, NDArray[np.float32]] = {}
        for name, value in zip(self._names, found, strict=True):
            if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiub":
                raise ProgramError(f"decoder of model '{self._model.name}': output {shown(name)} holds no numbers")
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
