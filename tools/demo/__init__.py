"""A merchant's day on the local stack, end to end, each step with its result."""
