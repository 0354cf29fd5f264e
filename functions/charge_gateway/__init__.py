"""Workflow step: the only function that reaches a gateway."""
