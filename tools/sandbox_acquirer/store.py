"""The acquirer's books: one SQLite file, on disk before anything is answered."""

import fcntl
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.sandbox_acquirer.disputes import Dispute
from tools.sandbox_acquirer.rules import Charge, Request

SCHEMA = """
CREATE TABLE IF NOT EXISTS operations (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  reference TEXT NOT NULL UNIQUE,
  operation TEXT NOT NULL,
  charge_reference TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  amount INTEGER,
  currency TEXT,
  status TEXT NOT NULL CHECK (status IN ('processing', 'approved', 'declined')),
  settled INTEGER NOT NULL DEFAULT 0,
  fee INTEGER NOT NULL DEFAULT 0,
  answer TEXT NOT NULL,
  created_at TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS operations_by_day ON operations (created_at);
CREATE TABLE IF NOT EXISTS charges (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  reference TEXT NOT NULL UNIQUE,
  amount INTEGER NOT NULL,
  currency TEXT NOT NULL,
  payment_method TEXT NOT NULL,
  captured INTEGER NOT NULL CHECK (captured BETWEEN 0 AND amount),
  refunded INTEGER NOT NULL CHECK (refunded BETWEEN 0 AND captured),
  canceled INTEGER NOT NULL,
  released INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS canceled_before_arrival (
  reference TEXT PRIMARY KEY
) STRICT;
CREATE TABLE IF NOT EXISTS sends (
  reference TEXT PRIMARY KEY,
  sends INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS disputes (
  id TEXT PRIMARY KEY,
  charge_reference TEXT NOT NULL,
  amount INTEGER NOT NULL,
  currency TEXT NOT NULL,
  reason TEXT NOT NULL,
  respond_by TEXT NOT NULL,
  created TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('open', 'won', 'lost')),
  closed TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS disputes_of_charge ON disputes (charge_reference);
CREATE TABLE IF NOT EXISTS callbacks (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  body TEXT NOT NULL,
  delivered INTEGER NOT NULL DEFAULT 0
) STRICT;
"""

