"""LayerNorm 2 and the experts of one block: rewrites, grids, rounding with balanced tokens."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from edgemoe_golden.model.layers import ACTIVATIONS
from edgemoe_golden.quantising.attention import error
from edgemoe_golden.quantising.equalise import Once, Rewrite, best_rewrite, nearest_weights
from edgemoe_golden.quantising.experts import balanced_moment, own_share, second_moment
from edgemoe_golden.quantising.limits import Grid, Reader, Sample, on_grid
from edgemoe_golden.quantising.network import Routes, experts_sum, per_expert, routed
from edgemoe_golden.quantising.rewrites import rewrite_norm
from edgemoe_golden.quantising.work import Work, steady_mean

LAYER_ROWS = 2048
"""Rows of a layer that stand for all of them in an expert's matrix."""


@dataclass(frozen=True)
class Queues:
    """Routes of all rows, and of those that statistics are taken of: `kept` marks them, `learned` are their routes."""

    routes: Routes
    kept: Tensor
    learned: Routes
    picture: Tensor

    def sample(self, routed_rows: Tensor) -> Sample:
        """Rows to take statistics of, expert by expert."""
        return Sample(routed_rows[self.kept], self.picture, self.learned.row)

    def reader(self, weight: Tensor) -> Reader:
        """What every expert's linear layer makes of its sample; weight [E, outputs, inputs]."""
        return lambda rows: per_expert(rows, self.learned, weight)


def quantise_experts(work: Work, index: int) -> None:
    """All steps of one block's mixture of experts; adds its output to both streams."""
    name, tensor, state = f"backbone.blocks.{index}", f"blocks.{index}", work.state
    up, down = f"{name}.mlp.experts.htoh4", f"{name}.mlp.experts.h4toh"
    multiple = _rewrite_norm(work, index, up)
    exact, found = work.normalised(f"{name}.norm2")
    gated = work.gated(exact, found)
    first, second = ((state[f"{layer}.weight"], state[f"{layer}.bias"]) for layer in (up, down))

    routes = routed(work.config, state, index, gated[0], work.task)
    activation = ACTIVATIONS[work.config.activation]
    hidden = activation(per_expert(exact[routes.row], routes, *first))
    exact_update = experts_sum(len(exact), routes, per_expert(hidden, routes, *second))

    queues = _queues(work, index, gated[1])
    unreached = [expert for expert in range(work.config.experts) if not queues.learned.count(expert)]
    if unreached:
        work.result.unreached[index] = unreached
    rows = found[queues.routes.row]
    grid = work.grid(f"{tensor}.norm2", queues.sample(rows), queues.reader(first[0]), multiple=multiple)
    wanted = per_expert(rows, queues.routes, *first)
    learned = grid(found[work.learned])
    some = learned[torch.linspace(0, len(learned) - 1, min(len(learned), LAYER_ROWS)).long()]
    inner, of_layer = _rounded(work, up, queues, grid, grid(rows), wanted, [some] * work.config.experts)
    hidden = activation(inner)
    sample = queues.sample(hidden)
    grid = work.grid(f"{tensor}.hidden", sample, queues.reader(second[0]), sample.lowest())
    of_layer = [grid(activation(each)) for each in of_layer]
    wanted = per_expert(activation(wanted), queues.routes, *second)
    output, _ = _rounded(work, down, queues, grid, grid(hidden), wanted, of_layer)
    work.add(exact_update, experts_sum(len(found), queues.routes, output))


def _queues(work: Work, index: int, rows: Tensor) -> Queues:
    routes = routed(work.config, work.state, index, rows, work.task)
    kept = work.learned[routes.row]
    counts = [int(kept[routes.of(expert)].sum()) for expert in range(work.config.experts)]
    first = torch.tensor([0, *counts]).cumsum(0)
    learned = Routes(routes.row[kept], routes.score[kept], tuple(first.tolist()))
    return Queues(routes, kept, learned, work.picture[learned.row])


def _rewrite_norm(work: Work, index: int, up: str) -> float | None:
    """Scales of a LayerNorm that gates may read too, which keeps its zero point at 0; the headroom with it."""
    if not work.does("equalise"):
        return None
    norm = f"backbone.blocks.{index}.norm2"
    gates = [f"backbone.blocks.{index}.mlp.gate.{task}.w_gate" for task in range(len(work.config.tasks))]
    readers = [up] if work.config.gate_input_ahead else [up, *gates]
    exact, found = work.normalised(norm)
    gated = work.gated(exact, found)[1]
    weight, limit = work.state[f"{up}.weight"], work.options.weight_limit(up)
    meeting, bits = weight.abs().amax((0, 1)), work.options.activation_bits(f"blocks.{index}.norm2")

    once: Once[tuple[Routes, Sample, Tensor]] = Once()

    def exactly(judge: Sample) -> tuple[Routes, Sample, Tensor]:
        routes = routed(work.config, work.state, index, gated[judge.row], work.task[judge.row])
        rows = Sample(judge.values[routes.row], judge.picture[routes.row], judge.row[routes.row])
        return routes, rows, per_expert(rows.values, routes, weight)

    def trial(learn: Sample, judge: Sample, made: Rewrite) -> float:
        routes, rows, wanted = once(lambda: exactly(judge), judge)
        on_its_grid = on_grid(made(rows.values), made.limit(learn.values), None, bits)
        return error(per_expert(on_its_grid, routes, nearest_weights(weight * made.scale, limit)), wanted, rows)

    sample = work.sample(found)
    made = best_rewrite(sample, lambda own: (own.values, meeting), trial, shifts=False, scales=True)
    rewrite_norm(work.state, norm, readers, made.shift, made.scale)
    return made.multiple


def _rounded(
    work: Work, layer: str, queues: Queues, grid: Grid, inputs: Tensor, target: Tensor, layer_rows: list[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """Round one layer of all experts and correct its biases; outputs [routed, outputs], and of the layer's rows.

    inputs, target: [routed, features], expert by expert. layer_rows: the layer's rows [rows, inputs] on their way
    through each expert.
    """
    weights, biases = work.state[f"{layer}.weight"], work.state[f"{layer}.bias"].clone()
    outputs, of_layer, integers = [], [], []
    shared = second_moment(layer_rows[0]) if layer_rows[0] is layer_rows[-1] and work.does("gptq") else None
    for expert in range(work.config.experts):
        own, count = queues.routes.of(expert), queues.learned.count(expert)
        kept, part, moment = queues.kept[own], inputs[own], None
        if count and work.does("gptq"):
            moment = second_moment(layer_rows[expert]) if shared is None else shared
            moment = balanced_moment(part[kept], queues.routes.score[own][kept], moment)
        rounded, weight = work.rounded(layer, weights[expert], biases[expert], moment, grid.step)
        output = functional.linear(part, weight, biases[expert])
        if count and work.does("biases"):
            pictures = work.picture[queues.routes.row[own]][kept]
            correction = own_share(count, 1) * steady_mean((target[own] - output)[kept], pictures)
            biases[expert] += correction
            output = output + correction
        outputs.append(output)
        of_layer.append(functional.linear(layer_rows[expert], weight, biases[expert]))
        integers.append(rounded)
    work.state[f"{layer}.bias"] = biases
    work.result.layers[layer] = integers
    return torch.cat(outputs), of_layer
