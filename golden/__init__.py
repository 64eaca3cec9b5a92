"""Reference arithmetic and float model of the accelerator: `ops` is pure-integer NumPy, `model` is torch."""
