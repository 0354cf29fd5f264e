"""Gateways' settlement files, held against the ledger and against what arrives at the bank."""
