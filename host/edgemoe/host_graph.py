"""ONNX graphs that a model brings for the host: opened with their sizes checked, run by onnxruntime, never trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from edgemoe.compiler.program import ProgramError
from edgemoe.spec.checkpoint import CheckpointError
from edgemoe.spec.onnx_file import inferred_shapes, parse_onnx, reason_of, require_onnx, require_small, runtime_session

Array = NDArray[Any]


class HostGraph:
    """A graph with one input. called: how messages name it, as in `decoder of model 'x'`.

    rewrites: whether the runtime may fuse and reorder nodes.
    input, shape, type: of its input, () where a side is not known. outputs: names.
    Raises ArgumentError without the extra `onnx`, ProgramError for a graph that cannot be read or is too large.
    """

    def __init__(self, content: bytes, called: str, rewrites: bool = True) -> None:
        require_onnx(f"the {called.split(' of ')[0]} of this model")
        self.called = called
        try:
            graph = parse_onnx(content)
            require_small(inferred_shapes(graph))
        except CheckpointError as error:
            raise ProgramError(f"{called}: {error}") from error
        try:
            self._session: Any = runtime_session(content, rewrites)
        except Exception as error:  # the runtime's own exceptions have no common root
            raise ProgramError(f"{called}: {reason_of(error)}") from error
        inputs = self._session.get_inputs()
        self.outputs = [output.name for output in self._session.get_outputs()]
        if len(inputs) != 1:
            raise ProgramError(f"{called} takes {len(inputs)} inputs; expected one")
        sides = list(inputs[0].shape)
        self.input, self.type = str(inputs[0].name), str(inputs[0].type)
        self.shape = tuple(sides) if all(isinstance(side, int) for side in sides) else ()

    def run(self, value: Array) -> Mapping[str, Array]:
        """Arrays by the names of the outputs; raises ProgramError with the runtime's reason."""
        try:
            found = self._session.run(self.outputs, {self.input: value.reshape(self.shape)})
        except Exception as error:  # as above
            raise ProgramError(f"{self.called}: {reason_of(error)}") from error
        return dict(zip(self.outputs, found, strict=True))
