"""Workflow step: score a payment."""
