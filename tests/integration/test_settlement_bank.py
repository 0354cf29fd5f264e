"""Settlement against a bank that others wrote: `mock-bank`, a process of its own."""

import datetime as dt
import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from paynexus import ids, runtime
from paynexus.db import Database
from paynexus.ids import MerchantId, TransferId
from paynexus.ledger import reading
from paynexus.ledger import store as ledger
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.model import Transfer, TransferKind
from paynexus.lists.model import Page
from paynexus.money import Money
from paynexus.settlement import service
from paynexus.settlement.model import Settlement
from paynexus.settlement.s3 import S3Bank
from reconcile_settlements.handler import handler as reconcile
from settle_merchants.handler import handler as settle
from tools.bank_courier import Courier

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "the-bank"
LONGEST_WEEKEND_DAYS = 4
"""From a Friday after the bank's cut-off to the end of the Monday that it books on."""


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

    def behave(self, behaviour: str) -> None:
        """Our account at the bank behaves like this from now on."""
        body = json.dumps({"behaviour": behaviour}).encode()
        self.ask("PATCH", "/_mock/accounts/ACME", body)


@pytest.fixture
def mock_bank(tmp_path: Path) -> Iterator[MockBank]:
    """A bank that has just opened."""
    folder = tmp_path / "bank"
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "mockbank",
            "--port",
            "0",
            "--drop-settle-ms",
            "0",
            "--drop-interval-ms",
            "3600000",
            "--drop-dir",
            str(folder / "outbox"),
            "--pickup-dir",
            str(folder / "inbox"),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    found = re.search(r"http://\S+?:\d+", process.stderr.readline())
    assert found
    yield MockBank(found[0], folder)
    process.terminate()
    process.wait(timeout=10)
    process.stderr.close()


@dataclass(slots=True)
class World:
    """The product, the bank, and the courier between them."""

    database: Database
    merchant: MerchantId
    s3: "S3Client"
    bank: MockBank
    courier: Courier
    now: dt.datetime

    def take(self, amount: int) -> None:
        """A payment of the merchant is completed."""
        transfer = Transfer(
            TransferId(ids.new_id()),
            TransferKind.PAYMENT,
            Account(AccountType.GATEWAY_RECEIVABLE, "test", "EUR"),
            Account(AccountType.MERCHANT_PAYABLE, "test", "EUR", self.merchant),
            Money(amount, "EUR"),
            ids.text("pay", ids.new_id()),
        )
        with self.database.transaction() as tx:
            ledger.post(tx, transfer, at=self.now - dt.timedelta(minutes=1))

    def settle(self) -> dict[str, Any]:
        """The scheduled function runs; the courier and the bank do their part."""
        result = settle({}, None)
        self.courier.round()
        self.bank.ask("POST", "/_mock/drop/scan")
        return result

    def reconcile(self) -> list[dict[str, str]]:
        """The courier brings what the bank left, and the queue's function takes all of it."""
        self.courier.round()
        listed = self.s3.list_objects_v2(Bucket=BUCKET, Prefix="inbox/").get("Contents", [])
        records = [
            {
                "messageId": item["Key"],
                "eventSource": "aws:sqs",
                "body": json.dumps({"detail": {"object": {"key": item["Key"]}}}),
            }
            for item in listed
        ]
        failures: list[dict[str, str]] = list(
            reconcile({"Records": records}, None)["batchItemFailures"]
        )
        return failures

    def advance(self) -> None:
        """The bank books what it accepted and writes the day's statement."""
        self.bank.ask("POST", f"/_mock/advance?days={LONGEST_WEEKEND_DAYS}")

    def settlements(self) -> list[Settlement]:
        """The merchant's settlements, newest first."""
        return service.list_settlements(
            self.database, Page(10), merchant_id=self.merchant, mode="test"
        )[0]

    def balance(self) -> int:
        """What the merchant is owed."""
        [owed] = reading.balances(self.database.connection(), self.merchant, "test")
        return owed.balance.posted

    def reasons(self) -> list[str]:
        """Why lines of the bank could not be applied."""
        rows = self.database.connection().execute(
            "SELECT reason FROM bank_lines WHERE reason IS NOT NULL ORDER BY reason"
        )
        return [row[0] for row in rows]


@pytest.fixture
def world(
    database: Database,
    merchant: MerchantId,
    mock_bank: MockBank,
    now: dt.datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    """Real Postgres, a real bank, S3 by moto."""
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket=BUCKET)
        monkeypatch.setattr(runtime, "database", lambda: database)
        monkeypatch.setattr(runtime, "bank", lambda: S3Bank(s3, BUCKET))
        monkeypatch.setattr(runtime, "clock", lambda: lambda: now)
        yield World(database, merchant, s3, mock_bank, Courier(s3, BUCKET, mock_bank.folder), now)


