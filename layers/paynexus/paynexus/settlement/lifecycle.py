"""The steps of a settlement's life: status, booking and announcement, in one transaction."""

from datetime import datetime

from paynexus.changefeed import append_event
from paynexus.db import Connection
from paynexus.ledger import store as ledger
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.model import Transfer, TransferKind
from paynexus.settlement import model, store, views
from paynexus.settlement.model import Settlement, Status


def mark_instructed(tx: Connection, settlement: Settlement) -> Settlement:
    """The bank has the settlement's file: INSTRUCTED, and announced."""
    moved = store.move(tx, settlement, Status.INSTRUCTED)
    announce(tx, moved, "settlement.instructed.v1")
    return moved


def announce(tx: Connection, settlement: Settlement, fact: str) -> None:
    """The fact is on record for the bus, in the transaction that makes it one."""
    append_event(
        tx,
        source="settlements.events",
        type=fact,
        mode=settlement.mode,
        merchant_id=settlement.merchant_id,
        object_id=settlement.object_id,
        data=views.resource(settlement),
    )


def book(tx: Connection, settlement: Settlement, kind: TransferKind, *, now: datetime) -> None:
    """The settlement's money is booked as this kind says: at most once."""
    mode, currency = settlement.mode, settlement.currency
    payable = Account(AccountType.MERCHANT_PAYABLE, mode, currency, settlement.merchant_id)
    in_transit = Account(AccountType.SETTLEMENT_IN_TRANSIT, mode, currency)
    cash = Account(AccountType.CASH, mode, currency)
    debit, credit = {
        TransferKind.PAYOUT: (payable, in_transit),
        TransferKind.PAYOUT_PAID: (in_transit, cash),
        TransferKind.PAYOUT_RETURNED: (in_transit, payable),
    }[kind]
    transfer = Transfer(
        id=model.transfer_id(settlement.id, kind),
        kind=kind,
        debit=debit,
        credit=credit,
        money=settlement.money,
        object_id=settlement.object_id,
    )
    ledger.post(tx, transfer, at=now)
