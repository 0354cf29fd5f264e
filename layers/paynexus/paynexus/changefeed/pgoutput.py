"""The write-ahead log as `pgoutput` tells it (protocol version 1): bytes to rows and commits.

Pure. The publication holds inserts only, so that is all this reads; any other message is an
error that names it, because skipping a change in silence would lose a fact.
https://www.postgresql.org/docs/18/protocol-logicalrep-message-formats.html
"""

import datetime as dt
import struct
from collections.abc import Mapping
from dataclasses import dataclass

POSTGRES_EPOCH = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)

_BEGIN = struct.Struct(">cQqI")
_COMMIT = struct.Struct(">cBQQq")
_INSERT = struct.Struct(">cIcH")
_NULL, _TEXT = ord("n"), ord("t")
_LENGTH = struct.Struct(">I")
_VALUE_HEAD = 1 + _LENGTH.size


class UnreadableMessage(ValueError):
    """The bytes are no message that this publication can send."""


@dataclass(frozen=True, slots=True)
class Begin:
    """A transaction starts; its commit is already known."""

    final_lsn: int
    committed_at: dt.datetime
    xid: int


@dataclass(frozen=True, slots=True)
class Commit:
    """A transaction ends; a reader that confirms `end_lsn` never sees it again."""

    lsn: int
    end_lsn: int
    committed_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Row:
    """One inserted row by its table and column names, its values in Postgres' text form."""

    table: str
    values: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Announcement:
    """A table's columns, an origin or a type: says nothing about rows."""

    tag: str


type Message = Begin | Commit | Row | Announcement


class Decoder:
    """Reads the messages of one stream in their order; UnreadableMessage for anything else.

    A transaction comes whole and behind those that committed before it, so what is not in
    that order is an error, too.
    """

    def __init__(self) -> None:
        self._tables: dict[int, tuple[str, tuple[str, ...]]] = {}
        self._is_open = False

    def read(self, data: bytes) -> Message:
        """What this message says."""
        try:
            return self._read(data)
        except (struct.error, IndexError, UnicodeDecodeError) as error:
            raise UnreadableMessage(f"message {data[:1]!r} breaks off: {error}") from error

    def _read(self, data: bytes) -> Message:
        match data[:1]:
            case b"I":
                return self._insert(data)
            case b"B":
                _require(not self._is_open, "a transaction begins inside another")
                self._is_open = True
                _, final_lsn, micros, xid = _whole(_BEGIN, data)
                return Begin(final_lsn, _moment(micros), xid)
            case b"C":
                _require(self._is_open, "a commit without a transaction")
                self._is_open = False
                _, _, lsn, end_lsn, micros = _whole(_COMMIT, data)
                return Commit(lsn, end_lsn, _moment(micros))
            case b"R":
                self._relation(data)
                return Announcement("R")
            case b"O" | b"Y" as tag:
                return Announcement(tag.decode())
            case tag:
                raise UnreadableMessage(f"message {tag!r} is not part of this publication")

    def _relation(self, data: bytes) -> None:
        """Sent before a table's first row, and again after a change of its columns."""
        reader = _Reader(data, 1)
        oid, _schema, name = reader.number(4), reader.string(), reader.string()
        reader.skip(1)  # replica identity: inserts need none
        columns = []
        for _ in range(reader.number(2)):
            reader.skip(1)  # flags: part of the key or not
            columns.append(reader.string())
            reader.skip(8)  # type and its modifier: values travel as text
        _require(reader.position == len(data), "bytes are left behind message b'R'")
        self._tables[oid] = name, tuple(columns)

    def _insert(self, data: bytes) -> Row:
        """The hot path: of each value, only the part that is kept is made."""
        _require(self._is_open, "a row outside a transaction")
        _, oid, new, width = _INSERT.unpack_from(data)
        _require(new == b"N", "an insert without its new row")
        if oid not in self._tables:
            raise UnreadableMessage(f"a row of the unannounced relation {oid}")
        table, columns = self._tables[oid]
        _require(width == len(columns), "a row of another width than its table")
        values: dict[str, str | None] = {}
        # One character a byte, so that positions are the same.
        text, position, is_plain = data.decode("latin-1"), _INSERT.size, data.isascii()
        for column in columns:
            kind = data[position]
            if kind == _TEXT:
                start = position + _VALUE_HEAD
                position = start + _LENGTH.unpack_from(data, position + 1)[0]
                value = text[start:position]
                is_itself = is_plain or value.isascii()
                values[column] = value if is_itself else data[start:position].decode()
            elif kind == _NULL:
                values[column] = None
                position += 1
            else:
                raise UnreadableMessage(f"a value of kind {chr(kind)!r}")
        if position > len(data):
            raise UnreadableMessage("message b'I' breaks off within its last value")
        _require(position == len(data), "bytes are left behind message b'I'")
        return Row(table, values)


class _Reader:
    """A position in one message; every read moves it, none goes past the end."""

    def __init__(self, data: bytes, position: int) -> None:
        self.position = position
        self._data = data

    def number(self, length: int) -> int:
        start = self.position
        self.skip(length)
        return int.from_bytes(self._data[start : self.position])

    def string(self) -> str:
        start, end = self.position, self._data.find(b"\0", self.position)
        if end < 0:
            raise IndexError("a name without its end")
        self.position = end + 1
        return self._data[start:end].decode()

    def skip(self, length: int) -> None:
        self.position += length
        if self.position > len(self._data):
            raise IndexError(f"{length} bytes are missing")


def _whole(layout: struct.Struct, data: bytes) -> tuple[int, ...]:
    _require(len(data) <= layout.size, f"bytes are left behind message {data[:1]!r}")
    return layout.unpack(data)


def _moment(micros: int) -> dt.datetime:
    return POSTGRES_EPOCH + dt.timedelta(microseconds=micros)


def _require(holds: bool, broken: str) -> None:  # noqa: FBT001 - reads as an assertion
    if not holds:
        raise UnreadableMessage(broken)
