"""Rules in Postgres. A decision needs `load` alone."""

from paynexus.fraud.rulebook.store.rules import candidate, load

__all__ = ["candidate", "load"]
