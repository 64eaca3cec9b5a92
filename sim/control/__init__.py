"""Benches of the control units: registers, run control, instructions and their rules."""
