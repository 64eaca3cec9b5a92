"""The models that come with this package, by their names."""

from __future__ import annotations

from pathlib import Path

from edgemoe.compiler.program import MANIFEST_FILE
from edgemoe.spec.checkpoint import CONFIG_FILE, CheckpointError
from edgemoe.spec.model import model_names
from edgemoe.spec.places import REPOSITORY

_MODELS = REPOSITORY / "models"
_PREFERRED = ("tiny", "mini")


def shipped_models() -> dict[str, Path]:
    """Name → checkpoint folder; empty where none are installed."""
    return {path.parent.name: path.parent for path in sorted(_MODELS.glob(f"*/{CONFIG_FILE}"))}


def model_folder(given: str | Path | None = None) -> Path:
    """The folder to use, or that of the shipped model of this name; None: of the model that is preferred.

    A folder that holds a model comes before a shipped one of the same name, such as a folder of results does not.
    Raises CheckpointError when there is none.
    """
    shipped = shipped_models()
    if given is None:
        for name in _PREFERRED:
            if name in shipped:
                return shipped[name]
        raise CheckpointError("no model is installed beside the package; name one with --model FOLDER")
    if str(given) in shipped and not any((Path(given) / name).is_file() for name in (CONFIG_FILE, MANIFEST_FILE)):
        return shipped[str(given)]
    if Path(given).is_dir():
        return Path(given)
    # `models/mini`, as it stands in a checkout, is meant wherever this is called from.
    beside = _MODELS.parent / given
    if Path(given).parts[:1] == (_MODELS.name,) and beside.is_dir():
        return beside
    if str(given) in model_names():
        raise CheckpointError(
            f"'{given}' is sizes without weights, which `edgemoe info --config {given}` shows; models with weights: "
            f"{', '.join(shipped) or 'none is installed'}"
        )
    names = f", or one of {', '.join(shipped)}" if shipped else ""
    raise CheckpointError(f"'{given}' is not a folder; a model is a checkpoint folder or a program folder{names}")
