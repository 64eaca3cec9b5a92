"""Exclusive use: a device serves one call or one stream at a time, in the process that opened it; a second is refused.

Refused at once, not made to wait: a call inside a stream would wait for ever.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field


@dataclass(eq=False)
class Use:
    """One call or stream. what: in words, after "busy with". between_results: a stream whose caller has a result and
    has not asked for the next, so that the host does not touch the device. thread: the one that asked last.
    """

    what: str
    between_results: bool = False
    thread: threading.Thread = field(default_factory=threading.current_thread)

    def resume(self) -> None:
        """The caller of a stream asks for its next result."""
        self.between_results, self.thread = False, threading.current_thread()

    @property
    def touches_nothing(self) -> bool:
        """Whether the device stays untouched while this thread does something else."""
        return self.between_results and (self.thread is threading.current_thread() or not self.thread.is_alive())


class ExclusiveUse:
    """Who uses what `name` says, e.g. "device 'golden'".

    running: a run was started and nobody has seen its end; set and cleared by whoever holds the use.
    uses: in order of arrival, the first holds it. Each step is one call into C, so neither another thread nor Ctrl-C
    comes in between, and there is no lock that could stay locked. Give back with `uses.pop(use, None)`, in a `finally`
    around `take`.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.running = False
        self.uses: dict[Use, None] = {}
        self._process = os.getpid()

    @property
    def forked(self) -> bool:
        """Whether this process is a child of the one that opened it; memory is a copy here, a board is not."""
        return os.getpid() != self._process

    def refusal(self, use: Use | None = None) -> str | None:
        """Why a new use, or `use`, must not begin, in one sentence; None when it may."""
        if self.forked:
            return (
                f"{self.name} belongs to process {self._process}, from which this process was forked; use it there, "
                f"or open one of its own here"
            )
        holder = next(iter(list(self.uses)), None)
        return None if holder is None or holder is use else self._busy(holder)

    def take(self, use: Use) -> str | None:
        """None when `use` holds it from now on, else the refusal."""
        self.uses[use] = None
        refusal = self.refusal(use)
        if refusal is not None:
            self.uses.pop(use, None)
        return refusal

    def take_to_close(self, use: Use) -> str | None:
        """As `take`, but beside streams between two results, and in a forked child, which drops only its copy."""
        self.uses[use] = None
        for other in list(self.uses):
            if other is use or self.forked:
                break
            if not other.touches_nothing:
                self.uses.pop(use, None)
                return self._busy(other)
        return None

    def _busy(self, holder: Use) -> str:
        if holder.thread is not threading.current_thread():
            return (
                f"{self.name} is busy with {holder.what} of thread '{holder.thread.name}'; let one thread at a time "
                f"use it, for instance under a threading.Lock"
            )
        if holder.between_results:
            return f"{self.name} is busy with {holder.what}; take its results to the end first, or close() it"
        return f"{self.name} is busy with {holder.what}, inside which this call was made; make it afterwards"
