"""Output on terminals that cannot show every character: what they lack is written in ASCII, and no run ends for it."""

from __future__ import annotations

import codecs
import io
import sys

_PLAIN = {
    **{"×": "x", "·": "-", "−": "-", "─": "-", "–": "-", "…": "...", "±": "+-", "≤": "<=", "≥": ">=", "→": "->"},
    **{"²": "2", "³": "3", "Σ": "sum", "σ": "sigma", "μ": "mu", "γ": "gamma", "β": "beta", "δ": "delta"},
}


def accept_all_text() -> None:
    """From now on standard output and error take any text; called by every command before it prints."""
    codecs.register_error(__name__, _plainly)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=__name__)


def _plainly(error: UnicodeError) -> tuple[str, int]:
    """An error handler of codecs: the text that stands for what cannot be encoded, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(_PLAIN.get(character, "?") for character in missing), error.end
