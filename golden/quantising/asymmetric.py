"""Weights moved towards what the float network gives (asymmetric calibration, as in GPTAQ: Li et al., 2025).

Rounding to keep W·x̂ keeps what grids and layers before it have done to the inputs x̂. With r = target − W·x̂ over the
calibrating rows, both centred because a bias is not the matter here, ridge regression finds the weights that undo it:

    W' = W + (Σ r·x̂ᵀ)·(Σ x̂·x̂ᵀ + λ)⁻¹,  λ = RIDGE·mean of the diagonal

Weights of 4 bits gain by it. With 8 bits there is less to undo than a few pictures teach wrongly: on DINOv2-small the
least correlation of a map fell from 0.9974 to 0.9934, and on Edge-MoE's weights cross-validation left it out.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

RIDGE = 1.0
"""A few pictures must not move weights along directions that they hardly have."""


def towards(weight: Tensor, inputs: Tensor, error: Tensor) -> Tensor:
    """Weights [outputs, inputs] moved by the error [rows, outputs] that they leave on inputs [rows, inputs]."""
    rows, left = (each.numpy().astype(np.float64) for each in (inputs, error))
    rows, left = rows - rows.mean(0), left - left.mean(0)
    moment = rows.T @ rows
    mean = float(np.diag(moment).mean())
    if mean <= 0:
        return weight
    moved = np.linalg.solve(moment + RIDGE * mean * np.eye(len(moment)), rows.T @ left).T
    return weight + torch.from_numpy(moved.astype(np.float32))
