"""Checks of sources that `make lint` runs."""
