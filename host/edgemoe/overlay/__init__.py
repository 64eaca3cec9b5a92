"""Overlays: what a bitstream is made of, and how the host checks that its files belong together."""
