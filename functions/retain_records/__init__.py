"""Schedule: partitions made ahead of time."""
