"""Schedule: what fraud decisions rest on is kept current."""
