"""The acquirer's books: one SQLite file, on disk before anything is answered."""

import fcntl
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.sandbox_acquirer import sql
from tools.sandbox_acquirer.disputes import Dispute
from tools.sandbox_acquirer.rules import Charge, Request
from tools.sandbox_acquirer.settlement import Planted


class StateInUseError(Exception):
    """Another acquirer runs on this state folder; give each its own."""


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation as it stands in the books."""

    fingerprint: str
    charge_reference: str
    status: str
    answer: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What becomes of a request in the books."""

    status: str
    answer: str
    created_at: str
    settled: int = 0
    fee: int = 0


class Store:
    """One connection under one lock: every transaction sees the books alone."""

    def __init__(self, directory: Path) -> None:
        """Open (or create) the books in `directory` and take them for this process alone."""
        directory.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._owner = (directory / "lock").open("w")
        try:
            fcntl.flock(self._owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._owner.close()
            message = f"another acquirer is running on {directory}; stop it or use another --state"
            raise StateInUseError(message) from error
        self._connection = sqlite3.connect(
            directory / "acquirer.sqlite",
            isolation_level=None,
            check_same_thread=False,
        )
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.executescript(sql.SCHEMA)
        self._connection.execute(sql.FORGET_UNFINISHED)

    def close(self) -> None:
        """Close the books and let another process have them."""
        with self._lock:
            self._connection.close()
            self._owner.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside are on disk afterwards, or none are."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def count_send(self, reference: str) -> int:
        """How often this reference was sent, this time included."""
        return int(self._one(sql.COUNT_SEND, reference)["sends"])

    def operation(self, reference: str) -> Operation | None:
        """The operation under `reference`, if it ever took hold."""
        row = self._maybe(sql.GET_OPERATION, reference)
        if row is None:
            return None
        return Operation(row["fingerprint"], row["charge_reference"], row["status"], row["answer"])

    def put_operation(self, request: Request, entry: Entry) -> None:
        """Record or finish an operation; a finished one never changes."""
        self._run(
            sql.PUT_OPERATION,
            request.reference,
            request.operation.value,
            request.charge_reference,
            request.fingerprint,
            request.amount,
            request.currency,
            entry.status,
            entry.settled,
            entry.fee,
            entry.answer,
            entry.created_at,
        )

    def charge(self, reference: str) -> Charge | None:
        """The approved charge under `reference`."""
        row = self._maybe(sql.GET_CHARGE, reference)
        return None if row is None else _charge(row)

    def put_charge(self, charge: Charge) -> None:
        """The charge is recorded as it is now."""
        self._run(
            sql.PUT_CHARGE,
            charge.reference,
            charge.amount,
            charge.currency,
            charge.payment_method,
            charge.captured,
            charge.refunded,
            int(charge.canceled),
            int(charge.released),
        )

    def dispute(self, dispute_id: str) -> Dispute | None:
        """The dispute of this id."""
        row = self._maybe(sql.GET_DISPUTE, dispute_id)
        return None if row is None else Dispute(**dict(row))

    def put_dispute(self, dispute: Dispute, *, closed: str | None = None) -> None:
        """The dispute is recorded as it is now, and when it ended."""
        self._run(
            sql.PUT_DISPUTE,
            dispute.id,
            dispute.charge_reference,
            dispute.amount,
            dispute.currency,
            dispute.reason,
            dispute.respond_by,
            dispute.created,
            dispute.status,
            closed,
        )

    def cancel_before_arrival(self, reference: str) -> None:
        """A charge that still comes under `reference` will be declined."""
        self._run("INSERT OR IGNORE INTO canceled_before_arrival VALUES (?)", reference)

    def is_canceled_before_arrival(self, reference: str) -> bool:
        """Whether the merchant cancelled `reference` without it ever having come."""
        query = "SELECT 1 FROM canceled_before_arrival WHERE reference = ?"
        return self._maybe(query, reference) is not None

    def put_callback(self, body: str) -> None:
        """The callback will be delivered, even if the process dies first."""
        self._run("INSERT INTO callbacks (body) VALUES (?)", body)

    def pending_callbacks(self) -> list[tuple[int, str]]:
        """Callbacks that were not taken yet, oldest first."""
        return [(row["id"], row["body"]) for row in self._all(sql.PENDING_CALLBACKS)]

    def callback_delivered(self, callback_id: int) -> None:
        """The callback was taken."""
        self._run("UPDATE callbacks SET delivered = 1 WHERE id = ?", callback_id)

    def charges(self, *, after: int, limit: int) -> list[tuple[int, Charge, int]]:
        """Charges with their place in the list and how often each was sent."""
        rows = self._all(sql.LIST_CHARGES, after, limit)
        return [(row["sequence"], _charge(row), row["sends"]) for row in rows]

    def settled_between(self, start: str, end: str) -> list[tuple[Any, ...]]:
        """What moved money in [start, end): the fields of settlement lines, in their order."""
        return [tuple(row) for row in self._all(sql.SETTLED_ON, start, end)]

    def plant(self, day: str, planted: Planted) -> None:
        """The day's settlement file has the fault from now on."""
        self._run(sql.PLANT_FAULT, day, planted.fault, planted.reference, planted.operation)

    def planted(self, day: str) -> list[Planted]:
        """The faults of the day's settlement file."""
        return [Planted(**dict(row)) for row in self._all(sql.FAULTS_OF, day)]

    def statistics(self) -> dict[str, object]:
        """Totals over everything ever recorded."""
        resent = self._one(sql.RESENT)
        return {
            "operations": [dict(row) for row in self._all(sql.COUNTS)],
            "totals": [dict(row) for row in self._all(sql.TOTALS)],
            "references_sent_again": resent["n"],
            "most_sends_of_one_reference": resent["most"],
        }

    def _run(self, query: str, *parameters: object) -> None:
        with self._lock:
            self._connection.execute(query, parameters)

    def _all(self, query: str, *parameters: object) -> list[sqlite3.Row]:
        with self._lock:
            return self._connection.execute(query, parameters).fetchall()

    def _maybe(self, query: str, *parameters: object) -> sqlite3.Row | None:
        rows = self._all(query, *parameters)
        return rows[0] if rows else None

    def _one(self, query: str, *parameters: object) -> sqlite3.Row:
        return self._all(query, *parameters)[0]


def _charge(row: sqlite3.Row) -> Charge:
    return Charge(
        reference=row["reference"],
        amount=row["amount"],
        currency=row["currency"],
        payment_method=row["payment_method"],
        captured=row["captured"],
        refunded=row["refunded"],
        disputed=row["disputed"],
        canceled=bool(row["canceled"]),
        released=bool(row["released"]),
    )
