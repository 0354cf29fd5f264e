"""Notification: tell the merchant, reliably."""
