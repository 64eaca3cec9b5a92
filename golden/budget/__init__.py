"""Widths per layer within a budget of cycles: 16 bits where 8 lose most, 4 where they cost nothing, as measured."""
