"""Deploy step: the database's migrations."""
