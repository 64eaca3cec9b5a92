"""A board on this computer: PYNQ's own classes over one of our engines, strict about a driver's mistakes."""
