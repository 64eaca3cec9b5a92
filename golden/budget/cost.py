"""What widths cost: predicted cycles of one frame with some activations on 16 bits and some weights on 4."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from edgemoe.compiler.cycles import cycles_of
from edgemoe.compiler.quantised import QuantisedBlock, QuantisedFeedForward, QuantisedModel, QuantisedMoe, QuantisedNorm
from edgemoe.compiler.schedule import schedule
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.memory import LinearWeights


def frame_cycles(
    model: QuantisedModel,
    tasks: Sequence[str],
    hardware: HardwareConfig,
    wide: Collection[str] = (),
    narrow: Collection[str] = (),
) -> int:
    """Cycles of one frame, tokens spread evenly over the experts; the integers of `model` play no part."""
    steps = schedule(_with_widths(model, wide, narrow), tasks, hardware)
    return sum(each.cycles for each in cycles_of([step.instruction for step in steps], hardware))


def _with_widths(model: QuantisedModel, wide: Collection[str], narrow: Collection[str]) -> QuantisedModel:
    """The same network with other flags; its weights and scales stay, so it is fit for a schedule only."""

    def layer(weights: LinearWeights, name: str) -> LinearWeights:
        return replace(weights, narrow=name in narrow)

    def norm(own: QuantisedNorm, name: str) -> QuantisedNorm:
        return replace(own, wide=name in wide)

    def pair(layers: QuantisedFeedForward, up: str, down: str) -> QuantisedFeedForward:
        return QuantisedFeedForward(layer(layers.up, up), layer(layers.down, down))

    def block(own: QuantisedBlock, name: str) -> QuantisedBlock:
        mlp = own.mlp
        if isinstance(mlp, QuantisedMoe):
            experts = tuple(pair(each, f"{name}.experts", f"{name}.experts") for each in mlp.experts)
            mlp = replace(mlp, experts=experts)
        else:
            mlp = pair(mlp, f"{name}.fc1", f"{name}.fc2")
        attention = replace(
            own.attention,
            qkv=layer(own.attention.qkv, f"{name}.qkv"),
            projection=layer(own.attention.projection, f"{name}.proj"),
            wide=f"{name}.qkv" in wide,
            wide_output=f"{name}.attention" in wide,
        )
        hidden = replace(own.hidden, wide=f"{name}.hidden" in wide)
        norms = norm(own.norm1, f"{name}.norm1"), norm(own.norm2, f"{name}.norm2")
        return QuantisedBlock(norms[0], attention, norms[1], hidden, mlp)

    heads = {
        task: replace(own, norm=norm(own.norm, f"heads.{task}.norm"), linear=layer(own.linear, f"heads.{task}.linear"))
        for task, own in model.heads.items()
    }
    blocks = tuple(block(own, f"blocks.{index}") for index, own in enumerate(model.blocks))
    return replace(model, patch_embed=layer(model.patch_embed, "patch_embed"), blocks=blocks, heads=heads)
