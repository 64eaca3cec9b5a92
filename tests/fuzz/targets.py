"""All targets by name. `module:variable` names one elsewhere, as tests of the fuzzer do."""

from __future__ import annotations

import importlib

from tests.fuzz.engines import ENGINES
from tests.fuzz.readers import READERS
from tests.fuzz.target import Target

TARGETS = {target.name: target for target in (*READERS, *ENGINES)}


def target_named(name: str) -> Target:
    """Raises KeyError with what there is."""
    module, colon, variable = name.partition(":")
    if colon:
        found: Target = getattr(importlib.import_module(module), variable)
        return found
    if name not in TARGETS:
        raise KeyError(f"no target '{name}'; there are {', '.join(TARGETS)}")
    return TARGETS[name]
