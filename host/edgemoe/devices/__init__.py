"""Devices: anything that holds memory, takes register writes and runs. Engines and boards are peers behind `Device`."""
