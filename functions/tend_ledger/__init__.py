"""Schedule: the invariants of the books."""
