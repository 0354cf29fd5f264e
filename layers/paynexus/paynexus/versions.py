"""The API's dated versions: how answers look, by the day on which they began to look so."""

RELEASED = ("2026-11-27",)
"""Oldest first. A change that a careful client could notice is another version."""
NEWEST = RELEASED[-1]
HEADER = "PayNexus-Version"
