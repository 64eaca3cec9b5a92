"""Readers of real data sets in the layouts that M³ViT uses, and the metrics of its tasks."""

from edgemoe_golden.data.layouts import open_data
from edgemoe_golden.data.metrics import metric_of
from edgemoe_golden.data.samples import DataError, DataSet, Sample

__all__ = ["DataError", "DataSet", "Sample", "metric_of", "open_data"]
