"""Exports the sealed books, and verifies an export without the database that it came from."""
