"""Seals without a database: statements, the chain, and which record is which."""

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paynexus.ledger.seals.model import (
    GENESIS,
    ROTATION,
    Chain,
    Difference,
    Seal,
    chained,
    differences,
    end_of_day,
    record,
    records_of,
    turn_of,
    whole_hour,
)
from tools.verify_ledger.rules import contradictions

AT = dt.datetime(2026, 7, 1, 22, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
SEAL = Seal(
    number=17,
    since=AT,
    until=AT + HOUR,
    entries=2,
    moved=500,
    previous=bytes(range(32)),
    head=bytes(range(32, 64)),
    sealed_at=AT + HOUR,
    key=bytes(32),
)
ENTRIES = st.dictionaries(st.integers(0, 2**63 - 1), st.binary(max_size=3), max_size=12)


def records(entries: dict[int, bytes]) -> list[bytes]:
    """The records of these entries, in order."""
    return [record(number, entries[number]) for number in sorted(entries)]


def test_a_statement_is_read_as_it_was_written() -> None:
    """And in whatever zone its times were given, it is the same."""
    assert Seal.parse(SEAL.statement, b"") == SEAL
    elsewhere = dt.timezone(dt.timedelta(hours=5, minutes=30))
    assert replace(SEAL, since=AT.astimezone(elsewhere)).statement == SEAL.statement


@pytest.mark.parametrize("field", ["number", "entries", "moved"])
def test_each_number_is_part_of_the_hash(field: str) -> None:
    """A seal that says anything else is another seal."""
    other = replace(SEAL, **{field: getattr(SEAL, field) + 1})

    assert other.hash != SEAL.hash


@pytest.mark.parametrize(
    "alter",
    [
        lambda text: text + "\n",
        lambda text: text.replace("number 17", "number 017"),
        lambda text: text.replace("format 1", "format 2"),
        lambda text: text.replace("2026-07-01T22:00:00Z", "2026-07-01T22:00:00X"),
        lambda text: text.replace("head 20", "head 2"),
        lambda text: text[1:],
    ],
)
def test_no_other_text_is_a_statement(alter: object) -> None:
    """One seal has one spelling."""
    assert callable(alter)
    with pytest.raises(ValueError, match=r"seal|time data"):
        Seal.parse(alter(SEAL.statement), b"")


@given(ENTRIES)
def test_the_chain_is_that_of_its_records(entries: dict[int, bytes]) -> None:
    """Whoever has the records finds the same head."""
    chain = Chain(GENESIS)
    for number in sorted(entries):
        chain.add(number, -3, entries[number])

    assert list(records_of(bytes(chain.records))) == records(entries)
    assert chained(GENESIS, records_of(bytes(chain.records))) == chain.head
    assert (chain.entries, chain.moved) == (len(entries), 3 * len(entries))


@given(ENTRIES, ENTRIES)
def test_differences_name_every_entry_that_is_not_the_same(
    sealed: dict[int, bytes], found: dict[int, bytes]
) -> None:
    """Each once, in the order of their numbers; nothing else."""
    expected = [
        Difference(
            number,
            "missing" if number not in found else "inserted" if number not in sealed else "altered",
        )
        for number in sorted(sealed.keys() | found.keys())
        if sealed.get(number) != found.get(number)
    ]

    assert list(differences(records(sealed), records(found))) == expected


@given(ENTRIES)
def test_the_order_of_entries_is_part_of_the_chain(entries: dict[int, bytes]) -> None:
    """Two that change places make another head."""
    one = records(entries)
    assert (chained(GENESIS, one) == chained(GENESIS, one[::-1])) == (len(one) < 2)


def test_hours_and_days_are_those_of_utc() -> None:
    """Wherever the time was told."""
    at = dt.datetime.fromisoformat("2026-07-02T01:59:59.999999+02:00")

    assert whole_hour(at) == AT + HOUR
    assert end_of_day(at) == AT + 2 * HOUR
    assert end_of_day(end_of_day(at)) == end_of_day(at) + 24 * HOUR


def test_each_seal_has_its_turn() -> None:
    """In as many hourly runs as there are remainders."""
    turns = {turn_of(AT + hours * HOUR + HOUR / 7) for hours in range(ROTATION)}

    assert turns == set(range(ROTATION))


POSTED = {
    "id": 1782943200000000 << 10 | 7,
    "account_id": "a",
    "transfer_id": "t",
    "type": "posted",
    "delta": 400,
    "released": 1000,
    "balance_after": 400,
    "currency": "EUR",
    "slot": 3,
    "transaction_id": None,
    "effective_at": "2026-07-01T22:00:00.000000Z",
    "created_at": "2026-07-01T22:00:00.000000Z",
    "transfer": {
        "state": "post",
        "debit_account_id": "a",
        "credit_account_id": "b",
        "debit_slot": 3,
        "credit_slot": 0,
        "amount": 400,
        "released": 1000,
        "currency": "EUR",
        "mode": "test",
        "transaction_id": None,
        "effective_at": "2026-07-01T22:00:00.000000Z",
        "created_at": "2026-07-01T22:00:00.000000Z",
    },
    "account": {"currency": "EUR", "mode": "test"},
}
VOIDED = POSTED | {
    "account_id": "b",
    "slot": 0,
    "type": "voided",
    "delta": 400,
    "released": 0,
    "transfer": POSTED["transfer"] | {"state": "void"},  # type: ignore[operator]
}


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        (POSTED, []),
        (POSTED | {"delta": 401}, ["delta"]),
        (POSTED | {"delta": -400}, ["released", "account_id", "slot"]),
        (POSTED | {"released": 400}, ["released"]),
        (POSTED | {"type": "pending"}, ["type"]),
        (POSTED | {"account_id": "b"}, ["account_id"]),
        (POSTED | {"slot": 4}, ["slot"]),
        (POSTED | {"currency": "USD"}, ["currency"]),
        (
            POSTED | {"account": {"currency": "USD", "mode": "live"}},
            ["account.currency", "account.mode"],
        ),
        (POSTED | {"transaction_id": "p"}, ["transaction_id"]),
        (POSTED | {"effective_at": "2026-06-30T22:00:00.000000Z"}, ["effective_at"]),
        (POSTED | {"created_at": "2026-07-01T22:00:00.000001Z"}, ["created_at", "id"]),
        (POSTED | {"created_at": "infinity"}, ["created_at", "id"]),
        (POSTED | {"transfer": None}, ["transfer_id"]),
        (POSTED | {"account": None}, ["account_id"]),
        (VOIDED, []),
        (VOIDED | {"delta": -400}, ["account_id", "slot"]),
    ],
)
def test_contradictions_name_the_field(entry: dict[str, object], named: list[str]) -> None:
    """What an entry says otherwise than its transfer and its account."""
    assert contradictions(entry) == named
