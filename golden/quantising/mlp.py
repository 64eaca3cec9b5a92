"""LayerNorm 2 and the dense MLP of one block: rewrites, grids, rounding."""

from __future__ import annotations

from torch.nn import functional

from edgemoe_golden.model.layers import ACTIVATIONS
from edgemoe_golden.quantising.attention import rewrite_norm_of
from edgemoe_golden.quantising.work import Work


def quantise_mlp(work: Work, index: int) -> None:
    """All steps of one block's dense MLP; adds its output to both streams."""
    name, tensor, state = f"backbone.blocks.{index}", f"blocks.{index}", work.state
    activation = ACTIVATIONS[work.config.activation]
    up, down = f"{name}.mlp.fc1", f"{name}.mlp.fc2"
    multiple = rewrite_norm_of(work, f"{name}.norm2", up)
    exact, found = work.normalised(f"{name}.norm2")
    weight = state[f"{up}.weight"]
    grid = work.grid(f"{tensor}.norm2", work.sample(found), lambda rows: rows @ weight.T, multiple=multiple)
    wanted = functional.linear(exact, weight, state[f"{up}.bias"])
    hidden = activation(work.linear(up, grid(found), grid, wanted))
    weight, sample = state[f"{down}.weight"], work.sample(hidden)
    grid = work.grid(f"{tensor}.hidden", sample, lambda rows: rows @ weight.T, sample.lowest())
    exact_update = functional.linear(activation(wanted), weight, state[f"{down}.bias"])
    target = (work.exact - work.found).flatten(0, 1) + exact_update
    work.add(exact_update, work.linear(down, grid(hidden), grid, target))
