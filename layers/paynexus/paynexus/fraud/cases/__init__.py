"""Cases: payments that a person looks at, and what the person finds."""
