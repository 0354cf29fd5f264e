"""Back-tests on real Postgres: asked for, run once, gated, promoted, put back."""

import datetime as dt
import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest

from paynexus import events, ids
from paynexus.changefeed.facts import envelope
from paynexus.db import Database
from paynexus.errors import GateClosed, InvalidRequest, InvalidState, NotFound, PayNexusError
from paynexus.fraud.backtest import promotion, resource, service, worker
from paynexus.fraud.backtest.changes import ModelChange, ModelState, outlined, written
from paynexus.fraud.backtest.model import (
    ATTEMPTS_MAX,
    QUEUED_MAX,
    Backtest,
    Period,
    Promotion,
    Scope,
    State,
)
from paynexus.fraud.backtest.service import Wanted
from paynexus.fraud.backtest.store import runs
from paynexus.fraud.lists import service as lists
from paynexus.fraud.lists.model import FraudList, Kind
from paynexus.fraud.lists.model import Wanted as ListWanted
from paynexus.fraud.model import Action, EntityKind, entity
from paynexus.fraud.rulebook import service as rulebook
from paynexus.fraud.rulebook.model import Rule, Wording
from paynexus.ids import MerchantId
from paynexus.lists.model import Page

BY = "pnx_test_0000000000000000000000"
OPEN = {
    "payments_min": 1,
    "flipped_max": 1,
    "false_positive_increase_max": 1,
    "money_floor_minor": -(10**9),
}
SQL_OBSERVED = """
INSERT INTO fraud_observations (payment_id, merchant_id, mode, observed_at, amount, currency, card)
VALUES (%s, %s, 'test', %s, %s, 'EUR', %s)
"""
SQL_LABELLED = """
INSERT INTO fraud_labels (payment_id, merchant_id, mode, is_fraud, source, source_id, known_at,
    card, observed_at)
VALUES (%s, %s, 'test', %s, 'case', uuidv7(), %s, %s, %s)
"""


@dataclass
class World:
    """A merchant's past: ten days that end an hour ago, and who asks about it."""

    database: Database
    merchant: MerchantId
    now: dt.datetime
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def scope(self) -> Scope:
        """The merchant's."""
        return Scope(self.merchant, "test")

    @property
    def period(self) -> Period:
        """Two of the days."""
        return Period(self.now - dt.timedelta(days=3), self.now - dt.timedelta(days=1))

    def pay(
        self,
        amount: int = 1_000,
        *,
        hours_ago: float = 30,
        card: str = "card",
        is_fraud: bool | None = False,
        by: MerchantId | None = None,
        email: str | None = None,
    ) -> UUID:
        """A payment of the past, of which it is known by now what it was (None: it isn't)."""
        payment_id, merchant = ids.new_id(), by or self.merchant
        at = self.now - dt.timedelta(hours=hours_ago)
        hashed = entity("test", merchant, EntityKind.CARD, card)
        with self.database.transaction() as tx:
            tx.execute(SQL_OBSERVED, (payment_id, merchant, at, amount, hashed))
            if is_fraud is not None:
                known_at = at + dt.timedelta(hours=2)
                tx.execute(SQL_LABELLED, (payment_id, merchant, is_fraud, known_at, hashed, at))
            if email is not None:
                tx.execute(
                    "INSERT INTO payment_customers (payment_id, email) VALUES (%s, %s)",
                    (payment_id, email),
                )
        return payment_id

    def label(
        self, payment_id: UUID, *, is_fraud: bool, hours_ago: float, paid_hours_ago: float
    ) -> None:
        """It became known of a payment with the card "card" that it was this."""
        card = entity("test", self.merchant, EntityKind.CARD, "card")
        known_at = self.now - dt.timedelta(hours=hours_ago)
        at = self.now - dt.timedelta(hours=paid_hours_ago)
        with self.database.transaction() as tx:
            tx.execute(SQL_LABELLED, (payment_id, self.merchant, is_fraud, known_at, card, at))

    def rule(
        self, expression: str, *, action: Action = Action.BLOCK, owner: MerchantId | None = None
    ) -> Rule:
        """A rule of the merchant that no version decides of yet; `owner` is another's."""
        by = rulebook.Change(owner or self.merchant, BY, self.now)
        wording = Wording(expression, action, "It looks like fraud.")
        with self.database.transaction() as tx:
            return rulebook.create_rule(tx, f"rule_{next(self.numbers)}", wording, by=by)

    def order(self, change: dict[str, Any], *, scope: Scope | None = None) -> Backtest:
        """A back-test of the change waits."""
        wanted = Wanted(change, self.period)
        return service.order(self.database, wanted, scope=scope or self.scope, by=BY, now=self.now)

    def run(self) -> int:
        """The back-tests that wait are run."""
        return worker.run_pending(self.database, now=self.now)

    def read(self, backtest: Backtest) -> Backtest:
        """As it is now."""
        name = ids.text("fbt", backtest.id)
        return service.find(self.database, name, scope=backtest.scope)

    def replayed(self, change: dict[str, Any], *, scope: Scope | None = None) -> Backtest:
        """A back-test that has been run."""
        backtest = self.order(change, scope=scope)
        self.run()
        return self.read(backtest)

    def promote(self, backtest: Backtest, **options: Any) -> Promotion:  # noqa: ANN401 - passed on
        """Its change takes effect."""
        name = ids.text("fbt", backtest.id)
        return promotion.promote(
            self.database, name, scope=backtest.scope, by=BY, now=self.now, **options
        )

    def revert(self, promoted: Promotion) -> Promotion:
        """The change is put back."""
        name = ids.text("fpr", promoted.id)
        return promotion.revert(self.database, name, scope=promoted.scope, by=BY, now=self.now)

    def open_gate(self, scope: Scope | None = None) -> None:
        """The gate lets nearly everything through."""
        promotion.change_gate(self.database, OPEN, scope=scope or self.scope)

    def rows(self, query: str) -> list[Any]:
        """What the database says."""
        with self.database.reading() as connection:
            return connection.execute(query.encode()).fetchall()


