"""Programs and instructions by hand, which benches and tests run: one of every kind, legal and not."""
