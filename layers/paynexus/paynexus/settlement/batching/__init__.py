"""One run of settlement: what each merchant is owed up to its cut-off becomes a settlement."""