@pytest.fixture(name="world")
def _world(database: Database, merchant: MerchantId, now: dt.datetime) -> World:
    return World(database, merchant, now)


def _of_rule(rule: Rule) -> dict[str, Any]:
    version = ids.text("frv", rule.newest.id)
    return {"type": "rule", "rule": ids.text("frl", rule.id), "version": version}


def _report(backtest: Backtest) -> Any:  # noqa: ANN401 - JSON
    assert backtest.report is not None, backtest.failure
    return backtest.report


def test_a_rule_is_replayed_over_the_period(world: World) -> None:
    """Two frauds would have been stopped and a genuine payment; one was before the period."""
    world.pay(5_000, is_fraud=True, card="a")
    world.pay(7_000, is_fraud=True, card="b")
    world.pay(6_000, is_fraud=False, card="c")
    world.pay(200, is_fraud=False, card="d")
    world.pay(9_000, is_fraud=None, card="d")
    world.pay(5_000, is_fraud=True, hours_ago=24 * 4)

    backtest = world.order(_of_rule(world.rule("amount >= 5000")))
    waiting = world.read(backtest).state
    ended = world.run()
    done = world.read(backtest)
    report = _report(done)

    assert (waiting, ended, done.state) == (State.PENDING, 1, State.COMPLETED)
    assert (report["payments"], report["warm_up_payments"]) == (5, 1)
    assert report["known"] == {"fraud": 2, "genuine": 2, "unknown": 1}
    assert report["flipped"]["count"] == 4
    assert (report["money"][0]["fraud_stopped"], report["money"][0]["genuine_stopped"]) == (
        12_000,
        6_000,
    )
    assert report["money"][0]["difference"] == 6_000
    assert done.replaces == {"version": None, "shadow": None}


def test_counts_are_those_of_the_moment(world: World) -> None:
    """Payments before the period count, later ones never do."""
    for hours in (73, 72.5, 71, 70):
        world.pay(hours_ago=hours, is_fraud=None)

    report = _report(world.replayed(_of_rule(world.rule("card_count_24h == 3"))))

    flipped = report["flipped"]["decisions"]
    assert (report["payments"], report["warm_up_payments"]) == (2, 2)
    assert [(one["to"], one["payments"]) for one in flipped] == [("BLOCK", 1)]


