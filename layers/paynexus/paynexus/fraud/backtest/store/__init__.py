"""Back-tests, promotions, settings and the replayed past, in SQL."""
