"""The PYNQ host: driver, device and simulated board. Everything that imports `pynq` lies here."""