def test_the_bank_pays_a_settlement(world: World) -> None:
    """Settle, pain.001, ACCP, camt.053, PAID: the bank finds no fault and every cent arrives."""
    world.take(12_345)
    world.take(655)

    assert world.settle() == {"made": 1, "instructed": 1, "failed": 0, "carried": {}}

    [settlement] = world.settlements()
    document = world.s3.get_object(Bucket=BUCKET, Key=f"outbox/{settlement.file_name}")
    findings = world.bank.ask("POST", "/_mock/validate", document["Body"].read())

    assert findings["findings"] == []
    assert world.reconcile() == []
    assert world.settlements()[0].status == "ACCEPTED"

    world.advance()

    assert world.reconcile() == []
    assert world.settlements()[0].status == "PAID"
    assert world.reasons() == []
    assert world.balance() == 0


def test_a_rejected_file_gives_the_money_back(world: World) -> None:
    """The bank rejects the file as a whole: FAILED, and the merchant is owed the amount again."""
    world.take(5_000)
    world.bank.behave("reject-file")
    world.settle()
    world.reconcile()
    [settlement] = world.settlements()

    assert (settlement.status, settlement.failure_code) == ("FAILED", "FF01")
    assert world.balance() == 5_000


def test_a_payment_without_funds_gives_the_money_back(world: World) -> None:
    """The bank takes the file and rejects its payment: the same, with the bank's reason."""
    world.take(12_500_001)
    world.bank.behave("insufficient-funds")
    world.settle()
    world.reconcile()
    [settlement] = world.settlements()

    assert (settlement.status, settlement.failure_code) == ("FAILED", "AM04")
    assert world.balance() == 12_500_001


def test_a_file_that_reaches_the_bank_twice_is_paid_once(world: World) -> None:
    """The courier forgot what it had carried: the bank answers DUPL, and nothing else changes."""
    world.take(5_000)
    world.settle()
    world.courier.carried.clear()
    world.settle()
    world.advance()
    world.reconcile()

    assert [s.status for s in world.settlements()] == ["PAID"]
    assert world.reasons() == ["duplicate_file"]


def test_a_silent_bank_leaves_the_settlement_instructed_until_its_statement(world: World) -> None:
    """No pain.002 at all: the statement alone is proof."""
    world.take(5_000)
    world.bank.behave("silent")
    world.settle()

    assert world.reconcile() == []
    assert world.settlements()[0].status == "INSTRUCTED"

    world.advance()
    world.reconcile()

    assert world.settlements()[0].status == "PAID"


def test_a_line_missing_from_the_statement_pays_nothing(world: World) -> None:
    """What the bank did not show stays open."""
    world.take(5_000)
    world.bank.behave("statement-gap")
    world.settle()
    world.advance()
    world.reconcile()

    assert world.settlements()[0].status == "ACCEPTED"


def test_money_that_comes_back_is_kept_for_a_person(world: World) -> None:
    """The payee's bank returns a paid settlement days later: on record, alarmed, nothing booked."""
    world.take(5_000)
    world.bank.behave("return-later")
    world.settle()
    for _ in range(3):
        world.advance()
        assert world.reconcile() == []

    assert world.settlements()[0].status == "PAID"
    assert world.reasons() == ["returned"]


def test_a_file_that_is_none_of_the_banks_fails_alone(world: World) -> None:
    """The queue gets back the one bad file; the good one beside it was taken."""
    world.take(5_000)
    world.settle()
    world.s3.put_object(Bucket=BUCKET, Key="inbox/bad.xml", Body=b"<!DOCTYPE x []><x/>")

    assert world.reconcile() == [{"itemIdentifier": "inbox/bad.xml"}]
    assert world.settlements()[0].status == "ACCEPTED"


def test_the_courier_carries_once_over_restarts(world: World) -> None:
    """A new courier knows what the last one did; a bucket that lost the inbox is filled again."""
    world.take(5_000)
    world.settle()
    world.courier.round()
    successor = Courier(world.s3, BUCKET, world.bank.folder)

    assert successor.round() == 0

    # On a working day the bank books at once, and says so in a second file.
    items = world.s3.list_objects_v2(Bucket=BUCKET, Prefix="inbox/")["Contents"]
    for item in items:
        world.s3.delete_object(Bucket=BUCKET, Key=item["Key"])

    assert items
    assert successor.round() == len(items)
    assert world.reconcile() == []
    assert world.reconcile() == []
    assert world.settlements()[0].status == "ACCEPTED"
