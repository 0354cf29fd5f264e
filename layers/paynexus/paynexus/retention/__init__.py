"""Retention: partitions made ahead of time."""
