"""Proofs of sim/formal hold, each property kills its mutant, and no assertion of a harness belongs to none of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from sim.formal.__main__ import PROOFS
from sim.formal.proof import Bounded, Mutant, Proof, Property
from sim.formal.prover import FOLDER, PRECONDITIONS, ProverError, kill, mutated, prove

REPEAT = "repeat it by `python -m sim.formal {0}`, which leaves the trace in build/formal/{0}.vcd"
LABEL = re.compile(r"\b(\w+): assert \(")


def marked(proof: Proof) -> list[pytest.MarkDecorator]:
    return [pytest.mark.slow] if proof.slow else []


def kills() -> Iterator[Any]:
    for proof in PROOFS:
        for one in proof.properties:
            yield pytest.param(proof, one, marks=marked(proof), id=f"{proof.name}-{one.label}")


@pytest.mark.parametrize("proof", [pytest.param(one, marks=marked(one), id=one.name) for one in PROOFS])
def test_properties_hold(proof: Proof) -> None:
    failed = prove(proof).failed
    assert not failed, f"{', '.join(failed)}: {REPEAT.format(proof.name)}"


@pytest.mark.parametrize(("proof", "one"), list(kills()))
def test_a_property_kills_its_mutant(proof: Proof, one: Property) -> None:
    """Also shows that the assumptions do not contradict each other: then every mutant would live."""
    assert kill(proof, one).failed == (one.label,), f"{one.mutant} lives; {REPEAT.format(proof.name)}"


def test_names_are_unique() -> None:
    assert len({proof.name for proof in PROOFS}) == len(PROOFS)


@pytest.mark.parametrize(
    "mutant", [one.mutant for proof in PROOFS for one in proof.properties], ids=lambda one: one.new
)
def test_a_mutant_changes_one_line(mutant: Mutant) -> None:
    mutated(mutant)  # the line is there, and once
    old, new = mutant.old.split("\n"), mutant.new.split("\n")
    assert len(old) - len(new) <= 1
    assert sum(a != b for a, b in zip(old, new, strict=False)) == 1


@pytest.mark.parametrize("harness", sorted({proof.harness for proof in PROOFS}))
def test_every_assertion_belongs_to_a_proof(harness: str) -> None:
    proofs = [proof for proof in PROOFS if proof.harness == harness]
    files = {harness, *(name for proof in proofs for name in proof.beside)}
    written = {label for name in files for label in LABEL.findall((FOLDER / f"{name}.v").read_text(encoding="utf-8"))}
    used = {one.label for proof in proofs for one in proof.properties} | {
        label for proof in proofs for label in proof.invariants
    }
    assert used - {PRECONDITIONS} == written


def test_every_harness_has_a_proof() -> None:
    assert {path.stem for path in FOLDER.glob("*_proof.v")} == {proof.harness for proof in PROOFS}


PROOF = next(proof for proof in PROOFS if proof.harness == "fifo_proof")


def test_a_label_that_is_not_there_is_named() -> None:
    with pytest.raises(ProverError, match="fifo_proof has no assertion never_written"):
        prove(replace(PROOF, invariants=("never_written",)))


def test_a_harness_that_yosys_refuses_is_an_error() -> None:
    with pytest.raises(ProverError, match=r"Yosys: .*no_such"):
        prove(replace(PROOF, parameters={"no_such": 1}))


def test_a_line_that_is_not_there_is_named() -> None:
    with pytest.raises(ProverError, match=r"rtl/parts/fifo\.v has 0 times 'no such line', 1 expected"):
        mutated(Mutant("parts/fifo.v", "no such line", ""))


def test_contradicting_assumptions_let_the_mutant_live() -> None:
    """Within one cycle nothing can go wrong: so it would be with assumptions that no cycle fulfils."""
    hasty = replace(PROOF, method=Bounded(1))
    assert kill(hasty, replace(PROOF.properties[0], cycles=1)).failed == ()
