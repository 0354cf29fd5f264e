"""Fraud over HTTP: what decides about a merchant's payments, and what people find."""
