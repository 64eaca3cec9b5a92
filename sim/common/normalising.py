"""LAYERNORM beside the sequencer, in its bench: rows that it writes, and two passes of the layer that reads them."""

from __future__ import annotations

import numpy as np

from edgemoe.compiler.beside import Normalised
from edgemoe.compiler.cycles import consumed_bytes
from edgemoe.spec.hardware import VECTOR
from edgemoe.spec.isa import STREAM_LINE, Instruction
from edgemoe.spec.machine import Fetch, PassKind
from sim.common.machine import CONFIG, FETCH, PASS, SIZES, TOKEN_PAR

GROUP = CONFIG.layernorm_lanes // VECTOR
PACES = (1, 3, 12, 40)  # cycles of a group


class Normalising:
    """Rows of the LAYERNORM that was started last, cycle by cycle."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._rows: Normalised | None = None
        self._groups: list[int] = []  # cycles in which each is written
        self._from = 0

    def start(self, i: Instruction, busy_from: int) -> None:
        """It begins, and says so from a cycle on."""
        begin = i.destination_row - i.source_row % GROUP
        count = -(-(i.destination_row + i.rows - begin) // GROUP)
        self._rows = Normalised(i.destination_row, i.destination_row + i.rows, begin, GROUP, 0, 0.0)
        pace = int(self._rng.choice(PACES))
        paces = self._rng.integers(1, 2 * pace, count)
        self._groups = (busy_from + int(self._rng.integers(1, 60)) + np.cumsum(paces)).tolist()
        self._from = busy_from

    def busy(self, now: int) -> bool:
        """In this cycle."""
        return self._rows is not None and self._from <= now <= self._groups[-1]

    def written(self, now: int) -> int:
        """All rows before this one are written. It may be negative: LAYERNORM begins with a whole group."""
        assert self._rows is not None
        return self._rows.begin + GROUP * sum(when < now for when in self._groups)

    def lets(self, i: Instruction) -> bool:
        """Whether the instruction may begin while it works."""
        lines = consumed_bytes(i, CONFIG) // STREAM_LINE - 1
        return self._rows is not None and self._rows.lets(i, lines, SIZES)


class Passes:
    """Fetches and passes of one layer: two passes over the same weights are taken for the one that they stand for."""

    def __init__(self) -> None:
        self._kept: dict[str, int] | None = None
        self._first: dict[str, int] | None = None

    def fetch(self, word: int) -> int | None:
        """The fetch that it stands for; None for the second one of the same weights."""
        fields = FETCH.unpack(word)
        if fields["kind"] == Fetch.AGAIN:
            assert self._first is not None, "weights are taken again before the first pass"
            assert fields == {**(self._kept or {}), "kind": Fetch.AGAIN}, "other weights are taken again"
            return None
        self._kept, self._first = (fields if fields["kind"] == Fetch.KEPT else None), None
        return FETCH.pack(**{**fields, "kind": Fetch.WEIGHTS}) if self._kept else word

    def make(self, word: int, written: int | None) -> tuple[int, bool]:
        """The pass that it stands for, and whether that is the one before. written: rows of NORM, if not all."""
        fields = PASS.unpack(word)
        reads = fields["kind"] in (PassKind.QKV, PassKind.GELU, PassKind.LOGITS, PassKind.HEAD)
        if written is not None and reads:
            assert fields["end_row"] <= written, f"a pass up to row {fields['end_row']}, {written} are written"
        if self._kept is None:
            return word, False
        if self._first is None:
            self._first = fields
            assert fields["end_row"] % TOKEN_PAR == 0, "the first of two passes has whole tiles"
            assert fields["end_row"] > fields["first_row"], "the first of two passes has no rows"
            return word, False
        first, self._kept = self._first, None
        behind = first["end_row"] - first["first_row"]
        destination = first["destination_row"] + behind
        assert fields["first_row"] == first["end_row"], "the second pass begins elsewhere"
        assert fields["end_row"] > fields["first_row"], "the second pass has no rows"
        assert fields["destination_row"] == destination, "the second pass goes elsewhere"
        whole = {**first, "end_row": fields["end_row"]}
        assert {**fields, **{name: whole[name] for name in ("first_row", "destination_row")}} == whole, "another pass"
        return PASS.pack(**whole), True
