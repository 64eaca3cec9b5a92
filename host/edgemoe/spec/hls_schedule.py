"""Constants of the HLS engine's schedule, for its sources and its cycle model; those of the RTL engine: `machine`."""

from __future__ import annotations

HLS_QUERY_TILES = 8  # tiles of queries whose scores are kept at a time
HLS_CONTEXT_MEMBERS = 8  # output tiles of P·V for which one sweep over the scores suffices
ACCUMULATE_DISTANCE = 3  # cycles between two additions to one accumulator
