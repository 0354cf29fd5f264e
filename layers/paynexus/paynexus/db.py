"""Postgres: one checked connection an execution environment, transactions, typed errors."""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import errors as pg
from psycopg.rows import RowFactory, tuple_row

from paynexus import errors
from paynexus.observability import logger

type Connection = psycopg.Connection[tuple[Any, ...]]

CONNECT_TIMEOUT_SECONDS = 5
STATEMENT_TIMEOUT_MS = 10_000
LOCK_TIMEOUT_MS = 4_000
IDLE_IN_TRANSACTION_TIMEOUT_MS = 15_000
LIMIT_OF_AN_ACCOUNT = "total_never_falls_below_zero"
"""The constraint that a transfer breaks when its account was limited while it waited."""
UNSTORABLE = frozenset({None, "22P05", "22021", "22003"})
"""SQLSTATEs of what Postgres can't hold: NUL in text (None: psycopg's own check), and numbers,
sums of the ledger among them, beyond 64 bits."""
TRUSTED_IDLE_SECONDS = 1.0
"""A connection used this recently is taken to be alive without a round trip."""
MIGRATION_LOCK = 0x7061796E  # "payn": one migration at a time

SQLSTATE_ERRORS: dict[str, type[errors.PayNexusError]] = {
    "PN001": errors.TransferExistsWithDifference,
    "PN002": errors.PendingTransferNotFound,
    "PN003": errors.PendingTransferAlreadyPosted,
    "PN004": errors.PendingTransferAlreadyVoided,
    "PN005": errors.PendingTransferExceeded,
    "PN006": errors.PendingTransferExpired,
    "PN007": errors.InvalidTransfer,
    "PN008": errors.PendingTransferExceeded,
    "PN010": errors.InvalidState,
    "PN011": errors.NotFound,
    "PN012": errors.InvalidRequest,
    "PN013": errors.ChangedMeanwhile,
    "PN030": errors.TransferAlreadyFailed,
    "PN031": errors.FundsExceeded,
    "PN032": errors.FundsExceeded,
    "PN033": errors.AccountClosed,
    "PN034": errors.AccountClosed,
    "PN035": errors.InvalidTransfer,
    "PN036": errors.InvalidTransfer,
    "PN037": errors.InvalidTransfer,
    "PN038": errors.InvalidTransfer,
    "PN039": errors.TransferAlreadyReversed,
    "PN040": errors.InvalidTransfer,
    "PN041": errors.InvalidTransfer,
    "PN042": errors.LinkedTransferFailed,
    "PN043": errors.InvalidTransfer,
    "PN044": errors.InvalidTransfer,
}
"""SQLSTATEs that our own SQL functions raise, as the errors they mean."""


