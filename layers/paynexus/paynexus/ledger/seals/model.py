"""What a seal says, and the chain of hashes that it closes. Nothing here needs a database.

An entry is sealed as its line: one JSON object with the entry, its transfer and its account's
name, in the very bytes that an export holds. Of each line there is a record, the entry's number
and the line's SHA-256; each record is chained to the one before, and the last link is the
seal's head. The seal's statement names head and predecessor, and is what is signed.
"""

import datetime as dt
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Self

DIGEST_BYTES = 32
NUMBER_BYTES = 8
RECORD_BYTES = NUMBER_BYTES + DIGEST_BYTES
GENESIS = bytes(DIGEST_BYTES)
"""What the first seal names as the one before it."""

HOUR = dt.timedelta(hours=1)
SETTLING = dt.timedelta(minutes=5)
"""An hour is sealed this long after its end: clocks that differ by less do no harm."""
STRETCH_ENTRIES = 250_000
"""A seal ends with the hour in which it has so many; so it fits into memory, whatever comes."""
ROTATION = 720
"""Seals are read again once in so many runs: each at least once in 30 days of hourly runs."""

_END = b"\xff" * RECORD_BYTES
"""Behind the last record: no entry has this number."""
_SECOND = "%Y-%m-%dT%H:%M:%SZ"
_STATEMENT = re.compile(
    r"PayNexus ledger seal, format 1\n"
    r"number (?P<number>[1-9]\d{0,17})\n"
    r"since (?P<since>\S{20})\n"
    r"until (?P<until>\S{20})\n"
    r"entries (?P<entries>\d{1,18})\n"
    r"moved (?P<moved>\d{1,40})\n"
    r"previous (?P<previous>[0-9a-f]{64})\n"
    r"head (?P<head>[0-9a-f]{64})\n"
    r"sealed_at (?P<sealed_at>\S{20})\n"
    r"key (?P<key>[0-9a-f]{64})\n"
)


@dataclass(frozen=True, slots=True)
class Stretch:
    """What was recorded at `since` or later and before `until`: whole hours of one day."""

    since: dt.datetime
    until: dt.datetime


@dataclass(frozen=True, slots=True)
class Seal:
    """A signed statement about one stretch, chained to all before it."""

    number: int
    since: dt.datetime
    until: dt.datetime
    entries: int
    moved: int
    previous: bytes
    head: bytes
    sealed_at: dt.datetime
    key: bytes
    signature: bytes = b""

    @property
    def statement(self) -> str:
        """What is signed, to the byte. The database spells it the same way, for its audit."""
        return (
            "PayNexus ledger seal, format 1\n"
            f"number {self.number}\n"
            f"since {self.since.astimezone(dt.UTC):{_SECOND}}\n"
            f"until {self.until.astimezone(dt.UTC):{_SECOND}}\n"
            f"entries {self.entries}\n"
            f"moved {self.moved}\n"
            f"previous {self.previous.hex()}\n"
            f"head {self.head.hex()}\n"
            f"sealed_at {self.sealed_at.astimezone(dt.UTC):{_SECOND}}\n"
            f"key {self.key.hex()}\n"
        )

    @property
    def hash(self) -> bytes:
        """What the next seal names, and what is worth writing down elsewhere."""
        return hashlib.sha256(self.statement.encode()).digest()

    @classmethod
    def parse(cls, statement: str, signature: bytes) -> Self:
        """The seal that says this; ValueError for any other text."""
        found = _STATEMENT.fullmatch(statement)
        if found is None:
            raise ValueError("not the statement of a seal")
        return cls(
            number=int(found["number"]),
            since=_time(found["since"]),
            until=_time(found["until"]),
            entries=int(found["entries"]),
            moved=int(found["moved"]),
            previous=bytes.fromhex(found["previous"]),
            head=bytes.fromhex(found["head"]),
            sealed_at=_time(found["sealed_at"]),
            key=bytes.fromhex(found["key"]),
            signature=signature,
        )


@dataclass(slots=True)
class Chain:
    """What a seal will say of the entries that were added, in order; 40 bytes of memory each."""

    head: bytes
    entries: int = 0
    moved: int = 0
    records: bytearray = field(default_factory=bytearray)

    def add(self, entry_id: int, delta: int, line: bytes) -> None:
        """One more entry is in the chain."""
        one = record(entry_id, line)
        self.head = chained(self.head, (one,))
        self.entries += 1
        self.moved += abs(delta)
        self.records += one


@dataclass(frozen=True, slots=True)
class Difference:
    """An entry that is not what was sealed: altered, missing, or inserted since."""

    entry_id: int
    found: str


def whole_hour(at: dt.datetime) -> dt.datetime:
    """The beginning of the hour, in UTC."""
    return at.astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0)


def end_of_day(at: dt.datetime) -> dt.datetime:
    """The midnight (UTC) after `at`."""
    day = at.astimezone(dt.UTC).date() + dt.timedelta(days=1)
    return dt.datetime.combine(day, dt.time(), dt.UTC)


def record(entry_id: int, line: bytes) -> bytes:
    """The entry's number, and the digest of its line."""
    return entry_id.to_bytes(NUMBER_BYTES) + hashlib.sha256(line).digest()


def chained(head: bytes, records: Iterable[bytes]) -> bytes:
    """The chain after `head` and all `records`."""
    for one in records:
        head = hashlib.sha256(head + one).digest()
    return head


def records_of(joined: bytes) -> Iterator[bytes]:
    """Each single record."""
    for start in range(0, len(joined), RECORD_BYTES):
        yield joined[start : start + RECORD_BYTES]


def differences(sealed: Iterable[bytes], found: Iterable[bytes]) -> Iterator[Difference]:
    """What tells the `found` records from the `sealed` ones, both in order; the first first."""
    old, new = iter(sealed), iter(found)
    one, other = next(old, _END), next(new, _END)
    while one != _END or other != _END:
        if one == other:
            one, other = next(old, _END), next(new, _END)
        elif _number(one) < _number(other):
            yield Difference(_number(one), "missing")
            one = next(old, _END)
        elif _number(other) < _number(one):
            yield Difference(_number(other), "inserted")
            other = next(new, _END)
        else:
            yield Difference(_number(one), "altered")
            one, other = next(old, _END), next(new, _END)


def turn_of(now: dt.datetime) -> int:
    """Whose turn it is in this hour: the seals with this remainder of ROTATION are read again."""
    return int(now.timestamp()) // int(HOUR.total_seconds()) % ROTATION


def _number(one: bytes) -> int:
    return int.from_bytes(one[:NUMBER_BYTES])


def _time(text: str) -> dt.datetime:
    return dt.datetime.strptime(text, _SECOND).replace(tzinfo=dt.UTC)
