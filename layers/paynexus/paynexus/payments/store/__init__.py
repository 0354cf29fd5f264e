"""The SQL of payments, attempts and refunds: constants and the small functions that run them."""
