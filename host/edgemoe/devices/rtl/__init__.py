"""The RTL engine: the Verilog, simulated cycle by cycle by Verilator."""
