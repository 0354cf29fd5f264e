"""Schedule: the books are sealed."""
