"""From a float checkpoint to a program: quantise, schedule, check what fits, lay out the weight stream. NumPy only."""
