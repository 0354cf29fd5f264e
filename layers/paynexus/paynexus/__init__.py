"""PayNexus: payments, ledger, orchestration and settlement for one merchant platform."""
