"""Checkpoints of others: M³ViT's files in all their layouts, Edge-MoE's raw folder, dense models of two libraries."""

from edgemoe_golden.importing.dense_config import DenseOptions
from edgemoe_golden.importing.dense_importer import import_dense
from edgemoe_golden.importing.gates import GateOptions
from edgemoe_golden.importing.imported import ImportedModel, load_imported_model
from edgemoe_golden.importing.importer import ImportReport, import_checkpoint

__all__ = [
    "DenseOptions",
    "GateOptions",
    "ImportReport",
    "ImportedModel",
    "import_checkpoint",
    "import_dense",
    "load_imported_model",
]
