"""QR codes: issue, render, scan, spend."""
