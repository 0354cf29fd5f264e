"""History: what was announced, to whom, and how that went."""
