"""Telling people that something takes its time, and how long it has taken so far."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator

from tqdm import tqdm

Say = Callable[[str], None]


def say_to_people(text: str) -> None:
    """A line on standard error where somebody may be waiting: on a terminal and in a notebook."""
    if sys.stderr.isatty() or "ipykernel" in sys.modules:
        print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def telling(text: str, say: Say) -> Iterator[None]:
    """Tell `text` before the block, and on a terminal, while it goes on, the minutes and seconds since.

    say: who is told; a clock stands beside the text only for `say_to_people`. Nothing is told without a text.
    """
    if not text or say is not say_to_people or not sys.stderr.isatty():
        if text:
            say(text)
        yield
        return
    over = threading.Event()
    with tqdm(desc=text, bar_format="{desc} {elapsed}", file=sys.stderr) as line:

        def tick() -> None:
            while not over.wait(1):
                line.refresh()

        clock = threading.Thread(target=tick, name="clock of a build", daemon=True)
        clock.start()
        try:
            yield
        finally:
            over.set()
            clock.join()
