"""Benches of the small parts: arithmetic leaves and queues."""
