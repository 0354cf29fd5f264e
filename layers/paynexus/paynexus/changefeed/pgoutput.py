"""The write-ahead log as `pgoutput` tells it (protocol version 1): bytes to transactions.

Pure. The publication holds inserts only, so that is all this reads; any other message is an
error that names it, because skipping a change in silence would lose a fact.
https://www.postgresql.org/docs/18/protocol-logicalrep-message-formats.html
"""

import datetime as dt
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

POSTGRES_EPOCH = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)

_NULL, _TEXT = b"n", b"t"
_NEW_TUPLE = b"N"


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
class Relation:
    """A table's columns, sent before its first row and again after a change."""

    oid: int
    schema: str
    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Insert:
    """A new row, its values in Postgres' text form."""

    relation_oid: int
    values: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Annotation:
    """An origin or a type: says nothing about rows."""

    tag: str


type Message = Begin | Commit | Relation | Insert | Annotation


@dataclass(frozen=True, slots=True)
class Row:
    """One inserted row by its table and column names."""

    table: str
    values: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Transaction:
    """All rows of one commit, in the order they were written."""

    end_lsn: int
    committed_at: dt.datetime
    rows: tuple[Row, ...]


def transactions(messages: Iterable[bytes]) -> Iterator[Transaction]:
    """The committed transactions in commit order; the log never sends half of one."""
    relations: dict[int, Relation] = {}
    rows: list[Row] = []
    is_open = False
    for data in messages:
        match decode(data):
            case Begin():
                _require(not is_open, "a transaction begins inside another")
                is_open, rows = True, []
            case Relation() as relation:
                relations[relation.oid] = relation
            case Insert() as insert:
                _require(is_open, "a row outside a transaction")
                rows.append(_row(relations, insert))
            case Commit() as commit:
                _require(is_open, "a commit without a transaction")
                is_open = False
                yield Transaction(commit.end_lsn, commit.committed_at, tuple(rows))
            case Annotation():
                pass
    _require(not is_open, "a transaction without its commit")


def decode(data: bytes) -> Message:
    """The one message that `data` is; UnreadableMessage when it is anything else."""
    try:
        return _decode(data)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise UnreadableMessage(f"message {data[:1]!r} breaks off: {error}") from error


def _decode(data: bytes) -> Message:
    reader = _Reader(data)
    message: Message
    match tag := reader.take(1):
        case b"B":
            message = Begin(reader.int64(), reader.moment(), reader.int32())
        case b"C":
            reader.take(1)  # flags, unused
            message = Commit(reader.int64(), reader.int64(), reader.moment())
        case b"R":
            message = _relation(reader)
        case b"I":
            message = _insert(reader)
        case b"O" | b"Y":
            return Annotation(tag.decode())
        case _:
            raise UnreadableMessage(f"message {tag!r} is not part of this publication")
    _require(reader.is_at_end(), f"bytes are left behind message {tag!r}")
    return message


def _relation(reader: "_Reader") -> Relation:
    oid, schema, name = reader.int32(), reader.string(), reader.string()
    reader.take(1)  # replica identity: inserts need none
    return Relation(oid, schema, name, tuple(_column(reader) for _ in range(reader.int16())))


def _column(reader: "_Reader") -> str:
    reader.take(1)  # flags: part of the key or not
    name = reader.string()
    reader.take(8)  # type and its modifier: values travel as text
    return name


def _insert(reader: "_Reader") -> Insert:
    oid = reader.int32()
    _require(reader.take(1) == _NEW_TUPLE, "an insert without its new row")
    return Insert(oid, tuple(_value(reader) for _ in range(reader.int16())))


def _value(reader: "_Reader") -> str | None:
    kind = reader.take(1)
    if kind == _NULL:
        return None
    _require(kind == _TEXT, f"a value of kind {kind!r}")
    return reader.take(reader.int32()).decode()


def _row(relations: Mapping[int, Relation], insert: Insert) -> Row:
    relation = relations.get(insert.relation_oid)
    if relation is None:
        raise UnreadableMessage(f"a row of the unannounced relation {insert.relation_oid}")
    _require(len(relation.columns) == len(insert.values), "a row of another width than its table")
    return Row(relation.name, dict(zip(relation.columns, insert.values, strict=True)))


def _require(holds: bool, broken: str) -> None:  # noqa: FBT001 - reads as an assertion
    if not holds:
        raise UnreadableMessage(broken)


class _Reader:
    """A position in one message; every read moves it, none goes past the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def take(self, length: int) -> bytes:
        end = self._position + length
        if length < 0 or end > len(self._data):
            raise IndexError(f"{length} bytes wanted at {self._position} of {len(self._data)}")
        part = self._data[self._position : end]
        self._position = end
        return part

    def int16(self) -> int:
        return self._number(">H", 2)

    def int32(self) -> int:
        return self._number(">I", 4)

    def int64(self) -> int:
        return self._number(">Q", 8)

    def moment(self) -> dt.datetime:
        return POSTGRES_EPOCH + dt.timedelta(microseconds=self._number(">q", 8))

    def string(self) -> str:
        end = self._data.find(b"\0", self._position)
        if end < 0:
            raise IndexError("a name without its end")
        name = self.take(end - self._position).decode()
        self.take(1)
        return name

    def is_at_end(self) -> bool:
        return self._position == len(self._data)

    def _number(self, layout: str, length: int) -> int:
        value: int = struct.unpack(layout, self.take(length))[0]
        return value
