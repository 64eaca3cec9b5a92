"""`import_dense`: a file or folder of timm or Hugging Face transformers → a checkpoint folder, in one go."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgemoe.spec.checkpoint import CheckpointError, check_tensors
from edgemoe.spec.names import one_line, path_part
from edgemoe_golden.importing.dense import from_dense, is_dense
from edgemoe_golden.importing.dense_config import DenseOptions
from edgemoe_golden.importing.importer import ImportReport, write_imported
from edgemoe_golden.importing.source_config import read_source_config
from edgemoe_golden.importing.states import State, read_file

WEIGHTS = ("model.safetensors", "pytorch_model.bin", "model.onnx")
SHARDS = "model.safetensors.index.json"
LAYOUT = "dense vision transformer"


def import_dense(source: Path, out_folder: Path, options: DenseOptions | None = None) -> ImportReport:
    """Import `source` into the new folder `out_folder`.

    source: a state dict in a torch or safetensors file or a graph in an ONNX file, with the library's configuration
    beside it where there is one, or a folder that holds both under the library's usual names. Raises CheckpointError or
    ConfigError naming the file, tensor or node at fault; `out_folder` then does not exist.
    """
    if out_folder.exists():
        raise CheckpointError(f"{out_folder}: exists already; choose a new folder")
    path = _weights_file(source)
    if path.suffix == ".onnx":
        from edgemoe_golden.importing.onnx.importer import import_onnx

        named = options or DenseOptions()
        return import_onnx(path, out_folder, replace(named, name=named.name or path_part(out_folder.name)))
    state, beside = read_file(path), read_source_config(path.parent)
    chosen = options or DenseOptions()
    chosen = replace(chosen, name=chosen.name or path_part(out_folder.name))
    try:
        _require_dense(state)
        imported, notes = from_dense(state, beside, chosen)
        variant = replace(imported.variant, source=one_line(source.name), format=LAYOUT)
        imported = replace(imported, variant=variant)
        check_tensors(imported.config, {name: each.numpy() for name, each in imported.tensors.items()})
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    write_imported(imported, out_folder)
    return ImportReport(LAYOUT, len(imported.tensors), imported.config, variant, notes=notes)


def _weights_file(source: Path) -> Path:
    if not source.exists():
        raise CheckpointError(f"{source}: no such file or folder")
    if not source.is_dir():
        return source
    for name in WEIGHTS:
        if (source / name).is_file():
            return source / name
    if (source / SHARDS).is_file():
        raise CheckpointError(f"{source}: its weights are in several files; save them as one, {WEIGHTS[0]}")
    raise CheckpointError(f"{source}: neither {' nor '.join(WEIGHTS)} is in this folder; name M³ViT models by --config")


def _require_dense(state: State) -> None:
    """M³ViT's own files say less of themselves: their sizes and tasks come from a configuration."""
    if not is_dense(state) and any(name.startswith("backbone.") for name in state):
        raise CheckpointError("a checkpoint of M³ViT; name its sizes and tasks with --config")