def test_a_rule_that_decides_already_is_the_base(world: World) -> None:
    """What a second rule adds is counted alone; disabling the first lets its payments go."""
    world.open_gate()
    world.pay(5_000, card="a")
    world.pay(300, card="b")
    first = world.rule("amount >= 5000")
    world.promote(world.replayed(_of_rule(first)))

    more = _report(world.replayed(_of_rule(world.rule("amount >= 300"))))
    without = _report(world.replayed(_of_rule(first) | {"version": None}))

    assert [(one["from"], one["to"], one["payments"]) for one in more["flipped"]["decisions"]] == [
        ("ALLOW", "BLOCK", 1)
    ]
    assert [
        (one["from"], one["to"], one["payments"]) for one in without["flipped"]["decisions"]
    ] == [("BLOCK", "ALLOW", 1)]


def test_limits_are_replayed_as_the_platforms_rules_read_them(world: World) -> None:
    """The limit is a feature: both configurations see their own."""
    for amount in (40_000, 60_000, 2_000_000):
        world.pay(amount)

    change = {"type": "limits", "limits": {"challenge_above_minor": 30_000}}
    report = _report(world.replayed(change))

    assert [
        (one["from"], one["to"], one["payments"]) for one in report["flipped"]["decisions"]
    ] == [("ALLOW", "CHALLENGE", 1)]


def test_the_platform_replays_every_merchant(world: World) -> None:
    """And tells whose customers would be held up."""
    other = MerchantId(ids.new_id())
    with world.database.transaction() as tx:
        tx.execute("INSERT INTO merchants (id, name) VALUES (%s, 'Bar')", (other,))
    platform = Scope(None, "test")
    world.pay(900, card="a")
    world.pay(5_000, card="b", by=other)
    with world.database.transaction() as tx:
        wording = Wording("amount >= 5000", Action.CHALLENGE, "It is much.")
        rule = rulebook.create_rule(tx, "much", wording, by=rulebook.Change(None, BY, world.now))

    report = _report(world.replayed(_of_rule(rule), scope=platform))

    merchants = report["false_positives"]["merchants"]
    assert [(one["merchant"], one["increase"]) for one in merchants] == [
        (ids.text("mer", other), 1.0),
        (ids.text("mer", world.merchant), 0.0),
    ]


def test_what_a_merchant_does_not_have_is_not_found(world: World, now: dt.datetime) -> None:
    """Neither another's rule, nor another's back-test, nor a version of another rule."""
    other = MerchantId(ids.new_id())
    with world.database.transaction() as tx:
        tx.execute("INSERT INTO merchants (id, name) VALUES (%s, 'Bar')", (other,))
    foreign, own = world.rule("amount > 1", owner=other), world.rule("amount > 2")
    backtest = world.order(_of_rule(own))

    with pytest.raises(NotFound):
        world.order(_of_rule(foreign))
    with pytest.raises(NotFound):
        world.order(_of_rule(own) | {"version": ids.text("frv", foreign.newest.id)})
    for scope in (Scope(other, "test"), Scope(world.merchant, "live"), Scope(None, "test")):
        with pytest.raises(NotFound):
            service.find(world.database, ids.text("fbt", backtest.id), scope=scope)
    with pytest.raises(NotFound):
        service.find(world.database, "fbt_nonsense", scope=world.scope)


@pytest.mark.parametrize(("since", "until"), [(1, 2), (2, 2), (2, -1)])
def test_a_period_that_is_no_past_is_refused(world: World, since: int, until: int) -> None:
    """In days ago: it ends before it begins, is empty, or lasts into the future."""
    days = dt.timedelta(days=1)
    wanted = Wanted(
        _of_rule(world.rule("amount > 1")),
        Period(world.now - since * days, world.now - until * days),
    )

    with pytest.raises(InvalidRequest, match="period"):
        service.order(world.database, wanted, scope=world.scope, by=BY, now=world.now)


