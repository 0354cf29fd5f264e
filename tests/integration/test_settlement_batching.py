"""Runs of settlement on real books: who is paid, how much, when, and why not."""

import datetime as dt
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from paynexus.db import Database
from paynexus.ids import MerchantId
from paynexus.ledger.accounts import AccountType
from paynexus.ledger.model import TransferKind
from paynexus.settlement.bank.messages import BankAccount
from paynexus.settlement.merchant import service as merchants
from paynexus.settlement.merchant.agreements import service as agreements
from paynexus.settlement.merchant.upcoming import Upcoming
from paynexus.settlement.model import Status
from tests.settling import IBAN, Shop, open_shop, real_now, spread

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
OTHER = BankAccount("Café Müller", "DE75512108001245126199", None)
RUNS = 5


@pytest.fixture
def shop(database: Database, merchant: MerchantId) -> Shop:
    """The test's merchant."""
    return Shop(database, merchant)


def amounts(shop: Shop) -> list[int]:
    """What was paid, the oldest first."""
    return [one.amount for one in reversed(shop.settlements())]


def test_less_than_the_minimum_waits_for_more(shop: Shop) -> None:
    """It is counted with its reason, and paid with what follows."""
    shop.agrees(minimum_amount=1_000)
    shop.pays(999)

    assert shop.run().carried == {"below_minimum": 1}

    shop.pays(1)

    assert shop.run().made == 1
    assert amounts(shop) == [1_000]


def test_a_share_of_payments_is_held_back_and_given_back_once(
    shop: Shop, another_database: Callable[[], Database]
) -> None:
    """A tenth of what payments brought, not of fees; back after its days, by one of five runs."""
    shop.agrees(reserve_basis_points=1_000, reserve_days=30)
    shop.pays(10_000, fee=175)
    shop.run()
    [made] = shop.settlements()

    assert (made.amount, made.reserve_amount) == (8_825, 1_000)
    assert shop.balance(AccountType.RESERVE) == 1_000

    early = made.cutoff + 30 * DAY - HOUR
    assert shop.run(at=early, cutoff=real_now()).released == 0

    due, now = made.cutoff + 30 * DAY + HOUR, real_now()
    runs = _at_once(shop, another_database, lambda own: own.run(at=due, cutoff=now))
    assert sum(run.released for run in runs) == 1
    assert (shop.balance(AccountType.RESERVE), shop.balance()) == (0, 1_000)

    shop.agrees(reserve_basis_points=0, reserve_days=0)
    shop.run(at=due)
    latest = merchants.detail(
        shop.database,
        shop.settlements()[0].object_id,
        merchant_id=shop.merchant_id,
        mode="test",
    )

    assert latest.settlement.amount == 1_000
    assert latest.summary.parts["reserves_released"].amount == 1_000


def test_a_reserve_is_taken_of_payments_once(shop: Shop) -> None:
    """Money that came back from the bank was shared out already."""
    shop.agrees(reserve_basis_points=5_000, reserve_days=1)
    shop.pays(1_000)
    shop.run()
    shop.fails(shop.settlements()[0], "MS03")
    shop.run(at=real_now() + 2 * HOUR)

    assert [(one.amount, one.reserve_amount) for one in shop.settlements()] == [
        (500, 0),
        (500, 500),
    ]


def test_all_of_it_held_back_is_not_paid(shop: Shop) -> None:
    """A settlement pays something: with a reserve of all, nothing is made."""
    shop.agrees(reserve_basis_points=10_000, reserve_days=1)
    shop.pays(1_000)

    assert shop.run().carried == {"below_minimum": 1}
    assert shop.balance() == 1_000


