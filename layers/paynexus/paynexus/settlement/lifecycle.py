"""The steps of a settlement's life: status, booking and announcement, in one transaction."""

from collections.abc import Iterable

from paynexus.changefeed import append_event
from paynexus.db import Connection
from paynexus.ledger import store as ledger
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.model import Order, Transfer, TransferKind
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


def book(tx: Connection, bookings: Iterable[tuple[Settlement, TransferKind]]) -> None:
    """Each settlement's money is booked as its kind says: at most once, all in one batch.

    One call a transaction: a batch locks all that it touches in one order, so that two files of
    the bank, or a file and a run of settlement, never wait for each other in a circle.
    """
    orders = [Order.single(_transfer(settlement, kind)) for settlement, kind in bookings]
    for result in ledger.transfers(tx, orders, with_balances=False):
        result.require_booked()


def _transfer(settlement: Settlement, kind: TransferKind) -> Transfer:
    mode, currency = settlement.mode, settlement.currency
    payable = Account(AccountType.MERCHANT_PAYABLE, mode, currency, settlement.merchant_id)
    in_transit = Account(AccountType.SETTLEMENT_IN_TRANSIT, mode, currency)
    cash = Account(AccountType.CASH, mode, currency)
    debit, credit = {
        TransferKind.PAYOUT: (payable, in_transit),
        TransferKind.PAYOUT_PAID: (in_transit, cash),
        TransferKind.PAYOUT_RETURNED: (in_transit, payable),
    }[kind]
    return Transfer(
        id=model.transfer_id(settlement.id, kind),
        kind=kind,
        debit=debit,
        credit=credit,
        money=settlement.money,
        object_id=settlement.object_id,
    )
