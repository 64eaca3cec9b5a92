"""The examples of tests/host for the benches of the control units: small hardware, programs, legal and illegal
instructions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from edgemoe.spec.faults import Fault
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.legality import static_fault
from edgemoe.spec.strict import to_dict
from sim.common.runner import CACHE
from tests.examples import machine as machine_examples
from tests.host import test_legality

INPUT_BYTES, OUTPUT_BYTES = machine_examples.INPUT_BYTES, machine_examples.OUTPUT_BYTES
LEGAL = test_legality.LEGAL
encoded, image, program = machine_examples.encoded, machine_examples.image, machine_examples.program
Words = NDArray[np.uint32]


def small_hardware(precision: str) -> Path:
    """A JSON file of the machine examples' hardware."""
    text = json.dumps(to_dict(machine_examples.small_hardware(precision)), indent=2)
    path = CACHE / f"small-{precision}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def legality_examples() -> dict[str, list[Words]]:
    """Every instruction, 16 words, that a test of tests/host/test_legality.py looks at, each once, by test."""
    seen: dict[bytes, tuple[str, Words]] = {}
    examples: dict[str, list[Words]] = {}

    def recording(words: Words, hardware: HardwareConfig, input_bytes: int, output_bytes: int) -> Fault:
        seen.setdefault(words.tobytes(), (name, words.copy()))
        return static_fault(words, hardware, input_bytes, output_bytes)

    with patch.object(test_legality, "static_fault", recording):
        for name, function in vars(test_legality).items():
            if name.startswith("test_"):
                for arguments in _arguments(function):
                    function(*arguments)
    for name, words in seen.values():
        examples.setdefault(name, []).append(words)
    return examples


def _arguments(function: Any) -> Iterator[tuple[Any, ...]]:
    """What pytest would call a test with: its one parametrisation."""
    marks = [mark for mark in getattr(function, "pytestmark", []) if mark.name == "parametrize"]
    if not marks:
        yield ()
        return
    names, values = marks[0].args[:2]
    several = not isinstance(names, str) or "," in names
    for value in values:
        yield tuple(value) if several else (value,)