COUNT_SEND = """
INSERT INTO sends (reference, sends) VALUES (?, 1)
ON CONFLICT (reference) DO UPDATE SET sends = sends + 1
RETURNING sends
"""
PUT_OPERATION = """
INSERT INTO operations
  (reference, operation, charge_reference, fingerprint, amount, currency,
   status, settled, fee, answer, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (reference) DO UPDATE SET
  status = excluded.status, settled = excluded.settled, fee = excluded.fee,
  answer = excluded.answer, created_at = excluded.created_at
WHERE operations.status = 'processing'
"""
PUT_CHARGE = """
INSERT INTO charges
  (reference, amount, currency, payment_method, captured, refunded, canceled, released)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (reference) DO UPDATE SET
  captured = excluded.captured, refunded = excluded.refunded, canceled = excluded.canceled,
  released = excluded.released
"""
PUT_DISPUTE = """
INSERT INTO disputes
  (id, charge_reference, amount, currency, reason, respond_by, created, status, closed)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET status = excluded.status, closed = excluded.closed
"""
GET_DISPUTE = """
SELECT id, charge_reference, amount, currency, reason, respond_by, created, status
FROM disputes WHERE id = ?
"""
GET_OPERATION = "SELECT * FROM operations WHERE reference = ?"
# What a payer has back by a dispute, for now or for good.
DISPUTED = """
(SELECT coalesce(sum(amount), 0) FROM disputes
 WHERE charge_reference = charges.reference AND status <> 'won') AS disputed
"""
GET_CHARGE = "SELECT *, " + DISPUTED + " FROM charges WHERE reference = ?"  # noqa: S608 - our own text
LIST_CHARGES = (
    "SELECT charges.*, coalesce(sends.sends, 0) AS sends, "
    + DISPUTED
    + """
FROM charges LEFT JOIN sends USING (reference)
WHERE charges.sequence > ? ORDER BY charges.sequence LIMIT ?
"""
)
SETTLED_ON = """
SELECT sequence, reference, operation, charge_reference, currency, settled, fee, created_at
FROM operations WHERE settled <> 0 AND created_at >= ?1 AND created_at < ?2
UNION ALL
SELECT rowid, id, 'dispute', charge_reference, currency, -amount, 0, created
FROM disputes WHERE created >= ?1 AND created < ?2
UNION ALL
SELECT rowid, id, 'dispute_won', charge_reference, currency, amount, 0, closed
FROM disputes WHERE status = 'won' AND closed >= ?1 AND closed < ?2
ORDER BY created_at, sequence
"""
COUNTS = """
SELECT operation, status, count(*) AS operations FROM operations
GROUP BY operation, status ORDER BY operation, status
"""
TOTALS = """
SELECT currency, count(*) AS charges, sum(amount) AS authorized, sum(captured) AS captured,
  sum(refunded) AS refunded, sum(CASE WHEN canceled THEN captured ELSE 0 END) AS reversed
FROM charges GROUP BY currency ORDER BY currency
"""
RESENT = "SELECT count(*) AS n, coalesce(max(sends), 0) AS most FROM sends WHERE sends > 1"
# An operation in progress when the process died never took effect.
FORGET_UNFINISHED = "DELETE FROM operations WHERE status = 'processing'"
PENDING_CALLBACKS = "SELECT id, body FROM callbacks WHERE NOT delivered ORDER BY id"


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
        self._connection.executescript(SCHEMA)
        self._connection.execute(FORGET_UNFINISHED)

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
        return int(self._one(COUNT_SEND, reference)["sends"])

    def operation(self, reference: str) -> Operation | None:
        """The operation under `reference`, if it ever took hold."""
        row = self._maybe(GET_OPERATION, reference)
        if row is None:
            return None
        return Operation(row["fingerprint"], row["charge_reference"], row["status"], row["answer"])

    def put_operation(self, request: Request, entry: Entry) -> None:
        """Record or finish an operation; a finished one never changes."""
        self._run(
            PUT_OPERATION,
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
        row = self._maybe(GET_CHARGE, reference)
        return None if row is None else _charge(row)

    def put_charge(self, charge: Charge) -> None:
        """The charge is recorded as it is now."""
        self._run(
            PUT_CHARGE,
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
        row = self._maybe(GET_DISPUTE, dispute_id)
        return None if row is None else Dispute(**dict(row))

    def put_dispute(self, dispute: Dispute, *, closed: str | None = None) -> None:
        """The dispute is recorded as it is now, and when it ended."""
        self._run(
            PUT_DISPUTE,
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
        sql = "SELECT 1 FROM canceled_before_arrival WHERE reference = ?"
        return self._maybe(sql, reference) is not None

    def put_callback(self, body: str) -> None:
        """The callback will be delivered, even if the process dies first."""
        self._run("INSERT INTO callbacks (body) VALUES (?)", body)

    def pending_callbacks(self) -> list[tuple[int, str]]:
        """Callbacks that were not taken yet, oldest first."""
        return [(row["id"], row["body"]) for row in self._all(PENDING_CALLBACKS)]

    def callback_delivered(self, callback_id: int) -> None:
        """The callback was taken."""
        self._run("UPDATE callbacks SET delivered = 1 WHERE id = ?", callback_id)

    def charges(self, *, after: int, limit: int) -> list[tuple[int, Charge, int]]:
        """Charges with their place in the list and how often each was sent."""
        rows = self._all(LIST_CHARGES, after, limit)
        return [(row["sequence"], _charge(row), row["sends"]) for row in rows]

    def settled_between(self, start: str, end: str) -> list[Mapping[str, object]]:
        """Operations that moved money in [start, end)."""
        return [dict(row) for row in self._all(SETTLED_ON, start, end)]

    def statistics(self) -> dict[str, object]:
        """Totals over everything ever recorded."""
        resent = self._one(RESENT)
        return {
            "operations": [dict(row) for row in self._all(COUNTS)],
            "totals": [dict(row) for row in self._all(TOTALS)],
            "references_sent_again": resent["n"],
            "most_sends_of_one_reference": resent["most"],
        }

    def _run(self, sql: str, *parameters: object) -> None:
        with self._lock:
            self._connection.execute(sql, parameters)

    def _all(self, sql: str, *parameters: object) -> list[sqlite3.Row]:
        with self._lock:
            return self._connection.execute(sql, parameters).fetchall()

    def _maybe(self, sql: str, *parameters: object) -> sqlite3.Row | None:
        rows = self._all(sql, *parameters)
        return rows[0] if rows else None

    def _one(self, sql: str, *parameters: object) -> sqlite3.Row:
        return self._all(sql, *parameters)[0]


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