def test_a_negative_balance_is_carried_until_sales_have_made_up_for_it(shop: Shop) -> None:
    """Refunds larger than sales are taken off what follows, to the cent."""
    shop.pays(500)
    shop.refunds(800)
    shop.run()
    shop.pays(200)
    shop.run()

    assert amounts(shop) == []
    assert shop.balance() == -100

    shop.pays(150)
    shop.run()

    assert amounts(shop) == [50]
    [made] = shop.settlements()
    found = merchants.detail(
        shop.database, made.object_id, merchant_id=shop.merchant_id, mode="test"
    )
    assert found.summary.parts["payments"].amount == 850
    assert found.summary.parts["refunds"].amount == -800


def test_what_refunds_have_reserved_is_left_over_and_said_to_be(shop: Shop) -> None:
    """The oldest entries that can be paid are; the next settlement tells the rest as carried."""
    shop.pays(300)
    shop.pays(700)
    held = shop.holds(600)
    shop.run()

    assert amounts(shop) == [300]

    shop.resolves(held, posted=False)
    shop.run()
    latest, first = shop.settlements()
    which = {"merchant_id": shop.merchant_id, "mode": "test"}
    found = merchants.detail(shop.database, latest.object_id, **which)  # type: ignore[arg-type]
    lines = merchants.statement(shop.database, latest.object_id, **which)  # type: ignore[arg-type]

    assert latest.amount == 700
    assert found.summary.carried_over.amount == 700
    assert found.summary.parts["payments"].count == 0
    assert lines.about.carried_before == first.cutoff


def test_reserved_beyond_the_oldest_entry_pays_nothing(shop: Shop) -> None:
    """And says so."""
    shop.pays(1_000)
    shop.holds(1)

    assert shop.run().carried == {"reserved": 1}
    assert amounts(shop) == []


def test_who_is_paid_on_request_waits_for_a_person(shop: Shop) -> None:
    """No schedule pays it; a run with a cut-off does."""
    shop.agrees(frequency="manual")
    shop.pays(1_000)

    assert shop.scheduled(real_now() + 40 * DAY).made == 0
    assert shop.run().made == 1


def test_the_schedule_pays_up_to_each_merchants_own_cutoff(shop: Shop) -> None:
    """What is booked after it waits for the next, however often the schedule runs."""
    shop.pays(1_000)
    booked = real_now()
    shop.agrees(time_zone="Asia/Tokyo", cutoff_time=dt.time(9))
    runs = [shop.scheduled(booked + hours * HOUR) for hours in range(0, 24 * 6, 6)]
    [made] = shop.settlements()

    assert sum(run.made for run in runs) == 1
    assert made.cutoff > booked
    assert made.cutoff.astimezone(dt.UTC).time() == dt.time(0)
    assert made.cutoff.isoweekday() <= 5


@pytest.mark.parametrize("apart", [0, 1])
def test_five_runs_at_once_make_one_settlement(
    shop: Shop, another_database: Callable[[], Database], apart: int
) -> None:
    """Of the same cut-off, or of five that lie a millisecond apart."""
    shop.pays(1_000)
    shop.pays(500)
    now = real_now()
    moments = iter([now + n * apart * dt.timedelta(milliseconds=1) for n in range(RUNS)])
    runs = _at_once(shop, another_database, lambda own: own.run(at=next(moments)))

    assert sum(run.made for run in runs) == 1
    assert amounts(shop) == [1_500]
    shop.require_every_entry_once()


def test_a_run_again_a_week_later_changes_nothing(shop: Shop) -> None:
    """The same cut-off makes the same settlement: it is there, and stays as it is."""
    shop.pays(1_000)
    cutoff = real_now()
    shop.run(at=cutoff)
    before = shop.settlements()
    shop.pays(300)
    again = shop.run(at=cutoff + 7 * DAY, cutoff=cutoff)

    assert again.made == 0
    assert shop.settlements() == before
    assert shop.balance() == 300


