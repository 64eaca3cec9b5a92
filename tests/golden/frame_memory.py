"""Frames of a checkpoint on the golden engine in a process of its own, to see how much memory they take.

    PYTHONPATH=tests/golden python -m frame_memory FOLDER OUTPUTS.npz --hardware u50 --frames 2

Prints the peak after compiling and after each frame in MiB as one JSON list; outputs of the last frame go to the file.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgemoe.compiler.compile import compile_checkpoint
from edgemoe.devices.registry import open_device
from edgemoe.session import Session
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.model import ModelConfig


def peak_mebibytes() -> float:
    """Largest resident size of this process so far.

    From Linux rather than getrusage, whose maximum a child process inherits from the one that started it.
    """
    (kibibytes,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
    return int(kibibytes) / 1024


def frame_for(config: ModelConfig) -> NDArray[np.uint8]:
    """The same smooth coloured frame every time."""
    rows, columns = np.mgrid[: config.image_height, : config.image_width]
    waves = [np.sin(rows / (11 + 7 * c)) + np.cos(columns / (17 + 5 * c)) for c in range(3)]
    return (np.stack(waves, axis=-1) * 60 + 128).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("outputs", type=Path)
    parser.add_argument("--hardware", default="u50")
    parser.add_argument("--frames", type=int, default=1)
    options = parser.parse_args()
    hardware = load_hardware_config(options.hardware)
    program = compile_checkpoint(options.folder, None, hardware)
    peaks = [peak_mebibytes()]
    with open_device("golden", hardware) as device, Session(program, device) as session:
        for _ in range(options.frames):
            result = session.run(frame_for(program.manifest.model))
            peaks.append(peak_mebibytes())
    np.savez(options.outputs, **result.outputs)
    print(json.dumps(peaks))


if __name__ == "__main__":
    main()