class Database:
    """Hands out the environment's one connection; opens it late and again after a loss.

    Lambda freezes processes, and sockets die unseen: a connection that has been idle is
    tried before use. `conninfo` is asked at each connect, so that a rotated secret is seen.
    """

    def __init__(
        self, conninfo: Callable[[], str], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._conninfo = conninfo
        self._monotonic = monotonic
        self._connection: Connection | None = None
        self._used_at = 0.0

    def connection(self) -> Connection:
        """A live connection in autocommit mode; DatabaseUnavailable when there is none."""
        now = self._monotonic()
        is_doubtful = now - self._used_at > TRUSTED_IDLE_SECONDS
        self._used_at = now
        if self._connection is None or not _is_alive(self._connection, ask=is_doubtful):
            self.close()
            self._connection = _connect(self._conninfo())
        return self._connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A live connection for reads that need no transaction; raises as `transaction` does."""
        with typed_errors():
            yield self.connection()

    @contextmanager
    def statement(self) -> Iterator[Connection]:
        """A live connection for one statement that commits by itself; raises as `transaction`."""
        with typed_errors():
            yield self.connection()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Raises the typed error for our own SQLSTATEs, DatabaseUnavailable for a lost
        connection, a time-out or a lost race that the caller may simply repeat.
        """
        with typed_errors():
            connection = self.connection()
            with connection.transaction():
                yield connection

    def close(self) -> None:
        """The connection is closed; the next use opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@contextmanager
def bounded(
    connection: Connection,
    query: str,
    values: Mapping[str, object],
    *,
    milliseconds: int,
    row_factory: RowFactory[Any] = tuple_row,
) -> Iterator[psycopg.Cursor[Any]]:
    """What one statement answers within so many milliseconds, which Postgres itself sees to.

    One message and one transaction of its own, on a connection without another. Raises
    QueryCanceled (psycopg) when the time is up.
    """
    with psycopg.ClientCursor(connection, row_factory=row_factory) as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = {milliseconds:d}; {query}".encode(), values)
        cursor.nextset()
        yield cursor


@contextmanager
def typed_errors() -> Iterator[None]:
    """What Postgres raises inside the block leaves it as an error of our own."""
    try:
        yield
    except (pg.OperationalError, pg.SerializationFailure, pg.DeadlockDetected) as error:
        logger.warning("database unavailable", sqlstate=error.sqlstate)
        raise errors.DatabaseUnavailable(
            "The database did not answer in time. Repeat the request with the same Idempotency-Key."
        ) from error
    except psycopg.DataError as error:
        if error.sqlstate not in UNSTORABLE:
            raise
        raise errors.InvalidRequest(
            f"A value can not be stored: {error.diag.message_primary or error}."
        ) from error
    except pg.CheckViolation as error:
        if error.diag.constraint_name != LIMIT_OF_AN_ACCOUNT:
            raise
        raise errors.FundsExceeded("The account can't give so much.") from error
    except psycopg.Error as error:
        known = SQLSTATE_ERRORS.get(error.sqlstate or "")
        if known is None:
            # The whole message shows the failing row, and with it what no log may hold.
            error.args = (error.diag.message_primary or type(error).__name__,)
            raise
        raise known(error.diag.message_primary or "", param=error.diag.column_name) from error


def migrate(connection: Connection, directory: Path) -> list[str]:
    """Apply the numbered files that this database has not seen; their names are returned.

    Each file is one transaction; all run under one advisory lock, so that two deployments
    apply each file once. RuntimeError when an applied file has since been changed.
    """
    applied = []
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATION_LOCK,))
        connection.execute(_MIGRATIONS_TABLE)
        seen = _applied(connection)
        for path in sorted(directory.glob("[0-9]*.sql")):
            text = path.read_text(encoding="utf-8")
            checksum = hashlib.sha256(text.encode()).hexdigest()
            if path.name in seen:
                _require_unchanged(path.name, checksum, seen[path.name])
                continue
            connection.execute(
                f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}; SET LOCAL statement_timeout = 0"
            )
            connection.execute(text.encode())
            connection.execute(
                "INSERT INTO schema_migrations (name, checksum) VALUES (%s, %s)",
                (path.name, checksum),
            )
            applied.append(path.name)
    return applied


_MIGRATIONS_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name TEXT PRIMARY KEY,
    checksum TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT now()
)
"""


def _applied(connection: Connection) -> dict[str, str]:
    rows = connection.execute("SELECT name, checksum FROM schema_migrations")
    return {row[0]: row[1] for row in rows}


def _require_unchanged(name: str, checksum: str, recorded: str) -> None:
    if checksum != recorded:
        raise RuntimeError(
            f"{name} was changed after it had been applied: put the change in a new file"
        )


def _connect(conninfo: str) -> Connection:
    # No server-side prepared statements and no session SET: RDS Proxy pins on both. The
    # time-outs travel as start-up options.
    options = (
        f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c lock_timeout={LOCK_TIMEOUT_MS} "
        f"-c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_TIMEOUT_MS}"
    )
    with typed_errors():
        return psycopg.connect(
            conninfo,
            autocommit=True,
            prepare_threshold=None,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            application_name="paynexus",
            options=options,
        )


def _is_alive(connection: Connection, *, ask: bool) -> bool:
    if connection.closed or connection.broken:
        return False
    if not ask:
        return True
    try:
        connection.execute("")
    except psycopg.Error:
        return False
    return True
