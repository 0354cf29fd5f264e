"""Endpoints: where a merchant wants to be told, and of what."""
