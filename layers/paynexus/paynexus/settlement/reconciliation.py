"""Reconciliation: take the bank's answers and statements, each once, losing nothing of them."""

from datetime import datetime

from paynexus.db import Database
from paynexus.settlement.bank.port import Bank
from paynexus.settlement.statements import service
from paynexus.settlement.statements.service import Reconciliation


def reconcile(db: Database, bank: Bank, *, object_key: str, now: datetime) -> Reconciliation:
    """Everything in the bank's file is applied once, or on record with the reason why not.

    BankFileRefused when the file can't be read; nothing of it was applied then.
    """
    with bank.receive(object_key) as file:
        return service.apply(db, file, name=object_key, now=now)
