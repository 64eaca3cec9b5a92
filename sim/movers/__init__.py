"""Benches of the units that move rows: LayerNorm, gate, experts, copy, store, patches, heads."""
