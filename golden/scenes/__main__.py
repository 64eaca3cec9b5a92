"""Draw one scene: `python -m edgemoe_golden.scenes --seed 7 --out demo/scene_7.png`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from PIL import Image

from edgemoe.errors import EdgeMoeError
from edgemoe.spec.files import write_atomically
from edgemoe.spec.terminal import accept_all_text
from edgemoe_golden.scenes.scene import draw_scene


def main() -> int:
    """Write the picture of a seed as PNG."""
    accept_all_text()
    parser = argparse.ArgumentParser(prog="python -m edgemoe_golden.scenes", description=__doc__)
    parser.add_argument("--seed", type=int, default=7, help="which scene (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="PNG file to write")
    parser.add_argument("--height", type=int, default=128, help="pixels (default: %(default)s)")
    parser.add_argument("--width", type=int, default=256, help="pixels (default: %(default)s)")
    options = parser.parse_args()
    try:
        picture = Image.fromarray(draw_scene(options.seed, options.height, options.width).image)
        write_atomically(options.out, lambda path: picture.save(path, format="PNG"))
    except (EdgeMoeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{options.out}: scene {options.seed}, {options.height} × {options.width}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
