"""ONNX graphs: the transformer trunk is found node by node, rebuilt as our float model, and the graph run beside it."""
