"""Small programs, hardware and results that tests and benches share."""
