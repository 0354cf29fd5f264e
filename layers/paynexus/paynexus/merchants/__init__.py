"""Merchants: records, fees and configuration."""
