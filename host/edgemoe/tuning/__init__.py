"""Finding a hardware shape for a part: its resources, fitted area, predicted cycles, estimated energy, and a search."""
