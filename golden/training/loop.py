"""The training loop: AdamW, cosine over the time or step budget, resumable at any moment."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from tqdm import tqdm

from edgemoe.errors import ArgumentError
from edgemoe.spec.files import write_atomically
from edgemoe.spec.model import ModelConfig
from edgemoe_golden.model import M3ViT, head_maps
from edgemoe_golden.training.data import Batch, SceneStore, training_batch
from edgemoe_golden.training.losses import BALANCE_WEIGHT, BalanceRecorder, depth_loss, segmentation_loss
from edgemoe_golden.training.processes import Processes

WARMUP_STEPS = 100
STATE_FILE = "state.pt"


@dataclass(frozen=True)
class Plan:
    """What to train and for how long: `minutes` of stepping or a number of `steps`, whichever is given.

    A state may be continued with a longer budget, another batch or rate, but not with another model or seed.
    save_seconds, save_steps: how often the state is written.
    """

    config: ModelConfig
    minutes: float | None = None
    steps: int | None = None
    batch: int = 16
    rate: float = 1.5e-3
    seed: int = 1
    device: str = "cpu"
    save_seconds: float = 60.0
    save_steps: int = 1_000_000

    def identity(self) -> str:
        """What must agree for a state to be continued."""
        return f"model {self.config.hash():08x} seed {self.seed}"


@dataclass
class Progress:
    """Steps done and seconds spent in them, over all runs."""

    step: int = 0
    seconds: float = 0.0

    def done(self, plan: Plan) -> float:
        """Part of the budget that is used up, 0 … 1."""
        parts = [0.0]
        if plan.minutes is not None:
            parts.append(self.seconds / (60 * plan.minutes))
        if plan.steps is not None:
            parts.append(self.step / plan.steps)
        return min(1.0, max(parts))


def learning_rate(plan: Plan, progress: Progress) -> float:
    """Linear warm-up, then half a cosine down to zero."""
    warm = min(1.0, (progress.step + 1) / WARMUP_STEPS)
    return plan.rate * warm * 0.5 * (1 + math.cos(math.pi * progress.done(plan)))


def make_optimizer(model: M3ViT, rate: float) -> torch.optim.AdamW:
    """AdamW; biases, norms, embeddings and gates are not decayed."""
    named = list(model.named_parameters())
    plain = [p for name, p in named if p.ndim < 2 or name.endswith((".bias", "_token", "_embed", "w_gate"))]
    chosen = {id(p) for p in plain}
    groups = [
        {"params": [p for _, p in named if id(p) not in chosen], "weight_decay": 0.05},
        {"params": plain, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98))


def batch_loss(model: M3ViT, batch: Batch) -> dict[str, torch.Tensor]:
    """The parts of the loss of one batch, weighted."""
    balance = BalanceRecorder()
    losses: dict[str, torch.Tensor] = {}
    config = model.config
    outputs = model.forward_tasks(batch.images, [task.name for task in config.tasks], balance)
    for task in config.tasks:
        maps = head_maps(outputs[task.name], config)
        if task.kind == "segmentation":
            losses[task.name] = segmentation_loss(maps, batch.shares)
        else:
            losses[task.name] = depth_loss(maps, batch.inverse_depth)
    losses["balance"] = BALANCE_WEIGHT * balance.loss()
    return losses


def train(plan: Plan, store: SceneStore, folder: Path, processes: Processes | None = None) -> tuple[M3ViT, Progress]:
    """Train until the budget is used up, continuing the state in `folder` if there is one of the same plan.

    processes: those that share the work; each ends with the same weights, and the first one writes the state.
    Raises ArgumentError when the state belongs to another plan.
    """
    processes = processes or Processes(device=plan.device)
    torch.manual_seed(plan.seed)
    model = M3ViT(plan.config).to(plan.device).train()
    optimizer = make_optimizer(model, plan.rate)
    progress = Progress()
    state_path = folder / STATE_FILE
    if state_path.is_file():
        _restore(state_path, plan, model, optimizer, progress)
    saved = time.monotonic()
    with tqdm(
        total=1000, desc=f"training {plan.config.name}", unit="‰", initial=int(1000 * progress.done(plan)),
        disable=not processes.leads,
    ) as bar:  # fmt: skip
        while progress.done(plan) < 1:
            began = time.monotonic()
            losses = _step(plan, model, optimizer, store, progress, processes)
            progress.step += 1
            progress.seconds = processes.agreed(progress.seconds + time.monotonic() - began)
            if progress.step % 20 == 0:
                bar.update(int(1000 * progress.done(plan)) - bar.n)
                bar.set_postfix({"step": progress.step} | {name: f"{value:.3f}" for name, value in losses.items()})
            due = time.monotonic() - saved > plan.save_seconds or progress.step % plan.save_steps == 0
            if due and processes.leads:
                _save(state_path, plan, model, optimizer, progress)
                saved = time.monotonic()
        bar.update(1000 - bar.n)
    if processes.leads:
        _save(state_path, plan, model, optimizer, progress)
    processes.wait()
    return model.eval(), progress


def _step(
    plan: Plan,
    model: M3ViT,
    optimizer: torch.optim.AdamW,
    store: SceneStore,
    progress: Progress,
    processes: Processes,
) -> dict[str, float]:
    batch = processes.part(training_batch(store, plan.seed, progress.step, plan.batch)).to(plan.device)
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(plan, progress)
    with torch.autocast(plan.device.split(":")[0], torch.bfloat16):
        losses = batch_loss(model, batch)
    optimizer.zero_grad(set_to_none=True)
    torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
    processes.average(model)
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return {name: float(value.detach()) for name, value in losses.items()}


def _save(path: Path, plan: Plan, model: M3ViT, optimizer: torch.optim.AdamW, progress: Progress) -> None:
    state = {
        "identity": plan.identity(),
        "step": progress.step,
        "seconds": progress.seconds,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    write_atomically(path, lambda temporary: torch.save(state, temporary))


def _restore(path: Path, plan: Plan, model: M3ViT, optimizer: torch.optim.AdamW, progress: Progress) -> None:
    state = torch.load(path, weights_only=True, map_location=plan.device)
    if state["identity"] != plan.identity():
        raise ArgumentError(
            f"{path} is the state of another training ({state['identity']}; this one is {plan.identity()}): "
            "continue with the same options, or pass --restart to begin anew"
        )
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    progress.step, progress.seconds = state["step"], state["seconds"]
