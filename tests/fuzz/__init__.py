"""Fuzzing: mutated files for every reader, random programs for every engine; `make fuzz`, docs/evidence/fuzzing.md."""
