"""Proofs about the Verilog, by Yosys, yosys-smtbmc and Boolector: `make formal`."""
