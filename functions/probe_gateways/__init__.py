"""Schedule: ask gateways with an open circuit how they are, and let them back in."""