def test_a_period_of_too_many_payments_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those before the period count as well: they are replayed."""
    monkeypatch.setattr(service, "PAYMENTS_MAX", 2)
    change = _of_rule(world.rule("amount > 1"))
    world.pay()
    world.pay(hours_ago=24 * 5)
    world.order(change)
    world.pay()

    with pytest.raises(InvalidRequest, match="more than 2 payments"):
        world.order(change)


def test_what_is_no_change_is_refused(world: World) -> None:
    """With what would be one."""
    with pytest.raises(InvalidRequest, match="give type rule"):
        world.order({"type": "nothing"})
    change = {"type": "limits", "limits": {"challenge_above_minor": 1}}
    with pytest.raises(InvalidRequest, match="merchant"):
        world.order(change, scope=Scope(None, "test"))


def test_so_many_may_wait(world: World) -> None:
    """One of each scope can't keep the workers from all others for ever."""
    change = _of_rule(world.rule("amount > 1"))
    for _ in range(QUEUED_MAX):
        world.order(change)

    with pytest.raises(InvalidState, match="wait already"):
        world.order(change)


def test_back_tests_are_listed_the_newest_first(world: World) -> None:
    """A page at a time, as everything is."""
    change = _of_rule(world.rule("amount > 1"))
    made = [world.order(change).id for _ in range(3)]

    first, has_more = service.list_of(world.database, Page(2), scope=world.scope)
    rest, has_rest = service.list_of(
        world.database, Page(2, before=first[-1].id), scope=world.scope
    )

    assert ([one.id for one in (*first, *rest)], has_more, has_rest) == (made[::-1], True, False)


def test_a_back_test_whose_worker_died_is_taken_up_again(world: World) -> None:
    """When that worker's time is over, and not before."""
    backtest = world.order(_of_rule(world.rule("amount > 1")))
    until = world.now + dt.timedelta(seconds=30)
    with world.database.statement() as connection:
        runs.take(connection, now=world.now, until=until)

    too_early = world.run()
    world.now = until
    ended = world.run()

    assert (too_early, ended) == (0, 1)
    assert (world.read(backtest).state, world.read(backtest).attempts) == (State.COMPLETED, 2)


def test_a_back_test_that_kills_its_workers_is_given_up(world: World) -> None:
    """It says so, and the next one has its turn."""
    change = _of_rule(world.rule("amount > 1"))
    deadly, harmless = world.order(change), world.order(change)
    for _ in range(ATTEMPTS_MAX):
        with world.database.statement() as connection:
            runs.take(connection, now=world.now, until=world.now)

    world.run()

    assert (world.read(deadly).state, world.read(deadly).failure) == (State.FAILED, "interrupted")
    assert world.read(harmless).state is State.COMPLETED


def test_a_back_test_without_time_waits_for_the_next_worker(world: World) -> None:
    """And is given up when that has not enough either, nor the one after it."""
    world.pay()
    backtest = world.order(_of_rule(world.rule("amount > 1")))
    states = []
    for _ in range(ATTEMPTS_MAX):
        # A clock that is a minute later each time it is looked at.
        minutes = itertools.count(step=60)
        worker.run_pending(
            world.database,
            now=world.now,
            deadline=world.now + dt.timedelta(seconds=150),
            monotonic=lambda minutes=minutes: next(minutes),  # type: ignore[misc]
        )
        states.append(world.read(backtest).state)

    assert states == [State.PENDING, State.PENDING, State.FAILED]
    assert world.read(backtest).failure == "out_of_time"


def test_workers_share_the_back_tests_and_run_each_once(
    world: World, another_database: Callable[[], Database]
) -> None:
    """However many of them there are."""
    for number in range(40):
        world.pay(card=f"card {number}")
    change = _of_rule(world.rule("amount > 1"))
    ordered = [world.order(change) for _ in range(6)]

    def work(database: Database) -> int:
        return worker.run_pending(database, now=world.now)

    with ThreadPoolExecutor(3) as pool:
        ended = list(pool.map(work, [another_database() for _ in range(3)]))

    assert sum(ended) == len(ordered)
    assert [(world.read(one).state, world.read(one).attempts) for one in ordered] == [
        (State.COMPLETED, 1)
    ] * len(ordered)


