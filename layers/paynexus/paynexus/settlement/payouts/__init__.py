"""Payout files: settlements on their way to the bank, and what is done when it is silent."""
