"""Keeps an eye on breaks and clearing accounts."""
