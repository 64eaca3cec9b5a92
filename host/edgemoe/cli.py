"""The `edgemoe` command. Every error that a user can cause is one sentence on stderr and a non-zero exit."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from edgemoe.commands import bench, compile_model, diff_engines, disasm, import_checkpoint, info, run
from edgemoe.compiler.fits import DoesNotFitError
from edgemoe.devices.base import DeviceError
from edgemoe.media.errors import MediaError, reason
from edgemoe.session import SessionError
from edgemoe.spec.terminal import accept_all_text

COMMANDS: dict[str, tuple[ModuleType, str]] = {
    "run": (run, "run pictures, a video or a camera through an engine"),
    "bench": (bench, "measure latency, frame rate and, on a board, power"),
    "compile": (compile_model, "compile a checkpoint into a program"),
    "import": (import_checkpoint, "import a checkpoint of M³ViT or Edge-MoE"),
    "info": (info, "print model, hardware, memory and predicted cycles"),
    "disasm": (disasm, "print a program's instructions"),
    "diff": (diff_engines, "find the first instruction at which two engines differ"),
}

# ValueError covers ConfigError, CheckpointError, ProgramError, QuantiseError and arguments out of range.
_USER_ERRORS = (ValueError, DoesNotFitError, DeviceError, MediaError, SessionError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse and run; returns the exit status: 0 well, 1 error or difference, 2 usage, 130 interrupted."""
    accept_all_text()
    parser = argparse.ArgumentParser(prog="edgemoe", description="Multi-task mixture-of-experts vision accelerator.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, text) in COMMANDS.items():
        module.add_arguments(commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}."))
    options = parser.parse_args(arguments)
    try:
        return _run(COMMANDS[options.command][0], options)
    except _USER_ERRORS as error:
        return _fail(str(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _fail(f"{error.filename or 'output'}: {reason(error)}")
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130


def _run(command: ModuleType, options: argparse.Namespace) -> int:
    status: int = command.main(options)
    sys.stdout.flush()
    return status


def _fail(message: str) -> int:
    print(f"edgemoe: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