def test_a_failed_payout_is_tried_again_when_its_wait_is_over(shop: Shop) -> None:
    """An hour after a reason that may pass, between the merchant's own cut-offs; not before."""
    shop.agrees(frequency="manual")
    shop.pays(1_000)
    shop.run()
    shop.fails(shop.settlements()[0], "MS03")
    failed_at = real_now()

    assert shop.scheduled(failed_at + HOUR / 2).made == 0
    assert shop.scheduled(failed_at + HOUR + dt.timedelta(minutes=1)).made == 1
    assert amounts(shop) == [1_000, 1_000]
    assert shop.balance() == 0


def test_an_account_that_was_refused_for_good_waits_for_another(shop: Shop) -> None:
    """Runs carry the money with the reason; the new account is tried by the next run."""
    shop.agrees(frequency="manual")
    shop.pays(1_000)
    shop.run()
    shop.fails(shop.settlements()[0], "AC04")

    assert shop.run(at=real_now() + 30 * DAY).carried == {"account_refused": 1}

    changed_at = real_now() + HOUR
    agreements.change_payout_account(shop.database, shop.merchant_id, "EUR", OTHER, now=changed_at)
    assert shop.scheduled(changed_at + HOUR).made == 1
    assert shop.settlements()[0].creditor.iban == OTHER.iban
    assert shop.settlements()[0].cutoff == changed_at


def test_details_that_changed_while_the_payout_was_under_way_are_tried_soon(shop: Shop) -> None:
    """The merchant put its account right before the bank's refusal came."""
    shop.agrees(frequency="monthly", month_day=1)
    shop.pays(1_000)
    shop.run()
    agreements.change_payout_account(shop.database, shop.merchant_id, "EUR", OTHER, now=real_now())
    shop.fails(shop.settlements()[0], "AC04")
    shop.scheduled(real_now() + dt.timedelta(minutes=2))

    assert amounts(shop) == [1_000, 1_000]


def test_what_is_booked_while_a_run_holds_the_account_is_in_the_next(
    shop: Shop, another_database: Callable[[], Database]
) -> None:
    """Entries wait for the lock and are numbered after it: none slips into a range behind."""
    shop.pays(1_000)
    other, booked = shop.over(another_database()), threading.Event()

    def book() -> None:
        other.pays(500)
        booked.set()

    with ThreadPoolExecutor(1) as pool:
        with shop.database.transaction() as tx:
            tx.execute(
                "SELECT settlement_lock(a, FALSE) FROM accounts AS a"
                " WHERE type = 'merchant_payable' AND merchant_id = %s",
                (shop.merchant_id,),
            )
            waiting = pool.submit(book)
            assert not booked.wait(0.3)
            cutoff = real_now()
        waiting.result()
    shop.run(at=cutoff)
    shop.run()

    assert amounts(shop) == [1_000, 500]
    shop.require_every_entry_once()


def test_bookings_and_runs_at_once_leave_no_entry_out(
    shop: Shop, another_database: Callable[[], Database]
) -> None:
    """Four tills on an account of several slots, and runs between: each cent is paid once."""
    shop.pays(1)
    spread(shop.database, shop, 8)
    is_over = threading.Event()

    def runs(own: Shop) -> None:
        while not is_over.is_set():
            own.run()

    tills = [shop.over(another_database()) for _ in range(4)]
    with ThreadPoolExecutor(6) as pool:
        runners = [pool.submit(runs, shop.over(another_database())) for _ in range(2)]
        list(pool.map(lambda till: [till.pays(100, fee=3) for _ in range(25)], tills))
        is_over.set()
        [one.result() for one in runners]
    shop.run(at=real_now())

    assert sum(amounts(shop)) == 1 + 4 * 25 * 97
    assert shop.balance() == 0
    shop.require_every_entry_once()
    shop.require_explained()