def test_the_report_of_a_worker_that_was_given_up_is_dropped(world: World) -> None:
    """Another has the back-test by then."""
    world.order(_of_rule(world.rule("amount > 1")))
    with world.database.statement() as connection:
        former = runs.take(connection, now=world.now, until=world.now)
        present = runs.take(connection, now=world.now, until=world.now)
        assert former is not None
        assert present is not None

        stood = [
            runs.complete(connection, one, replaces={}, report={}, now=world.now)
            for one in (former, present)
        ]

    assert stood == [False, True]


def test_the_gate_is_closed_until_a_report_shows_enough(world: World) -> None:
    """Each check that isn't met is named, with what was found; nothing has changed."""
    world.pay(5_000, is_fraud=False)
    rule = world.rule("amount >= 5000")
    backtest = world.order(_of_rule(rule))
    with pytest.raises(InvalidState, match="PENDING"):
        world.promote(backtest)
    world.run()

    with pytest.raises(GateClosed) as closed:
        world.promote(backtest)

    checks: Any = closed.value.extra["checks"]
    assert [(one["name"], one["actual"], one["limit"]) for one in checks] == [
        ("payments_min", 1, 1_000),
        ("flipped_max", 1.0, 0.02),
        ("false_positive_increase_max", 1.0, 0.001),
        ("money_floor_minor.EUR", -15_000, 0),
    ]
    assert world.rows("SELECT count(*) FROM fraud_promotions") == [(0,)]
    assert (
        rulebook.find(world.database, ids.text("frl", rule.id), owner=world.merchant).live is None
    )


def test_a_promotion_takes_effect_and_is_put_back_by_one_call(world: World) -> None:
    """It is recorded, announced, and whoever holds rules is told to read them anew."""
    world.open_gate()
    world.pay(5_000, is_fraud=True)
    world.pay(900, card="other")
    rule = world.rule("amount >= 5000")
    name = ids.text("frl", rule.id)
    backtest = world.replayed(_of_rule(rule))
    revision = "SELECT revision FROM fraud_revisions WHERE merchant_id IS NOT NULL"
    before = world.rows(revision)

    promoted = world.promote(backtest)
    decides = rulebook.find(world.database, name, owner=world.merchant).live
    during = world.rows(revision)
    world.revert(promoted)

    found = promotion.find(world.database, ids.text("fpr", promoted.id), scope=world.scope)
    told = world.rows("SELECT type, sequence FROM events ORDER BY created_at")
    assert decides is not None
    assert decides.id == rule.newest.id
    assert rulebook.find(world.database, name, owner=world.merchant).live is None
    assert before < during < world.rows(revision)
    assert (found.promoted_by, found.reverted_by, found.reverted_at) == (BY, BY, world.now)
    assert found.replaced == {"version": None, "shadow": None}
    assert all(check["is_met"] for check in found.checks)
    assert told == [("fraud.promoted.v1", 1), ("fraud.reverted.v1", 2)]
    assert resource.promotion(found)["change"] == outlined(backtest.change)


def test_a_version_in_shadow_goes_back_into_shadow(world: World) -> None:
    """There it was before it was promoted."""
    world.open_gate()
    world.pay()
    rule = world.rule("amount >= 5000")
    name, by = ids.text("frl", rule.id), rulebook.Change(world.merchant, BY, world.now)
    with world.database.transaction() as tx:
        rulebook.run_in_shadow(tx, name, ids.text("frv", rule.newest.id), by=by)

    world.revert(world.promote(world.replayed(_of_rule(rule))))

    found = rulebook.find(world.database, name, owner=world.merchant)
    assert found.live is None
    assert found.shadow is not None
    assert found.shadow.id == rule.newest.id


