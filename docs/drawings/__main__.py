"""Write every drawing: `python -m docs.drawings`."""

from __future__ import annotations

from docs.drawings.files import IMAGES, drawings


def main() -> None:
    """Write docs/images/NAME.svg."""
    for name, text in drawings().items():
        (IMAGES / name).write_text(text, encoding="utf-8")
    print(f"{len(drawings())} drawings in {IMAGES.name}/")


if __name__ == "__main__":
    main()
