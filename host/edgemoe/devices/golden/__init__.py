"""The golden engine: a program's bytes interpreted with the arithmetic of edgemoe_golden.ops."""
