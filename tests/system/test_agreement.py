"""The integers follow the float model, instruction by instruction and at the end, within stated bounds.

Bounds, on the shipped checkpoint and four held-out scenes, errors adding up through the network: every stored buffer
keeps at least LEAST dB of signal over error, every head output OUTPUT dB, and the share of tokens whose set of experts
is the same over all MoE blocks is at least SAME. `python -m benchmarks.agreement` prints what is measured.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support import scene

from benchmarks.agreement import Agreement, agreement, subject
from edgemoe.spec.hardware import load_hardware_config
from edgemoe_golden.scenes import VALIDATION_SEEDS

LEAST = {"zcu102": 22.0, "zcu102_w16a16": 68.0}
OUTPUT = {"zcu102": 28.0, "zcu102_w16a16": 74.0}
SAME = {"zcu102": 0.97, "zcu102_w16a16": 0.998}
MINI = Path(__file__).resolve().parents[2] / "models" / "mini"


@pytest.fixture(scope="module", params=list(LEAST))
def measured(request: pytest.FixtureRequest) -> tuple[str, list[Agreement]]:
    of = subject(MINI, load_hardware_config(request.param))
    size = of.model.config.image_height, of.model.config.image_width
    found: list[Agreement] = []
    for task in of.model.config.tasks:
        for seed in VALIDATION_SEEDS[:4]:
            found += agreement(of, task.name, scene(*size, seed))
    return request.param, found


def test_every_instruction_stays_within_its_bound(measured: tuple[str, list[Agreement]]) -> None:
    hardware, records = measured
    worst = min((r for r in records if r.sqnr_db is not None), key=lambda r: r.sqnr_db or 0.0)
    assert worst.sqnr_db is not None
    assert worst.sqnr_db >= LEAST[hardware], worst


def test_head_outputs_stay_within_their_bound(measured: tuple[str, list[Agreement]]) -> None:
    hardware, records = measured
    outputs = [r for r in records if r.tensor.endswith(".output")]
    assert len(outputs) == 8
    assert min(r.sqnr_db or 0.0 for r in outputs) >= OUTPUT[hardware], outputs


def test_tokens_go_to_the_same_experts(measured: tuple[str, list[Agreement]]) -> None:
    hardware, records = measured
    shares = [r.same for r in records if r.sqnr_db is None]
    assert len(shares) == 24
    assert np.mean(shares) >= SAME[hardware]


def test_every_instruction_with_a_float_counterpart_is_compared(measured: tuple[str, list[Agreement]]) -> None:
    """Per task and scene: patch embed, nine records of each of six blocks, head norm and head."""
    _, records = measured
    assert len(records) == 8 * (1 + 6 * 9 + 2)
