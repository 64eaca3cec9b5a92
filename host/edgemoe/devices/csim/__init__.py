"""The C simulation of the HLS engine."""
