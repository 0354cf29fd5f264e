"""Payments: take money once and only once, and return it when asked."""
