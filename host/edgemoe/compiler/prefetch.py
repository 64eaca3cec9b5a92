"""The weight stream in memory: how far it has come, ahead of its use, as a fluid with a rate and a capacity."""

from __future__ import annotations

from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.isa import MEMORY_WORD, STREAM_LINE
from edgemoe.spec.machine import DATA_QUEUE, HELD_BACK_LINES

_WORDS_AHEAD = DATA_QUEUE - 8  # of the data reader, which asks for 16 at a time
_HELD_BACK = HELD_BACK_LINES * STREAM_LINE
_BURSTS_AHEAD = 16  # of 16 words, that a weight port asks for at most


class Prefetch:
    """Bytes arrive from cycle `begin` on, at memory's rate, while fewer than the buffer holds wait to be taken.

    taken: bytes of the stream that have been used or left out.
    """

    def __init__(self, hardware: HardwareConfig, stream_bytes: int, begin: float) -> None:
        lines = hardware.prefetch_bytes // STREAM_LINE
        self._latency = hardware.first_beat_cycles
        self._rate = hardware.bytes_per_cycle
        self._capacity = (1 << (lines.bit_length() - 1)) * STREAM_LINE - self._rate * self._latency
        self._words_per_cycle = min(1.0, _WORDS_AHEAD / (self._latency + 10), self._rate / MEMORY_WORD)
        self._share = self._rate / MEMORY_WORD / (hardware.ports + 1)
        self._asked = _BURSTS_AHEAD * 16 * MEMORY_WORD * hardware.ports
        self._total = float(stream_bytes)
        self._arrived = 0.0
        self.taken = 0
        self._time = begin

    def take(self, size: int, wanted: float) -> float:
        """Take the next `size` bytes; returns the cycle at which they can be taken, `wanted` at the earliest."""
        self._advance(wanted, self._rate)
        missing = self.taken + size - self._arrived
        self.taken += size
        if missing <= 0:
            return wanted
        self._arrived += missing
        self._time += missing / self._rate
        return self._time

    def skip(self, size: int) -> None:
        """Forget the next `size` bytes: only what has been asked for still comes."""
        self.taken += size
        self._arrived = max(self._arrived, self.taken - self._asked)

    def read_beside(self, words: int, begin: float, taken: int) -> float:
        """A frame's words on a port of their own; returns when the last one is there.

        taken: bytes of the stream that are used meanwhile, beside a few that wait.
        """
        begin += self._latency
        self._advance(begin, self._rate)
        share = min(self._words_per_cycle, self._share)
        left = self._rate - MEMORY_WORD * share
        until_full = max(0.0, (min(self._limit(), self.taken + taken + _HELD_BACK) - self._arrived) / left)
        if words <= share * until_full:
            end = begin + words / share
            self._advance(end, left)
        else:
            end = begin + until_full + (words - share * until_full) / self._words_per_cycle
            self._arrived, self._time = self._arrived + left * until_full, end
        return end

    def delay(self, words: float, begin: float, cycles: float) -> float:
        """Cycles that words of the data port take longer, of so many cycles each, while the buffer is not full."""
        share = min(1.0, self._share)
        arrived = self._arrived + self._rate * max(0.0, begin - self._time)
        until_full = max(0.0, self._limit() - arrived) / (self._rate - MEMORY_WORD * share)
        return min(words, until_full * share) * max(0.0, 1 / share - cycles)

    def _limit(self) -> float:
        return min(self._total, self.taken + self._capacity)

    def _advance(self, time: float, rate: float) -> None:
        if time > self._time:
            self._arrived = max(self._arrived, min(self._limit(), self._arrived + rate * (time - self._time)))
            self._time = time
