"""What can be said of the HLS engine's schedule without Vitis, from the LLVM IR of its sources: see `__main__`."""