def _envelopes(world: World) -> list[dict[str, Any]]:
    query = """SELECT id, type, mode, merchant_id, object_id, sequence, data, created_at
    FROM events ORDER BY created_at"""
    names = ("id", "type", "mode", "merchant_id", "object_id", "sequence", "data", "created")
    rows = [dict(zip(names, row, strict=True)) for row in world.rows(query)]
    return [envelope(**row) for row in rows]


def test_the_platforms_operator_overrules_the_gate_with_a_reason(world: World) -> None:
    """It is kept and told; a merchant can't, and nobody without a reason."""
    world.pay(5_000, is_fraud=False)
    platform = Scope(None, "test")
    change = {"type": "thresholds", "challenge_at": 0.4, "block_at": 0.8}
    mine, theirs = world.replayed(change), world.replayed(change, scope=platform)

    with pytest.raises(GateClosed):
        world.promote(theirs)
    for backtest, because in ((mine, "I know better."), (theirs, " ")):
        with pytest.raises(InvalidRequest, match="because"):
            world.promote(backtest, because=because)
    promoted = world.promote(theirs, because="An attack is under way.")

    told = _envelopes(world)
    for event in told:
        events.require_valid(event)
    assert promoted.because == "An attack is under way."
    assert [not check["is_met"] for check in promoted.checks].count(True) == 1
    assert told[0]["merchant_id"] is None
    assert told[0]["data"]["because"] == promoted.because


@pytest.mark.parametrize(
    ("change", "query", "before", "after"),
    [
        (
            {"type": "thresholds", "challenge_at": 0.4, "block_at": 0.8},
            "SELECT challenge_at, block_at FROM fraud_settings WHERE merchant_id IS NOT NULL",
            [(None, None)],
            [(0.4, 0.8)],
        ),
        (
            {"type": "limits", "limits": {"challenge_above_minor": 5}},
            "SELECT configuration -> 'fraud' FROM merchants",
            [({"block_above_minor": 9},)],
            [({"block_above_minor": 9, "challenge_above_minor": 5},)],
        ),
    ],
)
def test_settings_take_effect_and_are_put_back(
    world: World,
    change: dict[str, Any],
    query: str,
    before: list[tuple[object, ...]],
    after: list[tuple[object, ...]],
) -> None:
    """What the change doesn't name stays as it was."""
    world.open_gate()
    world.pay()
    with world.database.transaction() as tx:
        tx.execute("""UPDATE merchants SET configuration = '{"fraud": {"block_above_minor": 9}}'""")
    backtest = world.replayed(change)

    promoted = world.promote(backtest)
    during = world.rows(query)
    world.revert(promoted)

    assert (during, world.rows(query)) == (after, before)


def test_what_was_put_back_is_not_put_back_again(world: World) -> None:
    """Nor what another change has replaced since: that one goes first."""
    world.open_gate()
    world.pay()
    first = world.promote(world.replayed(_thresholds(0.4)))
    second = world.promote(world.replayed(_thresholds(0.3)))

    with pytest.raises(InvalidState, match="changed since"):
        world.revert(first)
    world.revert(second)
    with pytest.raises(InvalidState, match="was reverted"):
        world.revert(second)
    world.revert(first)

    assert world.rows("SELECT count(*) FROM fraud_reversions") == [(2,)]


def _thresholds(challenge_at: float) -> dict[str, Any]:
    return {"type": "thresholds", "challenge_at": challenge_at, "block_at": 0.9}


def test_a_change_of_something_that_changed_since_is_held_back(world: World) -> None:
    """Its report speaks of another base; so it can't be promoted twice."""
    world.open_gate()
    world.pay()
    first, second = world.replayed(_thresholds(0.4)), world.replayed(_thresholds(0.3))
    world.promote(first)

    for backtest in (first, second):
        with pytest.raises(GateClosed, match="unchanged"):
            world.promote(backtest)


