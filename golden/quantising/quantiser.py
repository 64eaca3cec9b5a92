"""Takes a network through all steps, block by block, each on what the blocks before it really deliver.

Two streams run side by side: `exact`, the float network, and `found`, the network on grids with rounded weights. A
part's zero points and scales come first (they are exact, so `exact` does not move), then its input's limit, then its
weights against the input on its grid, then the bias.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

from edgemoe.spec.calibration import Range
from edgemoe.spec.model import ModelConfig
from edgemoe_golden.quantising.attention import quantise_attention, rewrite_norm_of
from edgemoe_golden.quantising.limits import Grid
from edgemoe_golden.quantising.mixture import quantise_experts
from edgemoe_golden.quantising.mlp import quantise_mlp
from edgemoe_golden.quantising.observed import RESIDUAL_MARGIN
from edgemoe_golden.quantising.options import Options
from edgemoe_golden.quantising.rewrites import State, without_key_bias
from edgemoe_golden.quantising.work import Frames, Rule, Work
from edgemoe_golden.ranges import Histogram, widened_range

Progress = Callable[[], None]


def quantise_network(
    config: ModelConfig,
    state: State,
    frames: Frames,
    residual: Histogram,
    options: Options,
    rule: Rule,
    unseen: Frames = (),
    progress: Progress = lambda: None,
) -> Work:
    """Run all steps on pictures [H, W, channels]; `result` and `state` of what comes back then hold what was found.

    state: float tensors of the checkpoint, left as they are. residual: distribution of the residual stream in the float
    network. rule: range of a tensor without the step `ranges`. unseen: pictures that only pass through. progress:
    called once per block and head.
    """
    state = dict(state)
    without_key_bias(state, config.depth)
    with torch.inference_mode():
        work = Work(config, state, frames, options, rule, unseen)
        work.residual = Grid(16, _keep(work, "residual", residual).high)
        for index in range(config.depth):
            work.before = work.exact, work.found
            quantise_attention(work, index)
            (quantise_experts if index in config.moe_blocks else quantise_mlp)(work, index)
            if unseen:
                work.unseen_db.append(work.decibels(learned=False))
            progress()
        for index in range(len(config.tasks)):
            _head(work, index)
            progress()
    return work


def _keep(work: Work, tensor: str, seen: Histogram) -> Range:
    """Range of a tensor that has 16 bits in any case."""
    found = widened_range(seen, RESIDUAL_MARGIN)
    work.result.ranges[tensor] = work.result.wide[tensor] = found
    work.result.histograms[tensor] = seen
    return found


def _head(work: Work, index: int) -> None:
    """LayerNorm and linear layer of one task, on that task's streams and the rows that the head reads."""
    task = work.config.tasks[index].name
    name, (first, count) = f"heads.{task}", work.config.head_rows(task)
    whole = work.exact, work.found, work.picture, work.learned
    own = work.task.view(work.exact.shape[:2])[:, 0] == index
    work.exact, work.found = (each[own, first : first + count] for each in whole[:2])
    work.picture, work.learned = (
        each.view(whole[0].shape[:2])[own, first : first + count].flatten() for each in whole[2:]
    )
    multiple = rewrite_norm_of(work, f"{name}.norm", f"{name}.linear")
    exact, found = work.normalised(f"{name}.norm")
    weight, bias = work.state[f"{name}.linear.weight"], work.state[f"{name}.linear.bias"]
    grid = work.grid(f"{name}.norm", work.sample(found), lambda rows: rows @ weight.T, multiple=multiple)
    output = work.linear(f"{name}.linear", grid(found), grid, functional.linear(exact, weight, bias))
    seen = Histogram()
    seen.add(output[work.learned].numpy())
    _keep(work, f"{name}.output", seen)
    work.exact, work.found, work.picture, work.learned = whole
