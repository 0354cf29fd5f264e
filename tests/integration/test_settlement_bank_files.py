"""What mock-bank really writes, under each of its behaviours, is read for what it says."""

import datetime as dt
import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from paynexus.money import Money
from paynexus.settlement.bank import pain001, reader, xsd
from paynexus.settlement.bank.messages import (
    Address,
    BankAccount,
    CreditTransfer,
    Entry,
    Instruction,
    PaymentStatus,
    Record,
    Statement,
)

HOUSE = BankAccount(
    "PayNexus", "NL41MOCK0000000001", "MOCKNL2A", Address(None, None, None, "Amsterdam", "NL")
)
CAFE = BankAccount(
    "Café",
    "DE89370400440532013000",
    "COBADEFFXXX",
    Address("Hauptstraße", "1", "10115", "Berlin", "DE"),
)
CLOSED = BankAccount("Closed", "NL84MOCK0000000003", None)
NO_BANK = BankAccount("No bank", "NL57MOCK0000000004", None)


@dataclass(slots=True)
class Bank:
    """A running mock-bank, and the folders it is reached through."""

    url: str
    folder: Path
    taken: int = 0

    def ask(self, method: str, path: str, body: bytes | None = None) -> Any:  # noqa: ANN401 - JSON
        """What its control plane answers."""
        request = urllib.request.Request(  # noqa: S310 - loopback
            self.url + path, data=body, headers={"Accept": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
            return json.loads(answer.read())

    def behave(self, behaviour: str) -> None:
        """Our account behaves like this from now on."""
        self.ask("PATCH", "/_mock/accounts/ACME", json.dumps({"behaviour": behaviour}).encode())

    def take(self, document: bytes) -> None:
        """It finds nothing wrong with our file, and has it."""
        assert self.ask("POST", "/_mock/validate", document)["findings"] == []
        self.taken += 1
        (self.folder / "outbox" / f"{self.taken}.xml").write_bytes(document)
        self.ask("POST", "/_mock/drop/scan")

    def advance(self, days: int) -> None:
        """It books what is due, and writes each day's statement."""
        self.ask("POST", f"/_mock/advance?days={days}")

    def files(self) -> list[Path]:
        """What it has written, the oldest first."""
        files = [path for path in (self.folder / "inbox").glob("*") if path.is_file()]
        return sorted(files, key=lambda path: path.stat().st_mtime_ns)

    def says(self) -> dict[str, list[Record]]:
        """All that it has written, read, by the kind of message."""
        said: dict[str, list[Record]] = {}
        for path in self.files():
            with path.open("rb") as file:
                message = reader.read(file)
                said.setdefault(message.header.kind, []).extend(message.records())
        return said


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    """One that has just opened."""
    for name in ("outbox", "inbox"):
        (tmp_path / name).mkdir()
    options = {
        "--port": "0",
        "--drop-settle-ms": "0",
        "--drop-interval-ms": "3600000",
        "--drop-dir": str(tmp_path / "outbox"),
        "--pickup-dir": str(tmp_path / "inbox"),
    }
    command = [sys.executable, "-m", "mockbank", *(part for one in options.items() for part in one)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        found = re.search(r"http://\S+?:\d+", process.stderr.readline())
        assert found
        yield Bank(found[0], tmp_path)
        process.terminate()


def _file(*creditors: BankAccount, amount: int = 1_234) -> bytes:
    today = dt.datetime.now(dt.UTC)  # noqa: TID251 - the bank's clock starts now, too
    transfers = tuple(
        CreditTransfer(f"SET-{n}", creditor, Money(amount + n, "EUR"), f"Payout {n}")
        for n, creditor in enumerate(creditors)
    )
    return pain001.write(Instruction("PNX-1", today, today.date(), HOUSE, "EUR", transfers))


def _statuses(said: dict[str, list[Record]]) -> list[tuple[str | None, str, str | None]]:
    return [
        (one.end_to_end_id, one.status, one.reason)
        for one in said.get("pain.002", [])
        if isinstance(one, PaymentStatus)
    ]


def _booked(said: dict[str, list[Record]], kind: str = "camt.053") -> list[Entry]:
    return [record for record in said.get(kind, []) if isinstance(record, Entry)]


def _gaps(said: dict[str, list[Record]]) -> list[int]:
    """By how much each of our statements' entries miss its balances."""
    gaps = []
    for record in said["camt.053"]:
        if isinstance(record, Statement):
            assert record.opening is not None
            assert record.closing is not None
            gaps.append(record.closing - record.opening)
        elif isinstance(record, Entry):
            gaps[-1] += record.money.amount if record.is_debit else -record.money.amount
    return gaps


def test_accepted_payments_are_booked_and_the_statement_foots(bank: Bank) -> None:
    """Each payment of the file: accepted, notified, booked under our own references."""
    bank.take(_file(CAFE, CAFE))
    bank.advance(4)
    said = bank.says()

    assert _statuses(said) == [("SET-0", "ACCP", None), ("SET-1", "ACCP", None)]
    for kind in ("camt.053", "camt.054"):
        assert [
            (e.message_id, e.end_to_end_id, e.money.amount, e.is_debit, e.is_return, e.counterparty)
            for e in _booked(said, kind)
        ] == [
            ("PNX-1", "SET-0", 1_234, True, False, "Cafe"),
            ("PNX-1", "SET-1", 1_235, True, False, "Cafe"),
        ]
    assert set(_gaps(said)) == {0}
    statements = [path for path in bank.files() if "camt.053" in path.name]
    assert {xsd.violation(one.read_bytes(), schema="camt.053.001.08") for one in statements} == {
        None
    }
    numbers = [s.number for s in said["camt.053"] if isinstance(s, Statement)]
    assert len(numbers) == len(_gaps(said)) > 1


@pytest.mark.parametrize(
    ("behaviour", "creditors", "amount", "expected"),
    [
        ("reject-file", [CAFE], 1, [(None, "RJCT", "FF01")]),
        (
            "accept",
            [CAFE, CLOSED, NO_BANK],
            1,
            [("SET-0", "ACCP", None), ("SET-1", "RJCT", "AC04"), ("SET-2", "RJCT", "RC01")],
        ),
        ("insufficient-funds", [CAFE], 12_500_001, [("SET-0", "RJCT", "AM04")]),
        ("silent", [CAFE], 1, []),
    ],
)
def test_its_answers_are_read(
    bank: Bank,
    behaviour: str,
    creditors: list[BankAccount],
    amount: int,
    expected: list[tuple[str | None, str, str | None]],
) -> None:
    """A whole file, single payments, or nothing at all."""
    bank.behave(behaviour)
    bank.take(_file(*creditors, amount=amount))

    assert _statuses(bank.says()) == expected


def test_a_file_sent_twice_is_called_a_duplicate(bank: Bank) -> None:
    """And stays paid once."""
    document = _file(CAFE)
    bank.take(document)
    bank.take(document)
    bank.advance(4)
    said = bank.says()

    assert _statuses(said) == [("SET-0", "ACCP", None), (None, "RJCT", "DUPL")]
    assert len(_booked(said)) == 1


def test_a_line_missing_from_a_statement_shows_in_its_balances(bank: Bank) -> None:
    """The entries don't add up to what the balances say."""
    bank.behave("statement-gap")
    bank.take(_file(CAFE, CAFE))
    bank.advance(4)

    assert {abs(gap) for gap in _gaps(bank.says())} - {0} != set()


def test_returned_money_is_told_from_other_money(bank: Bank) -> None:
    """By pacs.004 ahead, then booked as a credit with the reason; and a stranger's credit."""
    bank.behave("return-later")
    bank.take(_file(CAFE))
    for _ in range(3):
        bank.advance(4)
    credit = {"account": "ACME", "amount": 777, "debtor": {"name": "Acquirer NV"}}
    words = {"note": ["gpo_1"], "reference": "RF18539007547034"}
    bank.ask("POST", "/_mock/credits", json.dumps(credit | words).encode())
    bank.advance(4)
    said = bank.says()
    [announced] = _booked(said, "pacs.004")

    assert (announced.end_to_end_id, announced.return_reason, announced.is_booked) == (
        *("SET-0", "AC04", False),
    )
    assert [
        (e.money.amount, e.is_debit, e.is_return, e.return_reason, e.end_to_end_id)
        for e in _booked(said)
    ] == [
        (1_234, True, False, None, "SET-0"),
        (1_234, False, True, "AC04", "SET-0"),
        (777, False, False, None, None),
    ]
    stranger = _booked(said)[-1]
    assert (stranger.remittance, stranger.counterparty) == (
        *("gpo_1 RF18539007547034", "Acquirer NV"),
    )
    assert set(_gaps(said)) == {0}
