"""Simulation of the RTL: cocotb benches of its units and what they share."""
