"""What merchants read of settlement: what they were paid, of what, and what comes next."""
