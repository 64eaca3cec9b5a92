"""Training and evaluation of the float model on drawn scenes."""
