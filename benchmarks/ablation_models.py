"""Stated models of what the RTL engine cannot be switched to: extra sweeps of softmax, lanes that do not hand keys on,
one token's experts after another. The formulas in words stand beside their figures in ablation.json.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.isa import STREAM_LINE
from edgemoe.spec.machine import QUERY_TILES
from edgemoe.spec.memory import linear_bytes, round_up
from edgemoe.spec.model import ModelConfig

THREE_PASS_SWEEPS = 3  # maximum; exponentials and their sum; division
SEPARATE_UNITS = 4  # patch embedding and heads; attention's linear layers; its two products; feed-forward layers

CYCLES_FORMULA = "layers · heads · tiles · Σ over blocks of max(query tiles of the block, fold · out_par / token_par)"
PLAIN_EXTRA_FORMULA = "cycles(fold = token_par) − cycles(fold = 1): each lane reads every tile for itself"
SWEEP_FORMULA = "layers · heads · query tiles · words: one sweep, a word per lane and cycle, nothing of it hidden"
TOKEN_BY_TOKEN_FORMULA = (
    "MoE blocks · tokens · top-k · bytes of an expert / bytes per cycle: memory never rests, nothing is in vain"
)


@dataclass(frozen=True)
class Attention:
    """Sizes of all ATTENTIONs of one frame of one task on one shape."""

    layers: int
    heads: int
    blocks: tuple[int, ...]  # tiles of queries in each block
    tiles: int  # right tiles per block and head, of keys and of values
    words: int  # of out_par scores, per query and head
    token_par: int
    out_par: int
    in_par: int

    @classmethod
    def of(cls, model: ModelConfig, hardware: HardwareConfig, tokens: int = 0) -> Attention:
        """For one task; tokens: other than the model's."""
        tokens, width = tokens or model.tokens, model.width // model.heads
        query_tiles = -(-tokens // hardware.token_par)
        keys = -(-tokens // hardware.out_par) * -(-width // hardware.in_par)
        values = -(-tokens // hardware.in_par) * -(-width // hardware.out_par)
        blocks = [min(QUERY_TILES, query_tiles - first) for first in range(0, query_tiles, QUERY_TILES)]
        words = -(-tokens // hardware.out_par)
        shape = (hardware.token_par, hardware.out_par, hardware.in_par)
        return cls(model.depth, model.heads, tuple(blocks), keys + values, words, *shape)

    def steps(self) -> int:
        """Steps of the array: layers · heads · tiles · query tiles."""
        return self.layers * self.heads * self.tiles * sum(self.blocks)

    def cycles(self, fold: int = 1) -> int:
        """CYCLES_FORMULA; fold: how often a tile is read.

        A tile of keys is out_par rows in token_par banks of one read port each.
        """
        supply = fold * self.out_par // self.token_par
        return self.layers * self.heads * self.tiles * sum(max(tiles, supply) for tiles in self.blocks)

    def plain_extra(self) -> int:
        """PLAIN_EXTRA_FORMULA."""
        return self.cycles(self.token_par) - self.cycles()

    def score_reads(self) -> int:
        """Words of out_par scores, each read once per query: layers · heads · query tiles · token_par · words."""
        return self.layers * self.heads * sum(self.blocks) * self.token_par * self.words

    def exponentials(self) -> int:
        """One for each score, those that fill up a word included: score_reads · out_par."""
        return self.score_reads() * self.out_par

    def sweep_cycles(self) -> int:
        """SWEEP_FORMULA."""
        return self.layers * self.heads * sum(self.blocks) * self.words


def expert_bytes(model: ModelConfig, hardware: HardwareConfig) -> int:
    """One expert in the weight stream, header included."""
    up = linear_bytes(model.expert_hidden, model.width, hardware)
    return STREAM_LINE + round_up(up + linear_bytes(model.width, model.expert_hidden, hardware), STREAM_LINE)


def token_by_token_bytes(model: ModelConfig, hardware: HardwareConfig) -> int:
    """MoE blocks · tokens · top-k · bytes of an expert."""
    return len(model.moe_blocks) * model.tokens * model.top_k * expert_bytes(model, hardware)


def token_by_token_cycles(model: ModelConfig, hardware: HardwareConfig) -> int:
    """TOKEN_BY_TOKEN_FORMULA."""
    return int(token_by_token_bytes(model, hardware) / Fraction(hardware.bytes_per_cycle))
