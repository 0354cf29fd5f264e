"""The steps of a settlement's life: status, booking and announcement, in one transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import batched, groupby

from paynexus.changefeed import Fact, append_events
from paynexus.db import Connection
from paynexus.ids import SettlementId
from paynexus.ledger import store as ledger
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.chart import BOOKINGS
from paynexus.ledger.model import Order, Transfer, TransferKind
from paynexus.settlement import model, retries, store
from paynexus.settlement.merchant import views
from paynexus.settlement.model import Settlement, Status

FACTS = {
    Status.INSTRUCTED: "settlement.instructed.v1",
    Status.ACCEPTED: "settlement.accepted.v1",
    Status.PAID: "settlement.paid.v1",
    Status.REJECTED: "settlement.failed.v1",
    Status.RETURNED: "settlement.returned.v1",
}
"""What the world is told when a settlement gets there; `settlement.created.v1` came before."""
BOOKED = {
    Status.PAID: TransferKind.PAYOUT_PAID,
    Status.REJECTED: TransferKind.PAYOUT_REJECTED,
    Status.RETURNED: TransferKind.PAYOUT_RETURNED,
}
"""What moves when it gets there."""
BATCH = 5_000
"""Settlements that one statement moves."""
BOOKINGS_LIMIT = 2_000
"""Transfers that one statement books: its cost grows faster than their number."""


@dataclass(frozen=True, slots=True)
class Move:
    """A settlement, which the caller has locked, is to have this status next.

    `code` is the bank's reason for a failure.
    """

    id: SettlementId
    status: Status
    code: str | None = None


def advance(tx: Connection, moves: Iterable[Move], *, now: datetime) -> list[Transfer]:
    """Each settlement has its status, and its fact is on record; what is to be booked for them.

    A settlement is among the moves once. The caller books what is returned, all of a transaction
    in one batch: a batch locks all that it touches in one order, so that two files of the bank, or
    a file and a run of settlement, never wait for each other in a circle. A failure holds the
    merchant's payouts back for a time or until its details change; a payment lifts that.
    InvalidState for a move that the table does not allow.
    """
    bookings: list[Transfer] = []
    in_order = sorted(moves, key=lambda move: (move.status, move.id))
    for status, several in groupby(in_order, key=lambda move: move.status):
        for batch in batched(several, BATCH, strict=False):
            moved = _move(tx, status, batch, now)
            bookings += [booking for one in moved if (booking := _booking(one, status))]
    return bookings


def announce(tx: Connection, settlements: Sequence[Settlement], fact: str) -> None:
    """The fact of each is on record for the bus, in the transaction that makes it one."""
    append_events(
        tx,
        source="settlements.events",
        type=fact,
        facts=[
            Fact(one.mode, one.merchant_id, one.object_id, views.resource(one))
            for one in settlements
        ],
    )


def book(tx: Connection, transfers: Sequence[Transfer]) -> None:
    """The money is moved, at most once for each transfer."""
    orders = [Order.single(transfer) for transfer in transfers]
    ledger.lock(tx, orders)
    for batch in batched(orders, BOOKINGS_LIMIT, strict=False):
        for result in ledger.transfers(tx, batch, with_balances=False):
            result.require_booked()


def _move(tx: Connection, status: Status, moves: Sequence[Move], now: datetime) -> list[Settlement]:
    booked = BOOKED.get(status)
    moved = store.move(
        tx,
        status,
        [
            (move.id, model.transfer_id(move.id, booked) if booked else None, move.code)
            for move in moves
        ],
        now=now,
    )
    if status in model.FAILED:
        _hold(tx, moved, now)
    elif status is Status.PAID:
        store.lift_holds(tx, moved)
    announce(tx, moved, FACTS[status])
    return moved


def _hold(tx: Connection, failed: Sequence[Settlement], now: datetime) -> None:
    holds = store.lock_holds(tx, failed)
    for settlement in failed:
        payee = store.payee_of(settlement)
        refused = settlement.instruction["creditor"]
        holds[payee] = retries.after_failure(
            holds.get(payee), settlement.failure_code, refused, now=now
        )
    store.hold(tx, {store.payee_of(one): holds[store.payee_of(one)] for one in failed})


def _booking(settlement: Settlement, status: Status) -> Transfer | None:
    kind = BOOKED.get(status)
    if kind is None:
        return None
    debit, credit = (_account(of, settlement) for of in BOOKINGS[kind])
    return Transfer(
        id=model.transfer_id(settlement.id, kind),
        kind=kind,
        debit=debit,
        credit=credit,
        money=settlement.money,
        object_id=settlement.object_id,
    )


def _account(kind: AccountType, settlement: Settlement) -> Account:
    merchant_id = settlement.merchant_id if kind is AccountType.MERCHANT_PAYABLE else None
    return Account(kind, settlement.mode, settlement.currency, merchant_id)
