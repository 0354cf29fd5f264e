"""Whatever happened to a merchant's money, in any order and at once, it is settled once."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paynexus.db import Database
from paynexus.errors import PayNexusError
from paynexus.ids import TransferId
from paynexus.ledger.accounts import AccountType
from paynexus.ledger.model import TransferKind
from paynexus.settlement.model import Status
from tests.settling import Shop, open_shop, real_now, spread

HISTORIES = 60
CROWDS = 25
"""Histories that several connections write at once."""
CLIENTS = 4
STEPS = 14

AMOUNTS = st.integers(1, 20_000)
STEP = st.one_of(
    st.tuples(st.just("pay"), AMOUNTS, st.integers(0, 50)),
    st.tuples(st.just("refund"), AMOUNTS, st.just(0)),
    st.tuples(st.just("hold"), AMOUNTS, st.just(0)),
    st.tuples(st.just("resolve"), st.integers(0, 9), st.integers(0, 1)),
    st.tuples(st.just("dispute"), AMOUNTS, st.just(0)),
    st.tuples(st.just("terms"), st.integers(0, 10_000), st.integers(0, 5_000)),
    st.tuples(st.just("spread"), st.sampled_from([1, 2, 4]), st.just(0)),
    st.tuples(st.just("run"), st.integers(0, 20), st.just(0)),
    st.tuples(st.just("run"), st.integers(0, 20), st.just(0)),
    st.tuples(st.just("release"), st.just(0), st.just(0)),
    st.tuples(st.just("fail"), st.integers(0, 9), st.integers(0, 1)),
)


@dataclass(slots=True)
class Day:
    """Does steps of a history; the holds that are open are shared by all who do."""

    shop: Shop
    holds: list[TransferId] = field(default_factory=list)

    def does(self, step: tuple[str, int, int]) -> None:
        """One step; what the rules refuse has no effect."""
        what, first, second = step
        getattr(self, what)(first, second)

    def pay(self, amount: int, fee: int) -> None:
        """Money comes in."""
        self.shop.pays(amount, fee=min(fee, amount))

    def refund(self, amount: int, _: int) -> None:
        """Money goes back, perhaps more than there is."""
        self.shop.refunds(amount)

    def hold(self, amount: int, _: int) -> None:
        """Money is reserved for a refund."""
        self.holds.append(self.shop.holds(amount))

    def resolve(self, which: int, posted: int) -> None:
        """A reserved refund has an end."""
        if self.holds:
            held = self.holds.pop(which % len(self.holds))
            self.shop.resolves(held, posted=bool(posted))

    def dispute(self, amount: int, _: int) -> None:
        """A payer's bank takes money back."""
        self.shop.books(TransferKind.DISPUTE_COVER, amount)

    def terms(self, minimum: int, share: int) -> None:
        """The merchant's minimum and reserve are others."""
        self.shop.agrees(minimum_amount=minimum, reserve_basis_points=share, reserve_days=1)

    def spread(self, slots: int, _: int) -> None:
        """The account gets, or had, more slots."""
        spread(self.shop.database, self.shop, slots)

    def run(self, ago: int, _: int) -> None:
        """A run, up to a moment that is some milliseconds past."""
        now = real_now()
        self.shop.run(at=now, cutoff=now - ago * (now - now.replace(microsecond=0)) / 1000)

    def release(self, *_: int) -> None:
        """A run a month from now, of what is booked so far: reserves are given back."""
        now = real_now()
        self.shop.run(at=now.replace(year=now.year + 1), cutoff=now)

    def fail(self, which: int, returned: int) -> None:
        """The bank refuses a settlement, or its money is returned; new details are at hand."""
        pending = [one for one in self.shop.settlements() if one.status == Status.PENDING]
        if pending:
            one = pending[which % len(pending)]
            (self.shop.comes_back if returned else self.shop.fails)(one, "MS03")


def require_all_is_well(shop: Shop) -> None:
    """Entry by entry, settlement by settlement, and by what is held back."""
    shop.require_every_entry_once()
    shop.require_explained()
    [(held,)] = shop.database.connection().execute(
        "SELECT coalesce(sum(s.reserve_amount), 0)::BIGINT FROM settlements AS s"
        " JOIN reserves AS r ON r.settlement_id = s.id"
        " WHERE r.released_at IS NULL AND s.merchant_id = %s",
        (shop.merchant_id,),
    )

    assert shop.balance(AccountType.RESERVE) == held


@settings(
    max_examples=HISTORIES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(history=st.lists(STEP, max_size=STEPS))
def test_any_history_is_settled_once(
    database: Database, history: list[tuple[str, int, int]]
) -> None:
    """Settlements, reserves and balance are the ledger; the fixture audits the books after."""
    shop = open_shop(database)
    day = Day(shop)
    shop.pays(1)
    for step in history:
        day.does(step)

    require_all_is_well(shop)


@pytest.mark.proof
@pytest.mark.parametrize("seed", range(CROWDS))
def test_histories_at_once_are_settled_once(
    database: Database, another_database: Callable[[], Database], seed: int
) -> None:
    """Clients book, settle, fail and spread one account; what is refused changes nothing."""
    dice = random.Random(seed)  # noqa: S311 - a test's dice
    shop = open_shop(database)
    shop.pays(10_000)
    crowd = [Day(shop.over(another_database())) for _ in range(CLIENTS)]
    scripts = [[_step(dice) for _ in range(STEPS)] for _ in crowd]
    with ThreadPoolExecutor(CLIENTS) as pool:
        done = list(pool.map(_write, crowd, scripts))

    assert all(done), "nobody got anything done"
    require_all_is_well(shop)


def _write(day: Day, script: list[tuple[str, int, int]]) -> int:
    done = 0
    for step in script:
        try:
            day.does(step)
        except PayNexusError:
            continue
        done += 1
    return done


def _step(dice: random.Random) -> tuple[str, int, int]:
    what = dice.choice(
        ["pay"] * 4
        + ["refund", "hold", "resolve", "dispute", "terms", "spread", "fail", "fail"]
        + ["run"] * 4
        + ["release"]
    )
    bounds = {"terms": (3_000, 3_000), "spread": (4, 0), "pay": (20_000, 50)}
    most, second = bounds.get(what, (5_000, 1))
    return what, dice.randint(1, most), dice.randint(0, second)
