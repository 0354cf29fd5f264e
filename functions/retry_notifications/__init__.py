"""Keeps the schedule of deliveries."""
