"""What each technique is worth: the machine with one of them replaced, and the ladder from none to all.

`counted`: by the RTL engine, or by synthesis for areas; `scaled`: a part of the frame, times. `modelled`: by a formula
of benchmarks.ablation_models, which stands beside the figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.ablation_area import ARRAY_MODULES, Area
from benchmarks.ablation_gelu import GeluUnit
from benchmarks.ablation_models import (
    CYCLES_FORMULA,
    PLAIN_EXTRA_FORMULA,
    SEPARATE_UNITS,
    SWEEP_FORMULA,
    THREE_PASS_SWEEPS,
    TOKEN_BY_TOKEN_FORMULA,
    Attention,
    token_by_token_bytes,
    token_by_token_cycles,
)
from benchmarks.ablation_reads import Reads
from benchmarks.rtl_frames import Frame
from edgemoe.spec.isa import Opcode

COUNTED, SCALED, MODELLED = "counted", "counted, scaled", "modelled"
PAPER_LADDER_MS = (650.3, 433.4, 353.4, 212.9, 104.3, 34.6)  # Edge-MoE, Table V, cumulative
TECHNIQUES = (
    "expert-by-expert (patch) reordering",
    "single-pass softmax",
    "GELU as ReLU − δ",
    "one unified compute unit",
    "attention reordering",
)


@dataclass(frozen=True)
class Variant:
    """The machine with one technique replaced by something else.

    cycles, bytes_read: of one frame. cycles_kind: counted, counted and scaled, or modelled. how: what was run, or the
    formula. area: what changes, by resource (LUT, FF, DSP, BRAM36; bytes of buffers), None when it is not known.
    also: further figures by name.
    """

    technique: str
    instead: str
    cycles: int
    cycles_kind: str
    bytes_read: int
    how: str
    area: dict[str, float] | None = None
    area_how: str = ""
    also: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Rung:
    """One step of the ladder. counted: the part of the cycles that an RTL run gives; modelled: what formulas add."""

    rung: str
    counted: int
    modelled: int
    paper_ms: float

    @property
    def cycles(self) -> int:
        """Both."""
        return self.counted + self.modelled


@dataclass(frozen=True)
class Runs:
    """What was run on the RTL engine. tokens: how many tokens took their experts one by one in `token_by_token`."""

    whole: Frame
    quarter: Frame
    token_by_token: Frame
    tokens: int


def spent(frame: Frame, *opcodes: Opcode) -> tuple[int, int]:
    """(cycles, bytes read) of these kinds of instructions."""
    pairs = zip(frame.program.instructions, frame.instructions, strict=True)
    chosen = [counted for instruction, counted in pairs if instruction.opcode in opcodes]
    return sum(each.cycles for each in chosen), sum(each.bytes_read for each in chosen)


def spent_alone(runs: Runs) -> tuple[int, int]:
    """(cycles, bytes read) of GATE and EXPERTS of the tokens that went one by one."""
    alone = [each for each in runs.token_by_token.instructions if " of 1 from " in each.label][: 2 * runs.tokens]
    return sum(each.cycles for each in alone), sum(each.bytes_read for each in alone)


def variants(runs: Runs, units: Sequence[GeluUnit], reads: Sequence[Reads], area: Area | None) -> list[Variant]:
    """Each technique alone switched off."""
    base, manifest = runs.whole, runs.whole.program.manifest
    model, hardware = manifest.model, manifest.hardware
    attention = Attention.of(model, hardware)
    read = base.counters["bytes_read"]
    usual, usual_bytes = spent(base, Opcode.GATE, Opcode.EXPERTS)
    alone, alone_bytes = spent_alone(runs)
    times = model.tokens * len(model.moe_blocks)
    floor, floor_bytes = token_by_token_cycles(model, hardware), token_by_token_bytes(model, hardware)
    experts_cycles, experts_bytes = spent(base, Opcode.EXPERTS)
    three_pass = THREE_PASS_SWEEPS * attention.sweep_cycles()
    delta, table, polynomial = units
    lanes = hardware.post_lanes
    here = next(r for r in reads if (r.token_par, r.tokens) == (hardware.token_par, model.tokens))
    kept = f"× {times} tokens of {len(model.moe_blocks)} blocks / {runs.tokens}"
    return [
        Variant(
            TECHNIQUES[0], "token by token, speculative prefetch",
            base.cycles - usual + alone * times // runs.tokens, SCALED,
            read - usual_bytes + alone_bytes * times // runs.tokens,
            f"program with one GATE and one EXPERTS per token, {runs.tokens} tokens of the first MoE block, {kept}",
        ),
        Variant(
            TECHNIQUES[0], "token by token, prefetch that knows the experts",
            base.cycles - experts_cycles + floor, MODELLED, read - experts_bytes + floor_bytes,
            TOKEN_BY_TOKEN_FORMULA,
        ),
        Variant(
            TECHNIQUES[1], "three passes: maximum, exponentials, division", base.cycles + three_pass, MODELLED, read,
            f"{THREE_PASS_SWEEPS} · ({SWEEP_FORMULA}); an upper bound, much of it can hide",
            also={"score words read": (1 + THREE_PASS_SWEEPS) * attention.score_reads(),
                  "score words read, single pass": attention.score_reads()},
        ),
        Variant(
            TECHNIQUES[1], "the paper's running sum with correction", base.cycles, MODELLED, read,
            "each exponential is made twice, for the sum as scores arrive and again for P·V; no cycle more if there "
            "are as many units again, out_par per lane",
            area=area.times("exponential", hardware.out_par * hardware.token_par) if area else None,
            area_how="LUT, FF and DSP of `exponential` × out_par × token_par",
            also={"exponentials made": 2 * attention.exponentials(),
                  "exponentials made, single pass": attention.exponentials()},
        ),
        Variant(
            TECHNIQUES[2], f"wide table of equal error, {table.entries} entries of {table.entry_bits} bits",
            base.cycles, MODELLED, read, "as many lanes, each one value a cycle: no cycle changes",
            area=_difference(table, delta, lanes), area_how=f"Yosys, one lane × {lanes}",
        ),
        Variant(
            TECHNIQUES[2], "polynomial (I-BERT)", base.cycles, MODELLED, read,
            "as many lanes, each one value a cycle: no cycle changes",
            area=_difference(polynomial, delta, lanes), area_how=f"Yosys, one lane × {lanes}",
        ),
        Variant(
            TECHNIQUES[3], f"{SEPARATE_UNITS} units, together as many multipliers", runs.quarter.cycles, COUNTED,
            runs.quarter.counters["bytes_read"],
            f"one frame on a shape with 1/{SEPARATE_UNITS} of the array, as one unit works at a time",
        ),
        Variant(
            TECHNIQUES[3], f"{SEPARATE_UNITS} units, each as large", base.cycles, MODELLED, read,
            "no cycle changes, as one unit works at a time",
            area=area.array(SEPARATE_UNITS - 1) if area else None,
            area_how=f"{', '.join(ARRAY_MODULES)} × {SEPARATE_UNITS - 1}, as in area.json",
        ),
        Variant(
            TECHNIQUES[4], "lanes do not hand keys on, same buffers", base.cycles + attention.plain_extra(), MODELLED,
            read, f"{PLAIN_EXTRA_FORMULA}; {CYCLES_FORMULA}",
            also={"vectors read per step": here.plain_per_step, "vectors read per step, reordered": here.per_step},
        ),
        Variant(
            TECHNIQUES[4], "lanes do not hand keys on, a copy of keys and values each", base.cycles, MODELLED, read,
            "no cycle changes",
            area={"buffer bytes": 2.0 * (hardware.token_par - 1) * hardware.row_elements
                  * hardware.numbers.activation_bytes},
            area_how="(token_par − 1) · 2 · row_elements",
        ),
    ]  # fmt: skip


def _difference(unit: GeluUnit, instead_of: GeluUnit, lanes: int) -> dict[str, float]:
    names = {"LUT": "lut", "FF": "ff", "DSP": "dsp", "BRAM36": "bram36"}
    return {name: lanes * (getattr(unit, key) - getattr(instead_of, key)) for name, key in names.items()}


def ladder(runs: Runs) -> list[Rung]:
    """From none to all in the paper's order; GELU's technique costs area, not cycles, in our machine.

    Without patch reordering experts take what memory needs for them at least, so the first rung is a lower bound.
    """
    model, hardware = runs.whole.program.manifest.model, runs.whole.program.manifest.hardware
    rungs = []
    for reached in range(len(TECHNIQUES) + 1):
        frame = runs.whole if reached >= 4 else runs.quarter
        shape = frame.program.manifest.hardware
        attention, counted, added = Attention.of(model, shape), frame.cycles, 0
        if reached < 1:
            counted -= spent(frame, Opcode.EXPERTS)[0]
            added += token_by_token_cycles(model, hardware)
        if reached < 2:
            added += THREE_PASS_SWEEPS * attention.sweep_cycles()
        if reached < 5:
            added += attention.plain_extra()
        name = f"+ {TECHNIQUES[reached - 1]}" if reached else "none of the five"
        rungs.append(Rung(name, counted, added, PAPER_LADDER_MS[reached]))
    return rungs


def checks(runs: Runs) -> list[dict[str, object]]:
    """What the models say of the machine as it is, beside what the RTL counts."""
    found: list[dict[str, object]] = []
    for name, frame in (("whole array", runs.whole), ("quarter of the array", runs.quarter)):
        manifest = frame.program.manifest
        modelled = Attention.of(manifest.model, manifest.hardware).cycles()
        found.append({"what": f"ATTENTION, {name}", "modelled": modelled, "counted": spent(frame, Opcode.ATTENTION)[0]})
    return found
