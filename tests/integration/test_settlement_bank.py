"""Settlement against a bank that others wrote, in all its behaviours: each cent is explained."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mock_bank import BUCKET, BankWorld, deployed
from tests.settlement_world import SettlementWorld
from tools.bank_courier import Courier

CLOSED_PAYEE = "NL84MOCK0000000003"
UNKNOWN_BANK = "NL57MOCK0000000004"


@pytest.fixture
def world(
    books: SettlementWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[BankWorld]:
    """Real Postgres, a real bank, S3 by moto; a Monday morning."""
    with deployed(books, tmp_path / "bank", monkeypatch) as world:
        yield world


def test_the_bank_pays_a_settlement(world: BankWorld) -> None:
    """Settle, pain.001, ACCP, camt.053, PAID: the bank finds no fault and every cent arrives."""
    world.take(12_345)
    world.take(655)

    assert world.settle() == {"made": 1, "instructed": 1, "failed": 0, "released": 0, "carried": {}}

    [settlement] = world.settlements()
    key = f"outbox/test/{settlement.message_id}.xml"
    document = world.s3.get_object(Bucket=BUCKET, Key=key)
    findings = world.bank.ask("POST", "/_mock/validate", document["Body"].read())

    assert findings["findings"] == []
    assert world.reconcile() == []
    assert world.settlements()[0].status == "ACCEPTED"

    world.advance()

    assert world.settlements()[0].status == "PAID"
    assert world.books.breaks() == []
    assert world.books.balance() == 0
    world.require_explained()


def test_many_merchants_are_paid_by_one_file(world: BankWorld) -> None:
    """One file, one answer, and a line of the statement for each."""
    merchants = [world.books.another_merchant() for _ in range(5)]
    for n, merchant in enumerate(merchants):
        world.take(1_000 + n, merchant)
    world.settle()
    world.advance()
    settlements = [world.settlements(merchant)[0] for merchant in merchants]

    assert len({one.message_id for one in settlements}) == 1
    assert [one.status for one in settlements] == ["PAID"] * 5
    assert world.bank.moved() == -sum(range(1_000, 1_005))
    assert world.books.breaks() == []
    world.require_explained()


def test_a_rejected_file_gives_the_money_back(world: BankWorld) -> None:
    """The bank rejects the file as a whole: REJECTED, and the merchant is owed the amount again."""
    world.take(5_000)
    world.bank.behave("reject-file")
    world.settle()
    world.reconcile()
    [settlement] = world.settlements()

    assert (settlement.status, settlement.failure_code) == ("REJECTED", "FF01")
    assert world.books.balance() == 5_000
    assert world.books.breaks() == [("returned", "settlement", 5_000, "RESOLVED")]
    world.require_explained()

    # A reason that may pass: it is paid by a settlement of its own, later.
    world.bank.behave("accept")
    world.advance(2)

    assert [one.status for one in world.settlements()] == ["PAID", "REJECTED"]
    assert world.bank.moved() == -5_000
    assert len(world.books.breaks()) == 1
    world.require_explained()


@pytest.mark.parametrize(("iban", "code"), [(CLOSED_PAYEE, "AC04"), (UNKNOWN_BANK, "RC01")])
def test_a_rejected_line_gives_only_its_own_money_back(
    world: BankWorld, iban: str, code: str
) -> None:
    """The file is taken in part: the others in it are paid."""
    bad = world.books.another_merchant(iban)
    world.take(700, bad)
    world.take(5_000)
    world.settle()
    world.advance(3)
    [rejected], [paid] = world.settlements(bad), world.settlements()

    assert (rejected.status, rejected.failure_code) == ("REJECTED", code)
    assert rejected.message_id == paid.message_id
    assert paid.status == "PAID"
    # Details that are wrong for good: nothing is tried before they are others.
    assert (world.books.balance(bad), world.books.balance()) == (700, 0)
    assert world.books.breaks() == [("returned", "settlement", 700, "RESOLVED")]
    world.require_explained()


def test_a_payment_without_funds_gives_the_money_back(world: BankWorld) -> None:
    """The bank takes the file and rejects its payment: the same, with the bank's reason."""
    world.take(12_500_001)
    world.bank.behave("insufficient-funds")
    world.settle()
    world.reconcile()
    [settlement] = world.settlements()

    assert (settlement.status, settlement.failure_code) == ("REJECTED", "AM04")
    assert world.books.balance() == 12_500_001
    assert [one[:3] for one in world.books.breaks()] == [("returned", "settlement", 12_500_001)]
    world.require_explained()


def test_a_file_that_somebody_else_sends_again_is_paid_once(world: BankWorld) -> None:
    """The courier forgot what it had carried: the bank answers DUPL, and somebody is told."""
    world.take(5_000)
    world.settle()
    world.courier.carried.clear()
    world.settle()
    world.advance()

    assert [one.status for one in world.settlements()] == ["PAID"]
    assert world.bank.moved() == -5_000
    assert world.books.breaks() == [("duplicate", "payout_file", -5_000, "OPEN")]
    world.require_explained()


