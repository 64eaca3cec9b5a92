"""`edgemoe compile`: a checkpoint → a program folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgemoe.commands.common import add_model_arguments, obtain_program


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    add_model_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="program folder to write; replaces an older program")
    parser.add_argument("--trace", action="store_true", help="store what every instruction wrote, for `edgemoe diff`")


def main(options: argparse.Namespace) -> int:
    """Compile; returns the exit status."""
    program = obtain_program(options, options.trace)
    program.save(options.out)
    manifest = program.manifest
    print(
        f"{options.out}: model '{manifest.model.name}', tasks {', '.join(manifest.tasks)}, hardware "
        f"'{manifest.hardware.name}' (0x{manifest.config_hash:08X}), {len(program.words)} instructions, "
        f"{program.stream.size:,} bytes of weight stream"
    )
    return 0
