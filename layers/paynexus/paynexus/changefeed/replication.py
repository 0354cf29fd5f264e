"""The write-ahead log as the server streams it: START_REPLICATION, on a connection of its own.

The one place that uses libpq's own calls: psycopg has none for a copy in both directions. What
travels: https://www.postgresql.org/docs/18/protocol-replication.html
"""

import select
import struct
import time
from collections.abc import Callable

import psycopg
from psycopg import errors as pg
from psycopg import sql

from paynexus.db import CONNECT_TIMEOUT_SECONDS, Database, typed_errors
from paynexus.errors import ChangefeedLost, DatabaseUnavailable
from paynexus.observability import logger

SENDER_TIMEOUT_SECONDS = 30
"""A reader that says nothing for so long has lost the slot: what a vanished one costs, at most.
Longer than the longest call of the bus and the longest backoff together."""
LINE_TIMEOUT_SECONDS = 10
"""A server that acknowledges nothing for so long is gone, whatever the line pretends."""
STATUS_SECONDS = 0.05
"""How often the server is told of a new position, at most …"""
PING_SECONDS = 5.0
"""… and of the old one, at least."""
READ_BYTES = 1024 * 1024
"""What is handed over at once, but for one message that is longer."""
CLOSING_SECONDS = 2.0

_HEAD = struct.Struct(">cQQQ")
"""Of a message of the log: its kind, where it begins, where the log ends, the server's clock."""
_KEEPALIVE = struct.Struct(">cQQ?")
_STATUS = struct.Struct(">cQQQQB")
"""What a reader says: received, safe, applied, its own clock (not kept here), answer wanted."""

# The log's times are read as text, hence the fixed zone and style.
_OPTIONS = f"-c wal_sender_timeout={SENDER_TIMEOUT_SECONDS}s -c timezone=UTC -c datestyle=ISO,YMD"

type Message = bytes | int
"""What the output plugin wrote, or the position up to which the server has sent everything."""


class SlotBusy(Exception):
    """Another session reads the slot."""


class Log:
    """The log behind one slot, from what was last confirmed on.

    The slot is the right to read: the server lets one session have it, and takes it back when
    that session ends. Every call raises DatabaseUnavailable when the server or the line is gone.
    """

    def __init__(self, conninfo: str, *, options: str = _OPTIONS) -> None:
        with typed_errors():
            self._connection = psycopg.connect(
                conninfo,
                autocommit=True,
                prepare_threshold=None,
                replication="database",
                connect_timeout=CONNECT_TIMEOUT_SECONDS,
                tcp_user_timeout=LINE_TIMEOUT_SECONDS * 1000,
                application_name="paynexus changefeed",
                options=options,
            )
        self._wire = self._connection.pgconn
        self._poll = select.poll()
        self._poll.register(self._wire.socket, select.POLLIN)
        self._is_streaming = False
        self._confirmed = 0
        self._told = 0
        self._told_at = 0.0

    def start(self, slot: str, *, publication: str) -> None:
        """The log is streamed; SlotBusy while another reads it, ChangefeedLost without it."""
        # Position 0/0: the slot knows better than any reader where to begin.
        statement = sql.SQL(
            "START_REPLICATION SLOT {} LOGICAL 0/0 (proto_version '1', publication_names {})"
        ).format(sql.Identifier(slot), sql.Literal(publication))
        with typed_errors():
            try:
                self._connection.execute(statement)
            except pg.ObjectInUse as error:
                raise SlotBusy from error
            except (pg.UndefinedObject, pg.ObjectNotInPrerequisiteState) as error:
                raise ChangefeedLost(lost(slot, error.diag.message_primary)) from error
        self._is_streaming = True

    def read(self, *, seconds: float) -> list[Message]:
        """What the server has sent by now; waits so long for something to be there."""
        with typed_errors():
            messages = self._at_hand()
            if not messages and self._poll.poll(seconds * 1000):
                messages = self._at_hand()
            return messages

    def confirm(self, position: int) -> None:
        """The log up to `position` is never sent again, as soon as the server has heard of it."""
        self._confirmed = max(self._confirmed, position)
        silence = time.monotonic() - self._told_at
        is_news = self._confirmed > self._told
        if silence >= (STATUS_SECONDS if is_news else PING_SECONDS):
            with typed_errors():
                self._tell()

    def close(self) -> None:
        """The slot is free for another; the server knows the last position if it can be told."""
        try:
            if self._is_streaming:
                self._stop()
        except psycopg.Error as error:
            logger.info("the log's stream ended by itself", reason=type(error).__name__)
        finally:
            self._connection.close()

    def _at_hand(self) -> list[Message]:
        messages, size, is_fresh = list[Message](), 0, False
        while size < READ_BYTES:
            length, data = self._wire.get_copy_data(1)
            if length > 0:
                messages.append(self._message(bytes(data)))
                size, is_fresh = size + length, False
            elif length < 0:
                self._raise_end()
            elif is_fresh:
                break
            else:
                # Takes what the socket holds, and doesn't wait for more.
                self._wire.consume_input()
                is_fresh = True
        return messages

    def _message(self, data: bytes) -> Message:
        if data[:1] == b"w":
            return data[_HEAD.size :]
        _, position, _, wants_answer = _KEEPALIVE.unpack(data)
        if wants_answer:
            self._tell()
        return int(position)

    def _tell(self) -> None:
        # Received, safe and applied are one to us: on the bus.
        here = self._confirmed
        self._wire.put_copy_data(_STATUS.pack(b"r", here, here, here, 0, 0))
        self._wire.flush()
        self._told, self._told_at = here, time.monotonic()

    def _stop(self) -> None:
        """The server ends the stream in good order, unless it is in the midst of a long one."""
        self._tell()
        self._wire.put_copy_end()
        self._wire.flush()
        end = time.monotonic() + CLOSING_SECONDS
        while (left := end - time.monotonic()) > 0:
            self._wire.consume_input()
            while (length := self._wire.get_copy_data(1)[0]) > 0:
                pass
            if length < 0:
                # Both ends are done: with this the slot is free.
                self._wire.get_result()
                return
            self._poll.poll(left * 1000)

    def _raise_end(self) -> None:
        """The server stopped sending, which it only does when it goes."""
        self._is_streaming = False
        result = self._wire.get_result()
        said = result.error_message.decode(errors="replace").strip() if result else ""
        raise DatabaseUnavailable(f"The log's stream ended: {said or 'the server shuts down'}.")


class Source:
    """The database that facts come from: its tables, and its log on connections of their own."""

    def __init__(self, conninfo: Callable[[], str]) -> None:
        self.tables = Database(conninfo)
        self._conninfo = conninfo

    def log(self) -> Log:
        """The log, over a new connection."""
        return Log(self._conninfo())

    def close(self) -> None:
        """The tables' connection is closed."""
        self.tables.close()


def lost(slot: str, reason: str | None) -> str:
    """What is said of a slot that is gone."""
    return f"the slot {slot} is gone ({reason}): follow docs/runbooks/changefeed-lost.md"
