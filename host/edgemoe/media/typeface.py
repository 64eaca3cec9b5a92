"""Letters: Pillow's built-in font, then fonts of the system for what it lacks, then a plain spelling.

The built-in font is everywhere and holds little more than ASCII; names of files may hold anything.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import numpy as np
from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

# By the names of their files, which Pillow looks for where the system keeps its fonts.
_SYSTEM = (
    *("DejaVuSans.ttf", "NotoSans-Regular.ttf", "NotoSansCJK-Regular.ttc", "NotoSansCJKsc-Regular.otf"),
    *("wqy-zenhei.ttc", "wqy-microhei.ttc", "DroidSansFallbackFull.ttf", "Arial Unicode.ttf", "Hiragino Sans GB.ttc"),
)
_SPELLING = str.maketrans({"×": "x", "→": ">", "–": "-", "—": "-", "−": "-", "³": "3", "²": "2", "≤": "<=", "ß": "ss",
                           "≈": "~", "µ": "u"})  # fmt: skip
_NOWHERE = "\uffff"  # no character: what a font draws for one that it lacks


def printable(text: str) -> str:
    """Spell `text` with the characters that the built-in font has; what cannot be spelled becomes `?`."""
    plain = unicodedata.normalize("NFKD", text.translate(_SPELLING))
    letters = (letter for letter in plain if not unicodedata.combining(letter))
    return "".join(letter if " " <= letter <= "~" or letter in "·…°" else "?" for letter in letters)


@lru_cache(maxsize=32)
def font(size: int) -> Font:
    """Pillow's built-in font at `size` pixels."""
    return ImageFont.load_default(size)


@lru_cache(maxsize=2048)
def runs(text: str, size: int) -> tuple[tuple[str, Font], ...]:
    """`text` cut where the font changes, spelled where no font has a letter."""
    parts: list[tuple[str, Font]] = []
    for letter in unicodedata.normalize("NFC", text):
        fonts = (font(size), *_system_fonts(size)) if letter.isprintable() else ()
        having = next((each for index, each in enumerate(fonts) if _has(letter, index)), None)
        written, chosen = (letter, having) if having is not None else (printable(letter), font(size))
        if parts and parts[-1][1] is chosen:
            parts[-1] = (parts[-1][0] + written, chosen)
        else:
            parts.append((written, chosen))
    return tuple(parts)


def text_width(text: str, size: int) -> int:
    """Width in pixels of one line."""
    return int(np.ceil(sum(each.getlength(part) for part, each in runs(text, size))))


def fit(text: str, size: int, width: int) -> str:
    """Shorten `text` with `…` until it is at most `width` pixels wide."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(text.rstrip() + "…", size) > width:
        text = text[:-1]
    return text.rstrip() + "…" if text else ""


@lru_cache(maxsize=32)
def _system_fonts(size: int) -> tuple[Font, ...]:
    found = []
    for name in _SYSTEM:
        try:
            found.append(ImageFont.truetype(name, size))
        except OSError:
            continue
    return tuple(found)


@lru_cache(maxsize=4096)
def _has(letter: str, index: int) -> bool:
    """Whether font `index`, 0 the built-in one, has a letter: it draws something else than for one that it lacks."""
    if index == 0:
        return " " <= letter <= "~" or letter in "·…°"
    chosen = _system_fonts(16)[index - 1]
    return bytes(chosen.getmask(letter)) != bytes(chosen.getmask(_NOWHERE))
