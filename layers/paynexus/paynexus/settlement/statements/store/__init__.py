"""What banks said, and what became of it, in Postgres."""
