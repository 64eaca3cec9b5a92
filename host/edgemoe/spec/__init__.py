"""The specification: everything that more than one part must agree on, once.

precision, tables: the arithmetic's widths and tables. isa, legality, faults, registers: the machine's interface.
memory: layouts. model, hardware, checkpoint, calibration: what is read, strictly. generate: headers and pages.
"""
