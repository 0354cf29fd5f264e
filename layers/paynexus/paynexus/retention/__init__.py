"""Retention: partitions made ahead of time, expired keys forgotten."""
