"""Readers of real data sets in the layouts that M³ViT uses, and the metrics of its tasks."""
