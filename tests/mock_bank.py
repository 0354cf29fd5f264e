"""Settlement's functions against a bank that others wrote: `mock-bank`, a process of its own."""

import datetime as dt
import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from paynexus import runtime
from paynexus.ids import MerchantId
from paynexus.ledger.accounts import AccountType
from paynexus.settlement.bank.s3 import S3Bank
from paynexus.settlement.calendars import target2_holidays
from paynexus.settlement.model import Settlement
from reconcile_settlements.handler import handler as reconcile
from settle_merchants.handler import handler as settle
from tests.settlement_world import SettlementWorld
from tools.bank_courier import Courier

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "the-bank"
OURS = "ACME"
"""Our account at the bank."""
START_BALANCE = 12_500_000


@dataclass(slots=True)
class MockBank:
    """A running mock-bank and the folder it is reached through."""

    url: str
    folder: Path

    def ask(self, method: str, path: str, body: bytes | None = None) -> Any:  # noqa: ANN401 - JSON
        """What the bank's control plane answers."""
        headers = {"Accept": "application/json"}
        request = urllib.request.Request(  # noqa: S310 - loopback
            self.url + path, data=body, headers=headers, method=method
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
            return json.loads(answer.read())

    def change(self, **fields: object) -> None:
        """Our account at the bank is like this from now on."""
        self.ask("PATCH", f"/_mock/accounts/{OURS}", json.dumps(fields).encode())

    def behave(self, behaviour: str, **parameters: object) -> None:
        """Our account behaves like this from now on."""
        self.change(behaviour=behaviour, parameters=parameters)

    def receive(self, amount: int, *, note: str) -> None:
        """Somebody pays us."""
        debtor = {"name": "A stranger", "iban": "NL14MOCK0000000002"}
        body = {"account": OURS, "amount": amount, "note": note, "debtor": debtor}
        self.ask("POST", "/_mock/credits", json.dumps(body).encode())

    def moved(self) -> int:
        """What our account had more, or less, at the end of the bank's last day than at first.

        By the bank's own books, not by the files that it wrote.
        """
        days = self.ask("GET", f"/_mock/accounts/{OURS}/statements")
        return int(days[-1]["closing"]) - START_BALANCE if days else 0


@contextmanager
def opened(folder: Path, at: dt.datetime) -> Iterator[MockBank]:
    """A bank that has just opened, whose clock says so much, and which keeps TARGET2's days."""
    arguments = {
        "--port": "0",
        "--clock": at.strftime("%Y-%m-%dT%H:%M"),
        "--drop-settle-ms": "0",
        "--drop-interval-ms": "3600000",
        "--drop-dir": str(folder / "outbox"),
        "--pickup-dir": str(folder / "inbox"),
    }
    command = [
        sys.executable,
        "-m",
        "mockbank",
        *(word for pair in arguments.items() for word in pair),
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        found = re.search(r"http://\S+?:\d+", process.stderr.readline())
        assert found
        bank = MockBank(found[0], folder)
        days = {day for year in (at.year, at.year + 1) for day in target2_holidays(year)}
        names = sorted(day.isoformat() for day in days)
        bank.ask("PUT", "/_mock/holidays", json.dumps(names).encode())
        yield bank
    finally:
        process.terminate()
        process.wait(timeout=10)
        if process.stderr is not None:
            process.stderr.close()


@contextmanager
def deployed(
    books: SettlementWorld, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator["BankWorld"]:
    """Real Postgres, a real bank, S3 by moto, the functions on all three; a Monday morning."""
    books.now = next_monday(books.now)
    with mock_aws(), opened(folder, books.now) as bank:
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket=BUCKET)
        monkeypatch.setattr(runtime, "database", lambda: books.database)
        monkeypatch.setattr(runtime, "bank", lambda: S3Bank(s3, BUCKET))
        monkeypatch.setattr(runtime, "clock", lambda: lambda: books.now)
        yield BankWorld(books, s3, bank, Courier(s3, BUCKET, bank.folder))


def next_monday(after: dt.datetime) -> dt.datetime:
    """Nine o'clock on the first business Monday that is a day away at least."""
    day = after.date() + dt.timedelta(days=1)
    while day.weekday() != 0 or day in target2_holidays(day.year):
        day += dt.timedelta(days=1)
    return dt.datetime.combine(day, dt.time(9), dt.UTC)


@dataclass(slots=True)
class BankWorld:
    """The product's functions, the bank, and the courier between them."""

    books: SettlementWorld
    s3: "S3Client"
    bank: MockBank
    courier: Courier
    read: set[str] = field(default_factory=set)

    def take(self, amount: int, merchant: MerchantId | None = None) -> None:
        """A payment of the merchant is completed."""
        self.books.take(amount, merchant=merchant)

    def settle(self, **event: str) -> dict[str, Any]:
        """The function runs, by a person or by schedule; the courier and the bank do their part."""
        result = settle(event, None)
        self.carry()
        return result

    def carry(self) -> None:
        """What lies in the outbox is at the bank, which has read it."""
        self.courier.round()
        self.bank.ask("POST", "/_mock/drop/scan")

    def reconcile(self, *, again: bool = False) -> list[dict[str, str]]:
        """The courier brings what the bank left, and the queue's function takes what is new.

        Or all that ever came, `again`. What fails is returned.
        """
        self.courier.round()
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="inbox/")
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        new = [key for key in keys if again or key not in self.read]
        self.read.update(new)
        records = [
            {
                "messageId": key,
                "eventSource": "aws:sqs",
                "body": json.dumps({"detail": {"object": {"key": key}}}),
            }
            for key in new
        ]
        answer: Mapping[str, Any] = reconcile({"Records": records}, None) if records else {}
        return list(answer.get("batchItemFailures", []))

    def advance(self, days: int = 1) -> None:
        """So many days pass for all; each hour the function runs, and what came is taken."""
        for _ in range(days):
            self.bank.ask("POST", "/_mock/advance?days=1")
            self.books.now += dt.timedelta(days=1)
            assert self.reconcile() == []
            self.settle(time="2026-11-23T00:05:00Z")
            assert self.reconcile() == []

    def settlements(self, merchant: MerchantId | None = None) -> list[Settlement]:
        """A merchant's settlements, newest first."""
        return self.books.settlements(merchant)

    def require_explained(self, *, not_shown: int = 0, in_suspense: int = 0) -> None:
        """Cash is what the bank's books say, but for what it didn't show; each cent has a place.

        Nothing is on its way but open settlements, nothing in suspense but what is said.
        """
        rows = self.books.database.connection().execute(
            "SELECT coalesce(sum(amount), 0)::BIGINT FROM settlements"
            " WHERE status IN ('PENDING', 'INSTRUCTED', 'ACCEPTED')"
        )
        [(on_their_way,)] = rows.fetchall()
        assert self.books.posted(AccountType.CASH) == self.bank.moved() + not_shown
        assert self.books.posted(AccountType.SETTLEMENT_IN_TRANSIT) == -on_their_way
        assert self.books.posted(AccountType.SUSPENSE) == -in_suspense
