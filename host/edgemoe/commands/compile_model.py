"""`edgemoe compile`: a checkpoint → a program folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgemoe.commands.common import add_model_arguments, is_program, obtain_program
from edgemoe.compiler.program import ProgramError
from edgemoe.media.files import require_writable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    add_model_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="program folder to write; replaces an older program")
    parser.add_argument("--trace", action="store_true", help="store what every instruction wrote, for `edgemoe diff`")


def main(options: argparse.Namespace) -> int:
    """Compile; returns the exit status."""
    if options.out.exists() and not is_program(options.out):
        raise ProgramError(f"'{options.out}' exists and is no program folder, so it is not replaced; choose another")
    require_writable(options.out.parent)
    program = obtain_program(options, options.trace)
    program.save(options.out)
    manifest = program.manifest
    print(
        f"{options.out}: model '{manifest.model.name}', tasks {', '.join(manifest.tasks)}, hardware "
        f"'{manifest.hardware.name}' (0x{manifest.config_hash:08X}), {len(program.words)} instructions, "
        f"{program.stream.size:,} bytes of weight stream"
    )
    return 0
