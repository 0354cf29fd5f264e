"""Identity: clients, tokens, keys and rate limits."""
