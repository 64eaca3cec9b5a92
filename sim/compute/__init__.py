"""Benches of the compute unit: array, sums, drain, softmax, attention."""
