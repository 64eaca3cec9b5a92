"""Train a named model on drawn scenes: `python -m edgemoe_golden.training --model mini --minutes 10 --out models/mini`.

Several processes share each step's scenes: `torchrun --nproc-per-node 2 -m edgemoe_golden.training …`, on CPUs or GPUs.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

import torch

from edgemoe.spec.model import load_model_config
from edgemoe.spec.terminal import accept_all_text
from edgemoe_golden.model import save_checkpoint
from edgemoe_golden.training.data import SceneStore
from edgemoe_golden.training.evaluate import evaluate
from edgemoe_golden.training.loop import STATE_FILE, Plan, train
from edgemoe_golden.training.processes import Processes, joined


def main() -> None:
    """Draw scenes, train, evaluate, save."""
    accept_all_text()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="mini", help="named configuration or JSON file (default: %(default)s)")
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--minutes", type=float, help="time for training steps; drawing and evaluation come on top")
    budget.add_argument("--steps", type=int, help="number of training steps")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint folder to write")
    parser.add_argument("--scenes", type=int, default=12_000, help="training scenes (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=16, help="scenes per step (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=1.5e-3, help="highest learning rate (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of weights and data order (default: %(default)s)")
    parser.add_argument(
        "--threads", type=int, default=1, help="CPU threads and drawing processes (default: %(default)s)"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--build", type=Path, default=Path("build"), help="scenes and state (default: %(default)s)")
    parser.add_argument("--restart", action="store_true", help="forget the state of an earlier run")
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    config = load_model_config(options.model)
    plan = Plan(config, options.minutes, options.steps, options.batch, options.rate, options.seed, options.device)
    with joined(options.device) as processes:
        run(replace(plan, device=processes.device), processes, options)


def run(plan: Plan, processes: Processes, options: argparse.Namespace) -> None:
    """This process' part; the first one draws the scenes before the others map them, and saves and evaluates."""
    state = options.build / "train" / plan.config.name
    if not processes.leads:
        processes.wait()
    elif options.restart:
        (state / STATE_FILE).unlink(missing_ok=True)
    store = SceneStore(options.build / "scenes", plan.config, options.scenes, options.threads)
    if processes.leads:
        processes.wait()
    model, progress = train(plan, store, state, processes)
    if not processes.leads:
        return
    model = model.cpu()
    save_checkpoint(options.out, model)
    print(f"{options.out}: {progress.step} steps of {plan.batch} scenes in {progress.seconds / 60:.1f} minutes")
    print(evaluate(model, store.mean_inverse_depth()))


if __name__ == "__main__":
    # A mixture of experts gives matrix products many row counts: let oneDNN keep the kernels it has built for them.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "8192")
    main()