def test_a_silent_bank_is_asked_and_shows_by_its_refusal_that_it_has_the_file(
    world: BankWorld,
) -> None:
    """No pain.002 and no statement with it: the same bytes again, DUPL; the money moved once."""
    world.take(5_000)
    world.bank.behave("silent")
    world.settle()

    assert world.reconcile() == []
    assert world.settlements()[0].status == "INSTRUCTED"

    # The statements of these days are lost on their way.
    world.bank.ask("POST", "/_mock/advance?days=3")
    world.courier.round()
    held = [path for path in world.courier.from_bank.iterdir() if "camt" in path.name]
    for path in held:
        path.rename(path.with_suffix(".tmp"))
    world.read.update(item["Key"] for item in world.s3.list_objects_v2(Bucket=BUCKET)["Contents"])
    world.bank.behave("accept")
    world.books.now += dt.timedelta(days=3)
    world.settle(time="")

    assert world.books.breaks() == [("timing", "payout_file", 5_000, "OPEN")]
    assert world.reconcile() == []
    assert world.books.breaks() == [("timing", "payout_file", 5_000, "RESOLVED")]
    assert world.books.verdicts() == ["notice", "duplicate_file"]

    for path in held:
        path.with_suffix(".tmp").rename(path)
    world.read.clear()
    world.reconcile()

    assert world.settlements()[0].status == "PAID"
    assert world.bank.moved() == -5_000
    assert len(world.books.breaks()) == 1
    world.require_explained()


def test_a_silent_bank_leaves_the_settlement_instructed_until_its_statement(
    world: BankWorld,
) -> None:
    """No pain.002 at all: the statement alone is proof, and came in time."""
    world.take(5_000)
    world.bank.behave("silent")
    world.settle()
    world.reconcile()

    assert world.settlements()[0].status == "INSTRUCTED"

    world.advance()

    assert world.settlements()[0].status == "PAID"
    assert world.books.breaks() == []
    world.require_explained()


def test_a_line_missing_from_the_statement_is_one_break(world: BankWorld) -> None:
    """Balances that don't add up without it say which: the settlement stays open, once told."""
    world.take(5_000)
    world.bank.behave("statement-gap")
    world.settle()
    world.advance(5)

    assert world.settlements()[0].status == "ACCEPTED"
    assert world.books.breaks() == [("missing", "settlement", 5_000, "OPEN")]
    world.require_explained(not_shown=5_000)


def test_of_two_payments_alike_one_missing_is_one_break(world: BankWorld) -> None:
    """What the statement shows is paid; what it lacks is the one that is left."""
    other = world.books.another_merchant()
    world.take(5_000)
    world.take(5_000, other)
    world.bank.behave("statement-gap")
    world.settle()
    world.advance(5)
    statuses = sorted(world.settlements(one)[0].status for one in (None, other))

    assert statuses == ["ACCEPTED", "PAID"]
    assert world.books.breaks() == [("missing", "settlement", 5_000, "OPEN")]
    world.require_explained(not_shown=5_000)


def test_money_that_comes_back_is_on_the_balance_again(world: BankWorld) -> None:
    """The payee's bank returns a paid settlement three days later: PAID, then RETURNED."""
    world.take(5_000)
    world.bank.behave("return-later", days=3, reason="AC04")
    world.settle()
    world.advance()

    assert world.settlements()[0].status == "PAID"

    world.advance(4)
    [settlement] = world.settlements()

    assert (settlement.status, settlement.failure_code) == ("RETURNED", "AC04")
    assert world.books.facts(settlement)[-2:] == ["paid", "returned"]
    assert world.books.balance() == 5_000
    assert world.bank.moved() == 0
    assert [one[:3] for one in world.books.breaks()] == [("returned", "settlement", 5_000)]
    world.require_explained()


def test_an_account_that_closes_before_the_payment_rejects_it(world: BankWorld) -> None:
    """Accepted on Saturday, rejected on Monday by a second answer: the last word counts."""
    world.books.now += dt.timedelta(days=5)
    world.bank.ask("POST", "/_mock/advance?days=5")
    world.take(5_000)
    world.settle()
    world.reconcile()

    assert world.settlements()[0].status == "ACCEPTED"

    world.bank.change(closed=True)
    world.advance(2)
    [settlement] = world.settlements()

    assert (settlement.status, settlement.failure_code) == ("REJECTED", "AC04")
    assert world.books.facts(settlement)[-2:] == ["accepted", "failed"]
    assert world.books.balance() == 5_000
    assert world.books.breaks() == [("returned", "settlement", 5_000, "RESOLVED")]
    world.require_explained()


def test_money_that_nobody_expected_is_one_break(world: BankWorld) -> None:
    """A stranger pays us: cash at once, in suspense until somebody knows why."""
    world.bank.receive(777, note="PAYMENT")
    world.advance(2)

    assert world.bank.moved() == 777
    assert world.books.breaks() == [("extra", "bank_line", 777, "OPEN")]
    assert sorted(world.books.verdicts()) == ["extra", "notice"]


def test_a_file_that_is_none_of_the_banks_fails_alone(world: BankWorld) -> None:
    """The queue gets back the one bad file; the good one beside it was taken."""
    world.take(5_000)
    world.settle()
    world.s3.put_object(Bucket=BUCKET, Key="inbox/bad.xml", Body=b"<!DOCTYPE x []><x/>")

    assert world.reconcile() == [{"itemIdentifier": "inbox/bad.xml"}]
    assert world.settlements()[0].status == "ACCEPTED"


def test_the_courier_carries_once_over_restarts(world: BankWorld) -> None:
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
    assert world.reconcile(again=True) == []
    assert world.reconcile(again=True) == []
    assert world.settlements()[0].status == "ACCEPTED"
