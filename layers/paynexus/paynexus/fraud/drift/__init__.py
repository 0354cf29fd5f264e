"""Drift: how far the payments of a week are from those before, and how right decisions were."""
