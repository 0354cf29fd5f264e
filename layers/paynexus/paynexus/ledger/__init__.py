"""The ledger: two-phase double entry inside Postgres."""
