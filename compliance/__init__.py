"""Production invariants and retention: what must always hold, checked where the data is."""