def test_of_promotions_at_a_time_one_wins(
    world: World, another_database: Callable[[], Database]
) -> None:
    """The others see what it has made."""
    world.open_gate()
    world.pay()
    backtests = [world.replayed(_thresholds(share / 10)) for share in range(1, 5)]

    def promote(backtest: Backtest) -> str:
        try:
            name = ids.text("fbt", backtest.id)
            promotion.promote(another_database(), name, scope=world.scope, by=BY, now=world.now)
        except PayNexusError as error:
            return error.code
        return "promoted"

    with ThreadPoolExecutor(4) as pool:
        outcomes = sorted(pool.map(promote, backtests))

    assert outcomes == ["gate_closed"] * 3 + ["promoted"]
    assert world.rows("SELECT count(*) FROM fraud_promotions") == [(1,)]


def test_of_reversions_at_a_time_one_wins(
    world: World, another_database: Callable[[], Database]
) -> None:
    """It is put back once."""
    world.open_gate()
    world.pay()
    name = ids.text("fpr", world.promote(world.replayed(_thresholds(0.4))).id)

    def revert(database: Database) -> str:
        try:
            promotion.revert(database, name, scope=world.scope, by=BY, now=world.now)
        except PayNexusError as error:
            return error.code
        return "reverted"

    with ThreadPoolExecutor(3) as pool:
        outcomes = sorted(pool.map(revert, [another_database() for _ in range(3)]))

    assert outcomes == ["invalid_state", "invalid_state", "reverted"]


def test_a_gate_that_is_none_is_not_chosen(world: World) -> None:
    """The former stays."""
    world.open_gate()
    with pytest.raises(InvalidRequest, match="gate: flipped_max"):
        promotion.change_gate(world.database, {"flipped_max": 2}, scope=world.scope)

    assert world.rows("SELECT gate ->> 'flipped_max' FROM fraud_settings WHERE gate <> '{}'") == [
        ("1",)
    ]


def test_a_change_that_is_gone_by_its_turn_fails(world: World) -> None:
    """It says so, instead of being tried for ever: a later release ships other models."""
    change = ModelChange("no-such-model", ModelState.ACTIVE)
    period = world.period
    backtest = Backtest(ids.new_id(), world.scope, change, period, period.since, BY, world.now)
    with pytest.raises(NotFound, match="no-such-model"):
        world.order(written(change))
    with world.database.transaction() as tx:
        runs.insert(tx, backtest)
    world.pay()

    world.run()

    assert (world.read(backtest).state, world.read(backtest).failure) == (
        State.FAILED,
        "change_is_gone",
    )


def test_what_comes_later_changes_no_decision(world: World) -> None:
    """Payments after the period, and labels that became known since, are not seen by it."""
    known = world.pay(hours_ago=60, is_fraud=None)
    world.pay(hours_ago=50, is_fraud=None)
    rule = world.rule("card_count_24h > 2 || has_card_known_frauds && card_known_frauds > 0")
    alone = _report(world.replayed(_of_rule(rule)))

    world.pay(hours_ago=23)
    world.label(known, is_fraud=True, hours_ago=49, paid_hours_ago=60)
    later = _report(world.replayed(_of_rule(rule)))
    world.label(known, is_fraud=True, hours_ago=51, paid_hours_ago=60)
    in_time = _report(world.replayed(_of_rule(rule)))

    flipped = [report["flipped"]["count"] for report in (alone, later, in_time)]
    assert flipped == [0, 0, 1]
    assert [report["known"]["fraud"] for report in (alone, later, in_time)] == [0, 1, 1]


SQL_CHARGED = """
INSERT INTO transactions (id, merchant_id, amount, currency, status, created_at, mode, capture,
    payment_method, fingerprint, transfer_id, captured_amount)
VALUES (%s, %s, 1000, 'EUR', %s, %s, 'test', 'automatic', 'tok_approved', 'fp', uuidv7(), %s)
"""


