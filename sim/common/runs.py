"""What a bench declares under `RUNS`: see edgemoe.kernels.benches, which reads these tables."""

from edgemoe.kernels.benches import Run

__all__ = ["Run"]
