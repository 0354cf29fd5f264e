"""Breaks in SQL, run on the caller's connection: they, what was proposed, how old they are."""
