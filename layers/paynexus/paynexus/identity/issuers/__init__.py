"""Issuers that merchants bring: whose tokens are accepted besides our own, and by which keys."""
