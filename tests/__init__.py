"""Tests: what must hold of every engine, operation, reader and page."""
