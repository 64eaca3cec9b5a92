"""ONNX files: read as somebody else's data, whole and within limits, before any library computes with them.

Needs the extra `onnx` (packages `onnx` and `onnxruntime`), which boards do without: both are imported when first used.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgemoe.errors import ArgumentError
from edgemoe.spec.checkpoint import CheckpointError
from edgemoe.spec.files import read_limited
from edgemoe.spec.names import shown

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto

OPSETS = range(11, 24)
"""Versions of ONNX's operator set that are read: those that exporters have written since 2019."""

MAX_ONNX_BYTES = (1 << 31) - 1  # of a file, and of a file with its external data; protobuf ends there
MAX_MEMORY = 1 << 33  # of all that the runtime computes at once
MAX_NODES = 100_000
MAX_RANK = 8
MAX_GRAPH_VALUES = 1 << 28  # elements of any one value of a graph: 1 GiB

_OWN_DOMAINS = ("", "ai.onnx")
_INTEGER_KINDS = (
    *("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "ConvInteger"),
    *("QLinearMatMul", "QLinearConv", "MatMulNBits", "QGemm", "QAttention", "DynamicQuantizeMatMul"),
)


def require_onnx(what: str) -> tuple[Any, Any]:
    """Modules onnx and onnxruntime; raises ArgumentError naming the extra where they are not installed."""
    try:
        import onnx
        import onnxruntime
    except ModuleNotFoundError as error:
        raise ArgumentError(f"{what} needs {error.name}; install the 'onnx' extra of this package") from error
    return onnx, onnxruntime


def read_onnx(path: Path) -> ModelProto:
    """The graph in a file, with the external data that lies in the file's own folder or below, checked.

    Raises CheckpointError for what is cut, too large, too new, not plain floats, or reaches out of its folder.
    """
    try:
        content = read_limited(path, MAX_ONNX_BYTES)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from error
    if len(content) > MAX_ONNX_BYTES:
        raise CheckpointError(f"{path}: more than {MAX_ONNX_BYTES:,} bytes; ONNX files end there")
    try:
        return parse_onnx(content, path.parent)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error


def parse_onnx(content: bytes, folder: Path | None = None) -> ModelProto:
    """The checked graph in `content`; external data is read from `folder`, refused without one.

    Raises CheckpointError; the message does not name a file.
    """
    onnx, _ = require_onnx("reading ONNX files")
    model: ModelProto = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except Exception as error:  # protobuf has its own exceptions
        raise CheckpointError("not a readable ONNX file; it is cut or altered") from error
    _require_version(model)
    _require_plain_graph(model)
    _require_order(model)
    _require_tensors(model, folder)
    return model


def _require_version(model: ModelProto) -> None:
    versions = {entry.domain: entry.version for entry in model.opset_import}
    version = next((versions[domain] for domain in _OWN_DOMAINS if domain in versions), None)
    if version is None:
        raise CheckpointError("names no operator set of ONNX, so this is not a whole ONNX file")
    if version not in OPSETS:
        raise CheckpointError(
            f"operator set {version}; this package reads {OPSETS[0]} … {OPSETS[-1]}: export it again with one of these"
        )


def _require_plain_graph(model: ModelProto) -> None:
    """One graph of floats, without functions, control flow and sparse tensors, and not absurdly long."""
    graph = model.graph
    if model.functions:
        name = shown(model.functions[0].name)
        raise CheckpointError(f"holds the function {name}; export it again with all functions inlined")
    if len(graph.node) > MAX_NODES or len(graph.initializer) > MAX_NODES:
        raise CheckpointError(f"more than {MAX_NODES:,} nodes or tensors are no vision transformer")
    if graph.sparse_initializer:
        raise CheckpointError("holds sparse tensors; save it dense")
    for node in graph.node:
        called = f"node {shown(node.name or next(iter(node.output), ''))} ({node.op_type})"
        if node.op_type in _INTEGER_KINDS:
            raise CheckpointError(
                f"{called} belongs to a graph that was quantised to integers; give the float model, "
                "which this package quantises by its own calibration"
            )
        if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            raise CheckpointError(f"{called} holds a graph of its own; export it again without control flow")
        if any(attribute.ref_attr_name for attribute in node.attribute):
            raise CheckpointError(f"{called} belongs to a function; export it again with all functions inlined")


def _require_order(model: ModelProto) -> None:
    """Every value has a name that is text, comes from one place, and is there before it is read."""
    graph = model.graph
    known = {entry.name for entry in (*graph.input, *graph.initializer)}
    if not all(isinstance(name, str) and name for name in known):
        raise CheckpointError("an input or a tensor has no name")
    for node in graph.node:
        called = f"node {shown(node.name or next(iter(node.output), ''))} ({shown(node.op_type)})"
        for name in node.input:
            if name and name not in known:
                raise CheckpointError(f"{called} reads {shown(name)}, which nothing before it gives")
        for name in node.output:
            if not isinstance(name, str) or name in known:
                raise CheckpointError(f"{called} gives {shown(name)}, which is no name or given before")
            known |= {name} if name else set()
        if not any(node.output):
            raise CheckpointError(f"{called} gives nothing")
    for entry in graph.output:
        if entry.name not in known:
            raise CheckpointError(f"output {shown(entry.name)} is given by no node")


def _require_tensors(model: ModelProto, folder: Path | None) -> None:
    """Every tensor has as many bytes as its shape says; external ones are read into the model."""
    stored = list(model.graph.initializer)
    for node in model.graph.node:
        for attribute in node.attribute:
            stored += [attribute.t] if attribute.HasField("t") else []
            stored += attribute.tensors
            if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
                raise CheckpointError("holds sparse tensors; save it dense")
    total = 0
    for tensor in stored:
        total += _byte_count(tensor)
        if total > MAX_ONNX_BYTES:
            raise CheckpointError(f"its tensors have more than {MAX_ONNX_BYTES:,} bytes; ONNX files end there")
    for tensor in stored:
        if tensor.data_location == 1:  # TensorProto.EXTERNAL
            _read_external(tensor, folder)
        elif tensor.HasField("raw_data") and len(tensor.raw_data) != _byte_count(tensor):
            raise CheckpointError(
                f"tensor {shown(tensor.name)} has {len(tensor.raw_data):,} bytes; its shape needs "
                f"{_byte_count(tensor):,}"
            )


def _byte_count(tensor: TensorProto) -> int:
    from onnx import helper

    where = f"tensor {shown(tensor.name)}"
    if len(tensor.dims) > MAX_RANK or any(side < 0 for side in tensor.dims):
        raise CheckpointError(f"{where} has shape {tuple(tensor.dims)[: MAX_RANK + 1]}, which no tensor can have")
    count = math.prod(tensor.dims)
    if count > MAX_GRAPH_VALUES:
        raise CheckpointError(f"{where} has {count:,} values; at most {MAX_GRAPH_VALUES:,} are read")
    try:
        each = helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{where} has the unknown type {tensor.data_type}") from error
    return int(count * each)


def _read_external(tensor: TensorProto, folder: Path | None) -> None:
    """Put the bytes of an external tensor into it; raises CheckpointError for a path or range outside the folder."""
    where = f"tensor {shown(tensor.name)}"
    facts = {entry.key: entry.value for entry in tensor.external_data}
    location = facts.get("location", "")
    if folder is None:
        raise CheckpointError(f"{where} lies in another file, {shown(location)}; a host decoder holds its own tensors")
    if not _inside(folder, location):
        raise CheckpointError(f"{where} lies in {shown(location)}, outside the folder of the file; that is not read")
    needed = _byte_count(tensor)
    numbers = [facts.get("offset", "0") or "0", facts.get("length", "") or str(needed)]
    if not all(number.isascii() and number.isdigit() and len(number) < 16 for number in numbers):
        raise CheckpointError(f"{where} has offset and length {shown(numbers[0])}, {shown(numbers[1])}")
    offset, length = map(int, numbers)
    if length != needed:
        raise CheckpointError(f"{where} has {length:,} bytes in {shown(location)}; its shape needs {needed:,}")
    path = folder / location
    if not path.is_file() or path.stat().st_size < offset + length:
        raise CheckpointError(f"{where} needs {offset + length:,} bytes of {shown(location)}, which is cut or missing")
    try:
        with path.open("rb") as file:
            file.seek(offset)
            content = file.read(length)
    except OSError as error:
        raise CheckpointError(f"{where}: {shown(location)} cannot be read ({error.strerror})") from error
    del tensor.external_data[:]
    tensor.data_location = 0  # type: ignore[assignment]  # TensorProto.DEFAULT
    tensor.raw_data = content


def _inside(folder: Path, location: str) -> bool:
    """Whether a location names something in the folder or below, links followed."""
    relative = Path(location)
    if not location or relative.is_absolute() or ".." in relative.parts:
        return False
    try:
        return (folder / relative).resolve(strict=True).is_relative_to(folder.resolve())
    except FileNotFoundError:
        return True  # which is said in a sentence of its own
    except (OSError, ValueError):  # a name too long, a zero byte, a loop of links
        return False


def runtime_session(content: bytes, rewrites: bool = True) -> Any:
    """An onnxruntime session on one thread of the CPU, quiet, in bounded memory; raises the runtime's own errors.

    rewrites: whether the runtime may fuse and reorder nodes.
    """
    _, runtime = require_onnx("running ONNX graphs")
    _limit_memory()
    options = runtime.SessionOptions()
    options.add_session_config_entry("session.use_env_allocators", "1")
    if not rewrites:
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # fatal
    return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"], enable_fallback=0)


@lru_cache(maxsize=1)
def _limit_memory() -> None:
    """One arena for all sessions of this process: a graph can compute sizes that no check of shapes foresees."""
    _, runtime = require_onnx("running ONNX graphs")
    place = runtime.OrtMemoryInfo("Cpu", runtime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, runtime.OrtMemType.DEFAULT)
    runtime.create_and_register_allocator(place, runtime.OrtArenaCfg({"max_mem": MAX_MEMORY}))


def reason_of(error: Exception) -> str:
    """The first line of what the runtime says, as part of a sentence."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return "".join(character if character.isprintable() else " " for character in text)[:200]


def inferred_shapes(model: ModelProto) -> dict[str, tuple[int, ...]]:
    """Shapes of inner values and outputs, as far as they can be told; raises CheckpointError for contradictions.

    Values are not propagated: that computes slices element by element, with steps that a file may choose.
    """
    onnx, _ = require_onnx("reading ONNX files")
    try:
        known = onnx.shape_inference.infer_shapes(model)
    except Exception as error:  # its checker, its inference and protobuf each have their own
        raise CheckpointError(f"its shapes contradict each other ({reason_of(error)})") from error
    shapes = {}
    for entry in (*known.graph.value_info, *known.graph.output):
        sides = entry.type.tensor_type.shape.dim
        if entry.type.tensor_type.HasField("shape") and all(side.HasField("dim_value") for side in sides):
            shapes[entry.name] = tuple(side.dim_value for side in sides)
    return shapes


def require_small(shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise CheckpointError for a value that is too large to compute, before anything computes it."""
    for name, shape in shapes.items():
        if len(shape) > MAX_RANK or math.prod(shape) > MAX_GRAPH_VALUES:
            raise CheckpointError(
                f"value {shown(name)} has {math.prod(shape):,} elements; at most {MAX_GRAPH_VALUES:,} are computed"
            )
