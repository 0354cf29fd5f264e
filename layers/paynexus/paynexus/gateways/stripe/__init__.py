"""Stripe, as a payment gateway. Its SDK is imported by `line` and `adapter` alone."""
