"""Checkpoints of others: M³ViT's training files in all their layouts, and Edge-MoE's raw weight folder."""

from edgemoe_golden.importing.gates import GateOptions
from edgemoe_golden.importing.imported import ImportedModel, load_imported_model
from edgemoe_golden.importing.importer import ImportReport, import_checkpoint

__all__ = ["GateOptions", "ImportReport", "ImportedModel", "import_checkpoint", "load_imported_model"]
