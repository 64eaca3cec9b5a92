"""What the quantiser's steps are worth on weights that nobody here trained: `python -m benchmarks.numbers DENSE A B`.

Edge-MoE's dense weights (folder DENSE) with seeded stand-in experts are calibrated on the pictures of folder A; the
integers run on those of folder B, every step added to the ones before it. Routing and residual stream are compared with
the float network's.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from tabulate import tabulate
from tqdm import tqdm

from benchmarks.stand_in import edge_moe
from edgemoe.compiler.quantise import quantise
from edgemoe.compiler.quantised import QuantisedModel
from edgemoe.spec.calibrated import merged
from edgemoe.spec.calibration import calibrated_tensors, mixable_activations, mixable_layers
from edgemoe.spec.files import write_text
from edgemoe.spec.precision import W8A8, W16A16
from edgemoe.spec.terminal import accept_all_text
from edgemoe_golden.budget.fidelity import Reference, fidelity, references
from edgemoe_golden.model import M3ViT, load_checkpoint_model
from edgemoe_golden.quantising.observed import (
    DEFAULT_RULE,
    Histograms,
    calibration_of,
    coarse_range,
    fine_range,
    observe,
)
from edgemoe_golden.quantising.options import STEPS, Options
from edgemoe_golden.quantising.output import calibration_of as calibration_of_work
from edgemoe_golden.quantising.output import tensors_of
from edgemoe_golden.quantising.pictures import Frames, model_frames
from edgemoe_golden.quantising.quantiser import quantise_network

REPORT = Path("build/reports/numbers.json")


@dataclass(frozen=True)
class Row:
    """One setting: SQNR of the residual stream after the last block, mean and of the worst picture and task, in dB;
    tokens whose experts are the float network's, over all gates and at the first, in %.
    """

    setting: str
    sqnr_db: float
    worst_db: float
    same_experts: float
    first_gate: float


@dataclass(frozen=True)
class Network:
    """A float model, the pictures to calibrate on, what it did with them, and the references to compare with."""

    model: M3ViT
    frames: Frames
    seen: Histograms
    references: list[Reference]

    def plain(self, setting: str, fine: bool = False) -> Row:
        """Ranges by rule, weights to the nearest."""
        config, calibration = self.model.config, calibration_of(self.model.config, self.seen, "", DEFAULT_RULE)
        tensors = {name: value.numpy() for name, value in self.model.state_dict().items()}
        return self._row(setting, quantise(config, tensors, calibration, W16A16 if fine else W8A8))

    def stepped(self, setting: str, options: Options) -> Row:
        """By the quantiser's steps."""
        config, state = self.model.config, dict(self.model.state_dict())
        work = quantise_network(
            config,
            state,
            self.frames,
            self.seen["residual"],
            options,
            lambda name, seen: coarse_range(name, seen, DEFAULT_RULE),
        )
        fine = {name: fine_range(name, self.seen[name]) for name in calibrated_tensors(config)}
        scores = {name: span for name, span in fine.items() if name.endswith(".scores")}
        calibration = calibration_of_work(work, scores, fine, "", "")
        tensors = {name: value.numpy() for name, value in state.items()}
        calibrated = merged(config, tensors, calibration, tensors_of(work))
        return self._row(setting, quantise(config, tensors, calibration, W8A8, calibrated))

    def _row(self, setting: str, model: QuantisedModel) -> Row:
        found = fidelity(model, self.references)
        return Row(setting, found.sqnr_db, found.worst_db, 100 * found.same_experts, 100 * found.first_gate)


def rows(of: Network) -> Iterator[Row]:
    """Today's recipes, then step by step, then the same steps with other widths."""
    config = of.model.config
    yield of.plain("W16A16", fine=True)
    yield of.plain("W8A8, ranges by rule, nearest")
    for count, step in enumerate(STEPS, 1):
        yield of.stepped(f"+ {step}", Options(frozenset(list(STEPS)[:count])))
    wide, narrow = frozenset(mixable_activations(config)), frozenset(mixable_layers(config)) - {"patch_embed"}
    yield of.stepped("all activations 16", Options(wide=wide))
    experts = frozenset(name for name in narrow if name.endswith(".experts"))
    for name, layers in {"experts": experts, "all layers": narrow}.items():
        for step in ("nearest", "gptq"):
            steps = frozenset(STEPS) - ({"gptq"} if step == "nearest" else frozenset())
            yield of.stepped(f"{name} W4, {step}", Options(steps, narrow=layers))


def main() -> None:
    """Print the table; write build/reports/numbers.json."""
    accept_all_text()
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("dense", type=Path, help="folder of Edge-MoE's dense weights, *.float32.bin")
    parser.add_argument("calibration", type=Path, help="folder of pictures to calibrate on")
    parser.add_argument("others", type=Path, help="folder of other pictures, to compare on")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        model = load_checkpoint_model(edge_moe(options.dense, Path(folder)))
    frames = model_frames(model.config, [options.calibration])
    others = model_frames(model.config, [options.others])
    of = Network(model, frames, observe(model, frames, len(frames)), references(model, others))
    found = list(tqdm(rows(of), desc="settings"))
    heads = ("setting", "SQNR dB", "least", "same experts %", "first gate %")
    print(tabulate([tuple(asdict(row).values()) for row in found], heads, "plain", floatfmt=".2f"))
    report = {"edge_moe": {"calibrated_on": len(frames), "compared_on": len(others), "rows": list(map(asdict, found))}}
    write_text(REPORT, json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
