"""Benches of the memory side: readers, writers, weight stream, scratchpads."""
