"""QR codes over HTTP."""