def test_each_reason_to_wait_is_told_with_what_to_do(shop: Shop, database: Database) -> None:
    """What the merchant reads ahead of time is what a run would count."""
    stranger = open_shop(database)

    def waits(of: Shop = shop) -> list[str]:
        [found] = merchants.next_settlements(
            database, merchant_id=of.merchant_id, mode="test", now=real_now()
        )
        assert all(wait.message.endswith(".") for wait in found.waits)
        return [wait.code for wait in found.waits]

    shop.agrees(minimum_amount=500, frequency="manual")
    shop.pays(400)
    assert waits() == ["manual", "below_minimum"]
    shop.refunds(400)
    assert waits() == ["manual", "nothing_to_pay"]
    shop.agrees(minimum_amount=0)
    shop.pays(1_000)
    shop.holds(1)
    assert waits() == ["manual", "reserved"]

    stranger.pays(1_000)
    assert waits(stranger) == []
    stranger.run()
    stranger.fails(stranger.settlements()[0], "MS03")
    assert waits(stranger) == ["waits_to_retry"]
    with database.transaction() as tx:
        tx.execute(
            "UPDATE payout_holds SET retry_at = NULL, code = 'AC04' WHERE merchant_id = %s",
            (stranger.merchant_id,),
        )
    assert waits(stranger) == ["account_refused"]
    with database.transaction() as tx:
        tx.execute("DELETE FROM payout_accounts WHERE iban = %s", (IBAN,))
        tx.execute("DELETE FROM house_accounts")
    assert waits(stranger) == ["no_payout_account", "no_house_account"]


def test_the_next_payout_is_told_ahead_of_time(shop: Shop) -> None:
    """A cut-off that has come but was not run yet is the next; after the run, the one after."""
    shop.pays(1_000)
    shop.agrees(time_zone="UTC", cutoff_time=dt.time(12))

    def upcoming(at: dt.datetime) -> Upcoming:
        [found] = merchants.next_settlements(
            shop.database, merchant_id=shop.merchant_id, mode="test", now=at
        )
        return found

    # A Wednesday, long after what is booked.
    noon = dt.datetime(2100, 3, 3, 12, tzinfo=dt.UTC)
    found = upcoming(noon + HOUR)
    assert (found.cutoff, str(found.instructed_on), str(found.expected_on)) == (
        noon,
        "2100-03-03",
        "2100-03-04",
    )
    assert found.candidate.posted == 1_000

    shop.scheduled(noon + HOUR)
    [made] = shop.settlements()
    assert (made.cutoff, str(made.expected_on)) == (noon, "2100-03-04")

    found = upcoming(noon + HOUR)
    assert (found.cutoff, found.candidate.posted) == (noon + DAY, 0)
    assert [wait.code for wait in found.waits] == ["nothing_to_pay"]


def test_statuses_of_a_returned_payout_have_their_moments(shop: Shop) -> None:
    """Paid, then returned: both are told, with the reason in a sentence."""
    shop.pays(1_000)
    shop.run()
    [made] = shop.settlements()
    shop.comes_back(made, "AC04")
    found = merchants.detail(
        shop.database, made.object_id, merchant_id=shop.merchant_id, mode="test"
    )

    assert found.settlement.status == Status.RETURNED
    assert found.about.paid_at is not None
    assert found.about.failed_at is not None

    shop.books(TransferKind.DISPUTE_COVER, 400)
    agreements.change_payout_account(shop.database, shop.merchant_id, "EUR", OTHER, now=real_now())
    shop.run(at=real_now() + HOUR, cutoff=real_now())
    latest = merchants.detail(
        shop.database,
        shop.settlements()[0].object_id,
        merchant_id=shop.merchant_id,
        mode="test",
    )

    assert latest.summary.parts["returned_payouts"].amount == 1_000
    assert latest.summary.parts["disputes"].amount == -400
    assert latest.settlement.amount == 600


def _at_once[Result](
    shop: Shop, another_database: Callable[[], Database], act: Callable[[Shop], Result]
) -> list[Result]:
    """Five connections act at the same moment."""
    barrier = threading.Barrier(RUNS)

    def start(own: Shop) -> Result:
        barrier.wait()
        return act(own)

    crowd = [shop.over(another_database()) for _ in range(RUNS)]
    with ThreadPoolExecutor(RUNS) as pool:
        return list(pool.map(start, crowd))
