"""Fraud: score a payment before it is charged."""
