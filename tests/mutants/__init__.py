"""One-line mutants of the Verilog, the HLS sources and the host package, and what notices them: `make mutants`."""
