"""OAuth tokens, the public keys to verify them, and liveness."""
