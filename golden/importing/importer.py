"""`import_checkpoint`: recognise the layout of a checkpoint, rewrite it, write a checkpoint folder in one go."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import save

from edgemoe.spec.checkpoint import CONFIG_FILE, WEIGHTS_FILE, CheckpointError, check_tensors
from edgemoe.spec.files import whole_folder
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.names import one_line
from edgemoe.spec.strict import to_dict
from edgemoe_golden.importing.edge_moe import Reference, from_edge_moe, is_raw_folder, read_reference
from edgemoe_golden.importing.gates import GateOptions
from edgemoe_golden.importing.states import is_rank_folder, read_state
from edgemoe_golden.importing.upstream import Imported, from_upstream
from edgemoe_golden.model import M3ViT, TensorRecorder
from edgemoe_golden.model.variant import DECODERS_FILE, VARIANT_FILE, Variant

SUSPICIOUS, _MOST_OFF = 0.001, 0.01
"""Error against a reference frame, as a share of the variance of its tokens. Edge-MoE's own arithmetic, in which such a
frame may have been computed, makes 0.0001; above the second, it is another network."""


@dataclass(frozen=True)
class ImportReport:
    """What was found: the layout, number of tensors, the resulting model, and the error against a reference frame.

    reference_mse, reference_mae, reference_share: of the tokens after the last block, where the source brings a
    reference frame; the last is the first over the variance of the reference's tokens.
    notes: sentences on what was recognised, chosen and left out.
    """

    layout: str
    tensors: int
    config: ModelConfig
    variant: Variant
    reference_mse: float | None = None
    reference_mae: float | None = None
    reference_share: float | None = None
    notes: tuple[str, ...] = ()


def import_checkpoint(
    source: Path, config: ModelConfig, out_folder: Path, options: GateOptions | None = None
) -> ImportReport:
    """Import `source` as model `config` into the new folder `out_folder`.

    `config` gives the sizes and the tasks in M³ViT's id order, each with the channels of its head.
    Raises CheckpointError naming the file or tensor at fault; `out_folder` then does not exist.
    """
    if out_folder.exists():
        raise CheckpointError(f"{out_folder}: exists already; choose a new folder")
    layout, imported, reference = _read(source, config, options or GateOptions())
    imported = replace(imported, variant=replace(imported.variant, source=one_line(source.name), format=layout))
    try:
        tensors = {name: value.numpy() for name, value in imported.tensors.items()}
        check_tensors(imported.config, tensors)
    except CheckpointError as error:
        raise CheckpointError(f"{source}: {error}") from error
    errors = (None, None, None) if reference is None else _compare(source, imported, reference)
    write_imported(imported, out_folder)
    return ImportReport(layout, len(tensors) + len(imported.decoders), imported.config, imported.variant, *errors)


def _read(source: Path, config: ModelConfig, options: GateOptions) -> tuple[str, Imported, Reference | None]:
    if not source.exists():
        raise CheckpointError(f"{source}: no such file or folder")
    if is_raw_folder(source):
        if options not in (GateOptions(), GateOptions("softmax-first")):
            raise CheckpointError(f"{source}: Edge-MoE's gates are softmax-first and plain; leave the gate options off")
        return "Edge-MoE raw folder", from_edge_moe(source, config), read_reference(source, config)
    if source.is_dir() and not is_rank_folder(source):
        raise CheckpointError(
            f"{source}: neither Edge-MoE's *.float32.bin nor M³ViT's 0.pth, 1.pth, … are in this folder"
        )
    layout = "M³ViT folder of ranks" if source.is_dir() else "M³ViT file"
    try:
        return layout, from_upstream(read_state(source), config, options), None
    except CheckpointError as error:
        text = str(error)
        raise (error if text.startswith(str(source)) else CheckpointError(f"{source}: {text}")) from error


def _compare(source: Path, imported: Imported, reference: Reference) -> tuple[float, float, float]:
    """Mean squared and mean absolute error of the last block's tokens of the first task; the first over their variance.

    Raises CheckpointError where they are not the reference's: every file has the right size, so nothing else shows that
    one of them is stored in another order.
    """
    model = M3ViT(imported.config)
    model.load_state_dict(imported.tensors)
    recorder = TensorRecorder()
    with torch.inference_mode():
        model.eval()(reference.frame, imported.config.tasks[0].name, recorder)
    difference = recorder.values[f"blocks.{imported.config.depth - 1}.mlp.residual"][0] - reference.tokens
    squared, absolute = float((difference**2).mean()), float(difference.abs().mean())
    varies = float(reference.tokens.var())
    if not squared <= _MOST_OFF * varies:
        raise CheckpointError(
            f"{source}: does not reproduce its own reference frame (MSE {squared:.3g}, "
            f"its tokens vary by {varies:.3g}); "
            "look for a file whose values stand in another order, such as a kernel H×W×in×out or a gate transposed"
        )
    return squared, absolute, squared / varies if squared else 0.0


def write_imported(imported: Imported, folder: Path, files: Mapping[str, bytes] | None = None) -> None:
    """The folder appears complete or not at all, with `files` in it by name; raises CheckpointError where it cannot."""
    try:
        _fill(imported, folder, files or {})
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise CheckpointError(f"'{folder}' cannot be written: {why}; choose another folder") from error


def _fill(imported: Imported, folder: Path, files: Mapping[str, bytes]) -> None:
    with whole_folder(folder) as draft:
        for name, data in files.items():
            (draft / name).write_bytes(data)
        for file, tensors in ((WEIGHTS_FILE, imported.tensors), (DECODERS_FILE, imported.decoders)):
            if tensors:
                apart = {name: value.contiguous().clone() for name, value in tensors.items()}  # tasks share a norm
                (draft / file).write_bytes(save(apart))
        for name, content in ((CONFIG_FILE, imported.config), (VARIANT_FILE, imported.variant)):
            text = json.dumps(to_dict(content), indent=2, ensure_ascii=False)
            (draft / name).write_text(text + "\n", encoding="utf-8")
