"""Velocity: how much of the same came within a while."""
