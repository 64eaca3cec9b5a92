"""`python -m edgemoe.spec.generate [--check]`: write the generated files, or name the stale ones and fail."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from edgemoe.spec.files import write_text
from edgemoe.spec.generate.files import generated_files, stale_files
from edgemoe.spec.terminal import accept_all_text


def main() -> int:
    """Run the command; returns the exit status."""
    accept_all_text()
    parser = argparse.ArgumentParser(prog="python -m edgemoe.spec.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail when a file is stale")
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="repository root (default: here)")
    arguments = parser.parse_args()
    stale = stale_files(arguments.root)
    if arguments.check:
        for name in stale:
            print(f"stale: {name}", file=sys.stderr)
        if stale:
            print("run `make generate` and commit the result", file=sys.stderr)
        return 1 if stale else 0
    texts = generated_files()
    for name in stale:
        write_text(arguments.root / name, texts[name])
        print(f"wrote {name}")
    print(f"{len(texts)} generated files, {len(stale)} were stale")
    return 0


if __name__ == "__main__":
    sys.exit(main())
