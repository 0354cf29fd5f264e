"""Queue: hold the bank's files against the ledger."""
