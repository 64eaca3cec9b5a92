"""The specification: everything that more than one part must agree on, once.

precision, tables: the arithmetic's widths and tables. isa, legality, faults, registers: the machine's interface.
memory: layouts. model, hardware, board, checkpoint, calibration: what is read, strictly. generate: headers and pages.
strict, names, files, terminal: how anything is read from, written to and shown to a world that is not to be trusted.
"""
