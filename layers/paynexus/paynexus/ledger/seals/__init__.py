"""Seals: proof that what was recorded has not been altered since, also by who owns the database."""
