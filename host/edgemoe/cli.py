"""The `edgemoe` command. Every error that a user can cause is one sentence on stderr and a non-zero exit."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import traceback
from collections.abc import Sequence
from types import ModuleType

from edgemoe.commands import (
    bench,
    calibrate,
    compile_model,
    demo,
    diff_engines,
    disasm,
    import_checkpoint,
    info,
    run,
    sim,
    tune,
)
from edgemoe.errors import EdgeMoeError
from edgemoe.media.errors import reason
from edgemoe.spec.terminal import accept_all_text
from edgemoe.version import version

COMMANDS: dict[str, tuple[ModuleType, str]] = {
    "run": (run, "run pictures, a video or a camera through an engine"),
    "demo": (demo, "show a drive, or your own pictures, live in the browser"),
    "bench": (bench, "measure latency, frame rate and, on a board, power"),
    "compile": (compile_model, "compile a checkpoint into a program"),
    "import": (import_checkpoint, "import a checkpoint of M³ViT, a ViT, an ONNX graph"),
    "calibrate": (calibrate, "choose ranges and round weights on pictures"),
    "info": (info, "print model, hardware, memory and predicted cycles"),
    "disasm": (disasm, "print a program's instructions"),
    "sim": (sim, "simulate one kernel, with its bench or your array"),
    "tune": (tune, "search a hardware shape for a part and a model"),
    "diff": (diff_engines, "find the first instruction at which two engines differ"),
}
FAULT_OF_OURS = 70  # EX_SOFTWARE of sysexits.h


def command_parser() -> argparse.ArgumentParser:
    """All commands with their options."""
    parser = argparse.ArgumentParser(prog="edgemoe", description="Multi-task mixture-of-experts vision accelerator.")
    parser.add_argument("--version", action="version", version=f"edgemoe {version()}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, (module, text) in COMMANDS.items():
        module.add_arguments(commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}."))
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse and run; returns the exit status: 0 well, 1 error or difference, 2 usage, 70 our fault, 130 stopped."""
    accept_all_text()
    parser = command_parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help(sys.stderr)
        parser.exit(2)
    try:
        return _run(COMMANDS[options.command][0], options)
    except EdgeMoeError as error:
        return _fail(str(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _fail(f"{error.filename or 'output'}: {reason(error)}")
    except MemoryError:
        return _fail("not enough memory for this; close other programs, or take a smaller model or picture")
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
    except Exception:
        traceback.print_exc()
        versions = f"edgemoe {version()}, Python {platform.python_version()} on {platform.system()}"
        print(
            f"edgemoe: this is a fault of edgemoe, not of your input; please report it with the lines above, the "
            f"command and these versions: {versions}",
            file=sys.stderr,
        )
        return FAULT_OF_OURS


def _run(command: ModuleType, options: argparse.Namespace) -> int:
    status: int = command.main(options)
    sys.stdout.flush()
    return status


def _fail(message: str) -> int:
    print(f"edgemoe: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