def test_silence_about_what_was_charged_says_genuine(database_url: str, now: dt.datetime) -> None:
    """And of what was refused it says nothing: nobody can dispute it."""
    # Not by the fixture that audits the books: these payments have none.
    merchant = MerchantId(ids.new_id())
    world = World(Database(lambda: database_url), merchant, now)
    with world.database.transaction() as tx:
        tx.execute("INSERT INTO merchants (id, name) VALUES (%s, 'Bar')", (merchant,))
    for status, captured in (("COMPLETED", 1_000), ("FAILED", 0)):
        payment_id = world.pay(hours_ago=24 * 70, is_fraud=None)
        at = now - dt.timedelta(days=70)
        with world.database.transaction() as tx:
            tx.execute(SQL_CHARGED, (payment_id, merchant, status, at, captured))
    period = Period(now - dt.timedelta(days=71), now - dt.timedelta(days=69))
    wanted = Wanted(_of_rule(world.rule("amount > 1")), period)

    backtest = service.order(world.database, wanted, scope=world.scope, by=BY, now=now)
    world.run()
    known = _report(world.read(backtest))["known"]
    world.database.close()

    assert known == {"fraud": 0, "genuine": 1, "unknown": 1}


@pytest.fixture(name="blocked")
def _blocked(world: World) -> FraudList:
    wanted = ListWanted("Blocked", Kind.EMAIL, Action.BLOCK, "It was stopped before.")
    return lists.create_list(
        world.database, wanted, merchant_id=world.merchant, author=BY, now=world.now
    )


def _of_list(of: FraudList, **changed: list[Any]) -> dict[str, Any]:
    return {"type": "list", "list": ids.text("fls", of.id), "add": [], "remove": []} | changed


def test_entries_are_replayed_before_they_are_listed(world: World, blocked: FraudList) -> None:
    """In the form in which they would be: and taken off, they stop nobody."""
    world.open_gate()
    world.pay(email="Eve@Example.com", card="a")
    world.pay(email="ada@example.com", card="b")
    entry = lists.add_entry(
        world.database,
        ids.text("fls", blocked.id),
        "ada@example.com",
        merchant_id=world.merchant,
        author=BY,
        now=world.now,
    )
    change = _of_list(
        blocked,
        add=[{"value": "EVE@example.com"}],
        remove=[ids.text("fle", entry.id)],
    )

    report = _report(world.replayed(change))

    flipped = report["flipped"]["decisions"]
    assert sorted((one["from"], one["to"], one["payments"]) for one in flipped) == [
        ("ALLOW", "BLOCK", 1),
        ("BLOCK", "ALLOW", 1),
    ]


def test_entries_take_effect_and_are_put_back(world: World, blocked: FraudList) -> None:
    """And what is told about it names nobody."""
    world.open_gate()
    world.pay(email="eve@example.com")
    name = ids.text("fls", blocked.id)
    entry = lists.add_entry(
        world.database,
        name,
        "ada@example.com",
        merchant_id=world.merchant,
        author=BY,
        now=world.now,
    )
    change = _of_list(
        blocked, add=[{"value": "eve@example.com"}], remove=[ids.text("fle", entry.id)]
    )
    listed = "SELECT value FROM fraud_list_entries WHERE removed_at IS NULL ORDER BY value"

    promoted = world.promote(world.replayed(change))
    during = world.rows(listed)
    world.revert(promoted)

    assert (during, world.rows(listed)) == ([("eve@example.com",)], [("ada@example.com",)])
    assert "@" not in str(world.rows("SELECT data FROM events"))


def test_a_change_of_a_list_fits_the_list(world: World, blocked: FraudList) -> None:
    """Its values are such as are on it, and not yet; its entries are."""
    world.pay(email="eve@example.com")
    name = ids.text("fls", blocked.id)
    lists.add_entry(
        world.database,
        name,
        "ada@example.com",
        merchant_id=world.merchant,
        author=BY,
        now=world.now,
    )

    with pytest.raises(InvalidRequest, match="value"):
        world.order(_of_list(blocked, add=[{"value": "no address"}]))
    with pytest.raises(InvalidState, match="already"):
        world.order(_of_list(blocked, add=[{"value": "ADA@example.com"}]))
    with pytest.raises(NotFound, match="entry"):
        world.order(_of_list(blocked, remove=[ids.text("fle", ids.new_id())]))
    with pytest.raises(NotFound, match="list"):
        world.order(_of_list(blocked, add=[{"value": "b@example.com"}]), scope=Scope(None, "test"))
