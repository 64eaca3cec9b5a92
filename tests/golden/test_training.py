"""Training can be cut at any moment, and learns."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edgemoe.spec.model import ModelConfig, load_model_config
from edgemoe_golden.model import M3ViT
from edgemoe_golden.scenes import LABELS, draw_scene
from edgemoe_golden.training import data
from edgemoe_golden.training.data import SceneStore, cells_of, training_batch
from edgemoe_golden.training.loop import STATE_FILE, Plan, train
from edgemoe_golden.training.losses import BalanceRecorder, depth_loss, segmentation_loss
from edgemoe_golden.training.processes import Processes


@pytest.fixture
def store(config: ModelConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SceneStore:
    monkeypatch.setattr(data, "CHUNK", 12)
    return SceneStore(tmp_path / "scenes", config, 12)


def test_cells_hold_the_shares_and_the_mean_of_their_pixels(config: ModelConfig) -> None:
    scene = draw_scene(2, config.image_height, config.image_width)
    cells = cells_of(scene, config)
    side = config.patch // config.head_cells
    assert cells.shares.shape == (
        config.grid_height * config.head_cells,
        config.grid_width * config.head_cells,
        len(LABELS),
    )
    assert (cells.shares.sum(-1) == side * side).all()
    corner = scene.label[side : 2 * side, :side]
    assert cells.shares[1, 0].tolist() == np.bincount(corner.ravel(), minlength=len(LABELS)).tolist()
    assert cells.inverse_depth[1, 0] == np.float16(scene.inverse_depth[side : 2 * side, :side].mean())


def test_a_resumed_run_gives_the_weights_of_an_uninterrupted_one(
    config: ModelConfig, store: SceneStore, tmp_path: Path
) -> None:
    plan = Plan(config, steps=6, batch=5, save_steps=3)
    whole, _ = train(plan, store, tmp_path / "whole")

    class CutError(Exception):
        pass

    class CutStore:
        """Breaks off in the middle of step 5, after the state of step 3 was written."""

        count = store.count

        def batch(self, indices: np.ndarray) -> data.Cells:
            self.asked = getattr(self, "asked", 0) + 1
            if self.asked == 5:
                raise CutError
            return store.batch(indices)

    with pytest.raises(CutError):
        train(plan, CutStore(), tmp_path / "cut")
    resumed, progress = train(plan, store, tmp_path / "cut")
    assert progress.step == 6
    for name, value in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value), name


def test_the_state_of_another_plan_is_refused(config: ModelConfig, store: SceneStore, tmp_path: Path) -> None:
    plan = Plan(config, steps=1, batch=2)
    train(plan, store, tmp_path)
    assert (tmp_path / STATE_FILE).is_file()
    with pytest.raises(ValueError, match=r"state of another training .* --restart"):
        train(replace(plan, seed=2), store, tmp_path)


def test_a_finished_run_continues_with_a_longer_budget_and_another_batch(
    config: ModelConfig, store: SceneStore, tmp_path: Path
) -> None:
    _, first = train(Plan(config, steps=2, batch=4), store, tmp_path)
    _, longer = train(Plan(config, steps=5, batch=2, rate=1e-3), store, tmp_path)
    assert (first.step, longer.step) == (2, 5)


def test_every_pass_shows_every_scene_once(store: SceneStore) -> None:
    batches = [training_batch(store, 1, step, 4).inverse_depth for step in range(6)]
    # Sums are the same for a mirrored scene up to the order of addition.
    passes = [torch.cat(batches[start : start + 3]).double().sum((1, 2, 3)) for start in (0, 3)]
    assert not torch.equal(passes[0], passes[1])
    torch.testing.assert_close(passes[0].sort().values, passes[1].sort().values)


def test_losses_vanish_at_the_truth() -> None:
    shares = torch.zeros(1, 7, 2, 2)
    shares[:, 3] = 1
    assert segmentation_loss(shares * 100, shares) < 1e-6
    assert segmentation_loss(-shares * 100, shares) > 50
    truth = torch.full((1, 1, 2, 2), 0.1)
    assert depth_loss(truth, truth) == 0


def test_balance_is_zero_for_even_experts_and_has_a_gradient_otherwise() -> None:
    even, uneven = BalanceRecorder(), BalanceRecorder()
    logits = torch.eye(4) * 3
    even.record("blocks.1.gate.logits", logits)
    even.record("blocks.1.gate.experts", torch.arange(4)[:, None])
    assert even.loss() < 1e-9
    skewed = (torch.eye(4)[[0, 0, 0, 1]] * 3).requires_grad_()
    uneven.record("blocks.1.gate.logits", skewed)
    uneven.record("blocks.1.gate.experts", torch.tensor([[0], [0], [0], [1]]))
    loss = uneven.loss()
    loss.backward()
    assert loss > 1
    assert skewed.grad[:, 0].sum() > 0
    assert skewed.grad[:, 2].sum() < 0


TWO = """
import sys
from pathlib import Path
import torch
from edgemoe.spec.model import load_model_config
from edgemoe_golden.training import data
from edgemoe_golden.training.loop import Plan, train
from edgemoe_golden.training.processes import joined
data.CHUNK = 12
folder = Path(sys.argv[1])
with joined("cpu") as processes:
    config = load_model_config("micro")
    store = data.SceneStore(folder / "scenes", config, 12)
    model, progress = train(Plan(config, steps=3, batch=4), store, folder, processes)
    torch.save((progress.step, model.state_dict()), folder / f"{processes.rank}.pt")
"""


def test_two_processes_of_torchrun_end_with_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "two.py"
    script.write_text(TWO, encoding="utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    config = load_model_config("micro")
    monkeypatch.setattr(data, "CHUNK", 12)
    SceneStore(tmp_path / "scenes", config, 12)
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"
    (steps, first), (_, second) = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    torch.manual_seed(Plan.seed)
    untrained = M3ViT(config).state_dict()
    assert steps == 3
    assert (tmp_path / STATE_FILE).is_file()
    for name, value in first.items():  # each process has seen other scenes
        assert torch.equal(value, second[name]), name
    assert any(not torch.equal(value, untrained[name]) for name, value in first.items())


def test_a_batch_that_processes_cannot_share_is_refused() -> None:
    three = data.Batch(*(torch.zeros(3, 1) for _ in range(3)))
    with pytest.raises(ValueError, match=r"2 processes cannot share 3 scenes .* --batch"):
        Processes(rank=1, count=2).part(three)
