"""Which drawings there are."""

from __future__ import annotations

from pathlib import Path

from docs.drawings import architecture, attention, compute, experts, gelu, house, softmax

IMAGES = Path(__file__).resolve().parents[1] / "images"
_DRAWN = {
    "architecture": architecture,
    "attention": attention,
    "softmax": softmax,
    "gelu": gelu,
    "compute": compute,
    "experts": experts,
    "house": house,
}


def drawings() -> dict[str, str]:
    """The text of every drawing by its file's name."""
    return {f"{name}.svg": module.draw().svg() for name, module in _DRAWN.items()}
