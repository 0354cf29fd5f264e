"""What holds for every log and every stream of facts."""

import datetime as dt
import struct
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from paynexus.changefeed.backlog import Backlog
from paynexus.changefeed.pgoutput import POSTGRES_EPOCH, Begin, Commit, Decoder, Message, Row
from paynexus.changefeed.port import MAX_BYTES, MAX_ENTRIES, Entry, batches

NAMES = st.text(st.characters(blacklist_characters="\0", codec="utf-8"), min_size=1, max_size=8)
VALUES = st.none() | st.text(st.characters(codec="utf-8"), max_size=20)


@dataclass(frozen=True)
class Transaction:
    """All rows of one commit, in the order they were written."""

    end_lsn: int
    committed_at: dt.datetime
    rows: tuple[Row, ...]


@st.composite
def written_transactions(draw: st.DrawFn) -> list[Transaction]:
    """Commits of rows of tables that keep their columns."""
    tables = draw(st.dictionaries(NAMES, st.lists(NAMES, unique=True, max_size=4), min_size=1))
    rows = st.sampled_from(sorted(tables)).flatmap(lambda name: _rows(name, tables[name]))
    moments = st.integers(0, 10**15).map(
        lambda micros: POSTGRES_EPOCH + dt.timedelta(microseconds=micros)
    )
    whole = st.builds(Transaction, st.integers(1, 2**63), moments, st.lists(rows).map(tuple))
    return draw(st.lists(whole, max_size=5))


def _rows(table: str, columns: list[str]) -> st.SearchStrategy[Row]:
    values = st.tuples(*(VALUES for _ in columns))
    return values.map(lambda one: Row(table, dict(zip(columns, one, strict=True))))


def _messages(commits: list[Transaction]) -> list[bytes]:
    """The log that says so, by the protocol's own description."""
    messages, oids = [], dict[str, int]()
    for commit in commits:
        moment = (commit.committed_at - POSTGRES_EPOCH) // dt.timedelta(microseconds=1)
        messages.append(b"B" + struct.pack(">QqI", commit.end_lsn, moment, 7))
        for row in commit.rows:
            if row.table not in oids:
                oids[row.table] = len(oids) + 1
                messages.append(_relation(oids[row.table], row))
            messages.append(_insert(oids[row.table], row))
        messages.append(b"C\0" + struct.pack(">QQq", commit.end_lsn - 1, commit.end_lsn, moment))
    return messages


def _relation(oid: int, row: Row) -> bytes:
    columns = b"".join(
        b"\0" + name.encode() + b"\0" + struct.pack(">Ii", 25, -1) for name in row.values
    )
    head = struct.pack(">I", oid) + b"public\0" + row.table.encode() + b"\0d"
    return b"R" + head + struct.pack(">H", len(row.values)) + columns


def _insert(oid: int, row: Row) -> bytes:
    values = b"".join(
        b"n" if value is None else b"t" + struct.pack(">I", len(value.encode())) + value.encode()
        for value in row.values.values()
    )
    return b"I" + struct.pack(">I", oid) + b"N" + struct.pack(">H", len(row.values)) + values


@given(written_transactions())
def test_what_is_written_to_the_log_is_read_from_it(commits: list[Transaction]) -> None:
    """Decoding is the inverse of the protocol: every row, value, place and time, in order."""
    decoder = Decoder()
    read = [decoder.read(data) for data in _messages(commits)]

    said = [message for message in read if isinstance(message, Begin | Commit | Row)]
    assert said == [message for commit in commits for message in _said(commit)]


def _said(commit: Transaction) -> list[Message]:
    begin = Begin(commit.end_lsn, commit.committed_at, 7)
    end = Commit(commit.end_lsn - 1, commit.end_lsn, commit.committed_at)
    return [begin, *commit.rows, end]


SIZES = st.lists(st.integers(1, 80_000) | st.integers(MAX_BYTES, MAX_BYTES + 2), max_size=40)


@given(SIZES)
def test_batches_keep_order_and_limits(sizes: list[int]) -> None:
    """Each call is within the bus's limits, but for an entry that never can be, alone."""
    entries = [
        Entry(f"evt_{number}", "s", "t", "o", POSTGRES_EPOCH, "x" * size)
        for number, size in enumerate(sizes)
    ]

    calls = list(batches(entries))

    assert [entry for call in calls for entry in call] == entries
    for call in calls:
        assert 1 <= len(call) <= MAX_ENTRIES
        assert len(call) == 1 or sum(entry.size for entry in call) <= MAX_BYTES


@given(st.lists(st.booleans()), st.data())
def test_a_mark_is_reached_when_all_before_it_is_dealt_with(
    written: list[bool], data: st.DataObject
) -> None:
    """However facts and marks follow one another, and however many are dropped at a time."""
    backlog, facts_before, facts = Backlog(), dict[int, int](), 0
    for position, is_fact in enumerate(written, 1):
        if is_fact:
            backlog.add(Entry(f"evt_{position}", "s", "t", "o", POSTGRES_EPOCH, ""), POSTGRES_EPOCH)
            facts += 1
        else:
            backlog.mark(position)
            facts_before[position] = facts

    dropped = 0
    while True:
        reachable = [at for at, number in facts_before.items() if number <= dropped]
        assert backlog.reached == max(reachable, default=0)
        assert len(backlog) == facts - dropped
        if not (call := backlog.next_call()):
            break
        number = data.draw(st.integers(1, len(call)))
        backlog.drop(number)
        dropped += number
