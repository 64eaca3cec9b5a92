"""What all errors of this project have in common, and what users cause outside of files and devices."""

from __future__ import annotations


class EdgeMoeError(Exception):
    """Root of every error that this project raises for its users.

    The message is one sentence: what is wrong, what was expected, what to do. `except EdgeMoeError` catches all of
    them; anything else that comes out of this project is a fault of it.
    """


class ArgumentError(EdgeMoeError, ValueError):
    """An argument of a call or of a command that cannot be used."""
