"""Property-based tests are the same on every run and say how to repeat a failure; `random` searches further."""

from __future__ import annotations

import os
import signal

from hypothesis import HealthCheck, settings

_COMMON = {
    "deadline": None,
    "print_blob": True,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell has put these tests into the background. What they start, and interrupt, would ignore Ctrl-C like them.
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("repeatable", derandomize=True, database=None, max_examples=40, **_COMMON)
settings.register_profile("random", max_examples=1000, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))
