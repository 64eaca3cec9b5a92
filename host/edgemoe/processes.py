"""A process of its own for work beside this one, which alone is to see Ctrl-C."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager


def one_process() -> ProcessPoolExecutor:
    """An executor of one process, spawned at once: not forked, since this one may have threads.

    Ctrl-C in a terminal reaches both. The other one never sees it, not even while it starts: a process begins with the
    signals blocked that were so where it was made.
    """
    spawned = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(1, spawned, signal.signal, (signal.SIGINT, signal.SIG_IGN))
    with _interrupts_wait():
        pool.submit(int)
    return pool


@contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Ctrl-C comes when this ends, where a system can have it wait."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
