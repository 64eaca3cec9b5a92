"""Several training processes, as `torchrun` starts them: each takes its part of every batch, gradients are averaged."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed

from edgemoe.errors import ArgumentError
from edgemoe_golden.training.data import Batch


@dataclass(frozen=True)
class Processes:
    """This process and how many there are; one alone without `torchrun`."""

    rank: int = 0
    count: int = 1
    device: str = "cpu"

    @property
    def leads(self) -> bool:
        """Whether this process draws, shows, evaluates and saves."""
        return self.rank == 0

    def part(self, batch: Batch) -> Batch:
        """Every count-th scene of a batch. Raises ArgumentError when that leaves parts of unequal size."""
        if self.count == 1:
            return batch
        if len(batch.images) % self.count:
            raise ArgumentError(
                f"{self.count} processes cannot share {len(batch.images)} scenes a step evenly: choose another --batch"
            )
        chosen = slice(self.rank, None, self.count)
        return Batch(batch.images[chosen], batch.shares[chosen], batch.inverse_depth[chosen])

    def average(self, model: torch.nn.Module) -> None:
        """Gradients become their mean over all processes; an expert that had no token here counts as 0."""
        if self.count == 1:
            return
        for parameter in model.parameters():
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            distributed.all_reduce(parameter.grad)
            parameter.grad /= self.count

    def agreed(self, seconds: float) -> float:
        """The first process' time, so that all stop after the same step."""
        if self.count == 1:
            return seconds
        value = torch.tensor([seconds], dtype=torch.float64, device=self.device)
        distributed.broadcast(value, 0)
        return float(value)

    def wait(self) -> None:
        """Until all processes have come here."""
        if self.count > 1:
            distributed.barrier()


@contextmanager
def joined(device: str) -> Iterator[Processes]:
    """The processes that `torchrun` started, by RANK and WORLD_SIZE; on GPUs each takes the one of its LOCAL_RANK."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes(device=device)
        return
    if device.startswith("cuda"):
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield Processes(distributed.get_rank(), count, device)
    finally:
        distributed.destroy_process_group()
