"""Edge-MoE's own arithmetic as released (ICCAD 2023), bit for bit: the yardstick for ours.

    machine = EdgeMoe.from_checkpoint(Path("models/mini"))
    frame = machine.run(picture, "semseg", trace=True)
    to_real(frame.layers[3]["norm1"])

Written from notes on what the released sources compute, not from them; docs/evidence/arithmetic_comparison.md has every
rule.
"""

from edgemoe_golden.edge_moe.elementary import UndefinedError
from edgemoe_golden.edge_moe.experts import FullQueue, TopK
from edgemoe_golden.edge_moe.fixed import to_real
from edgemoe_golden.edge_moe.model import EdgeMoe, Frame, Options
from edgemoe_golden.edge_moe.weights import Weights, fixed_weights, load_raw_weights, load_weights

__all__ = [
    "EdgeMoe",
    "Frame",
    "FullQueue",
    "Options",
    "TopK",
    "UndefinedError",
    "Weights",
    "fixed_weights",
    "load_raw_weights",
    "load_weights",
    "to_real",
]
