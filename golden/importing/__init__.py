"""Checkpoints of others: M³ViT's training files in all their layouts, and Edge-MoE's raw weight folder."""

from golden.importing.gates import GateOptions
from golden.importing.imported import ImportedModel, load_imported_model
from golden.importing.importer import ImportReport, import_checkpoint

__all__ = ["GateOptions", "ImportReport", "ImportedModel", "import_checkpoint", "load_imported_model"]
