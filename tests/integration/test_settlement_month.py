"""A month of payouts in which a bank that others wrote does everything wrong that it can."""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from paynexus.ids import MerchantId
from paynexus.settlement.calendars import SATURDAY, Calendar
from tests.mock_bank import BUCKET, BankWorld, deployed
from tests.settlement_world import PAYEE_IBAN, SettlementWorld

DAYS = 35
A_DAY = dt.timedelta(days=1)
AN_HOUR_PAST_NINE = "2026-11-23T09:05:00Z"


@dataclass(slots=True)
class Month:
    """The world, who is paid in it, and the breaks that its faults should have made."""

    world: BankWorld
    merchants: list[MerchantId]
    expected: list[tuple[str, str, int]] = field(default_factory=list)
    not_shown: int = 0
    in_suspense: int = 0
    taken: int = 0

    def take(self, *amounts: int) -> None:
        """Payments of the merchants, one each."""
        for merchant, amount in zip(self.merchants, amounts, strict=False):
            if amount:
                self.world.take(amount, merchant)
                self.taken += amount

    def correct(self, merchant: MerchantId, iban: str) -> None:
        """The merchant names another account, soon."""
        with self.world.books.database.transaction() as tx:
            tx.execute(
                "UPDATE payout_accounts SET iban = %s, updated_at = %s WHERE merchant_id = %s",
                (iban, self.world.books.now, merchant),
            )

    def pay(self) -> None:
        """The run, the bank's answers, and the night in which it books."""
        world = self.world
        world.settle(time=AN_HOUR_PAST_NINE)
        assert world.reconcile() == []
        self.sleep()

    def sleep(self) -> None:
        """The bank writes the day's statements, and they are taken."""
        world = self.world
        world.bank.ask("POST", "/_mock/advance?days=1")
        world.books.now += dt.timedelta(days=1)
        assert world.reconcile() == []


@pytest.fixture
def month(
    books: SettlementWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Month]:
    """Four merchants, of which one has an account that is closed; a Monday morning."""
    with deployed(books, tmp_path / "bank", monkeypatch) as world:
        merchants = [
            books.merchant,
            books.another_merchant(),
            books.another_merchant("NL30MOCK0000000005"),
            books.another_merchant("NL84MOCK0000000003"),
        ]
        yield Month(world, merchants)


def test_a_month_of_faults_is_explained_to_the_cent(month: Month) -> None:
    """One break for each planted fault and none besides; cash is what the bank's own books say."""
    faults, calendar = iter(FAULTS), Calendar()
    for day in range(DAYS):
        today = month.world.books.now.date()
        # Not after days on which nothing was paid: a fault is to hit what it names, and no more.
        is_plain = calendar.is_open(today) and calendar.before(today) == today - A_DAY
        plant = next(faults, None) if day % 2 and is_plain else None
        if today.isoweekday() == SATURDAY and day < 7:
            close_the_account(month)
        elif plant:
            plant(month)
        else:
            month.take(1_000 + day, 2_000 + day, 3_000 + day)
            month.pay()
        month.world.require_explained(not_shown=month.not_shown, in_suspense=month.in_suspense)
    assert next(faults, None) is None
    # All that ever came, once more: nothing changes.
    assert month.world.reconcile(again=True) == []

    breaks = [one[:3] for one in month.world.books.breaks()]
    assert sorted(breaks) == sorted(month.expected)
    owed = sum(_balances(month))
    paid = -month.world.bank.moved() + month.in_suspense
    assert owed + paid == month.taken
    month.world.require_explained(not_shown=month.not_shown, in_suspense=month.in_suspense)


def _balances(month: Month) -> list[int]:
    return [month.world.books.balance(merchant) for merchant in month.merchants]


def reject_the_file(month: Month) -> None:
    """FF01; tried again."""
    month.world.bank.behave("reject-file")
    month.take(11_001)
    month.pay()
    month.world.bank.behave("accept")
    month.expected.append(("returned", "settlement", 11_001))


def reject_a_line(month: Month) -> None:
    """A closed payee among good ones; its money waits for other details."""
    month.take(10, 20, 30, 11_002)
    month.pay()
    month.expected.append(("returned", "settlement", 11_002))
    month.correct(month.merchants[3], PAYEE_IBAN)


def lack_funds(month: Month) -> None:
    """More than there is; a smaller one fits."""
    month.world.bank.behave("insufficient-funds")
    month.take(20_000_000, 11_003)
    month.pay()
    month.world.bank.behave("accept")
    month.expected.append(("returned", "settlement", 20_000_000))
    # Refunded, so that it is not asked for again.
    month.world.books.take(-20_000_000, merchant=month.merchants[0])
    month.taken -= 20_000_000


def send_twice(month: Month) -> None:
    """Somebody carries the day's file a second time."""
    month.take(11_004)
    month.world.settle(time=AN_HOUR_PAST_NINE)
    month.world.courier.carried.clear()
    *others, again = _outbox(month.world)
    for key in others:
        month.world.s3.delete_object(Bucket=BUCKET, Key=key)
    month.world.carry()
    assert month.world.reconcile() == []
    month.sleep()
    month.expected.append(("duplicate", "payout_file", -_amount_of(month.world, again)))


def _amount_of(world: BankWorld, key: str) -> int:
    rows = world.books.database.connection().execute(
        "SELECT amount FROM payout_files WHERE message_id = %s", (Path(key).stem,)
    )
    return int(rows.fetchall()[0][0])


def _outbox(world: BankWorld) -> list[str]:
    listed = world.s3.list_objects_v2(Bucket=BUCKET, Prefix="outbox/")["Contents"]
    return [item["Key"] for item in sorted(listed, key=lambda item: item["LastModified"])]


def be_silent(month: Month) -> None:
    """No answer, but a statement in time: no fault."""
    month.world.bank.behave("silent")
    month.take(11_005)
    month.pay()
    month.world.bank.behave("accept")


def leave_a_gap(month: Month) -> None:
    """The statement lacks its last entry."""
    month.world.bank.behave("statement-gap")
    month.take(11_006)
    month.pay()
    month.world.bank.behave("accept")
    month.expected.append(("missing", "settlement", 11_006))
    month.not_shown += 11_006


def return_later(month: Month) -> None:
    """Three days later the money is back."""
    month.world.bank.behave("return-later", days=3, reason="MD07")
    month.take(0, 11_007)
    month.pay()
    month.world.bank.behave("accept")
    month.expected.append(("returned", "settlement", 11_007))
    month.correct(month.merchants[1], "NL30MOCK0000000005")


def close_the_account(month: Month) -> None:
    """What was accepted on a Saturday is rejected on the Monday on which it would be paid."""
    month.take(0, 0, 11_008)
    month.world.settle()
    assert month.world.reconcile() == []
    month.world.bank.change(closed=True)
    month.sleep()
    month.sleep()
    month.world.bank.change(closed=False)
    [settlement, *_] = month.world.settlements(month.merchants[2])
    month.expected.append(("returned", "settlement", settlement.amount))
    month.correct(month.merchants[2], PAYEE_IBAN)


def pay_us(month: Month) -> None:
    """A stranger's money."""
    month.world.bank.receive(11_009, note="HELLO")
    month.pay()
    month.expected.append(("extra", "bank_line", 11_009))
    month.in_suspense += 11_009


FAULTS: tuple[Callable[[Month], None], ...] = (
    reject_the_file,
    reject_a_line,
    send_twice,
    be_silent,
    leave_a_gap,
    return_later,
    pay_us,
    lack_funds,
)
