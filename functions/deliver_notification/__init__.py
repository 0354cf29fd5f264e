"""Delivers events to the merchants' endpoints."""
