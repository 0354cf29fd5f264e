"""Schedule: payments left half-way."""
