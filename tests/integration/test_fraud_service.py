"""Decisions on real Postgres and Redis: made once, kept for ever, announced when they say no."""

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest

from paynexus import events, ids
from paynexus.cache import Cache
from paynexus.changefeed.facts import envelope
from paynexus.db import Database
from paynexus.fraud import scoring, service
from paynexus.fraud.engine import Engine
from paynexus.fraud.features import FEATURES
from paynexus.fraud.model import Action, Verdict
from paynexus.fraud.velocity import service as velocity
from paynexus.ids import MerchantId, PaymentId
from paynexus.money import Money
from tests.fraud_world import Desk, accept, codes


@pytest.fixture(name="desk")
def _desk(database: Database, cache: Cache, merchant: MerchantId, now: dt.datetime) -> Desk:
    return Desk(database, cache, merchant, now)


def test_an_ordinary_payment_is_allowed_and_all_that_was_seen_is_kept(desk: Desk) -> None:
    """Without an alert: nobody need look at it."""
    decision = desk.judge(currency="EUR", name="Ada Lovelace", ip="203.0.113.7")

    assert (decision.verdict, decision.reasons, decision.skipped) == (Verdict.ALLOW, (), ())
    ((verdict, reasons, trace),) = desk.rows("SELECT verdict, reasons, trace FROM fraud_decisions")
    assert (verdict, reasons) == ("ALLOW", [])
    assert trace["features"].items() >= {"amount": 1250, "country": "DE"}.items()
    assert trace["features"].items() >= {"card_count_1h": 1, "ip_count_1h": 1}.items()
    assert trace["features"].keys() <= FEATURES.keys()
    assert (trace["errors"], trace["skipped"]) == ([], [])
    assert not any(personal in str(trace) for personal in ("ada@", "Lovelace", "203.0"))
    assert desk.rows("SELECT id FROM events") == []


@pytest.mark.parametrize(
    ("amount", "verdict", "kind"),
    [
        (50_001, Verdict.CHALLENGE, "fraud.challenged.v1"),
        (1_000_001, Verdict.BLOCK, "fraud.blocked.v1"),
    ],
)
def test_a_decision_against_a_payment_is_announced_and_opens_a_case(
    desk: Desk, amount: int, verdict: Verdict, kind: str
) -> None:
    """On `fraud.alerts`, as its schema says, in the transaction of the decision."""
    subject = desk.pay(amount)

    decision = desk.assess(subject)

    assert decision.verdict is verdict
    told = desk.rows(
        "SELECT id, source, type, merchant_id, object_id, sequence, data, created_at"
        " FROM events ORDER BY type DESC"
    )
    assert [(source, type_) for _, source, type_, *_ in told] == sorted(
        [("fraud.alerts", kind), ("fraud.alerts", "fraud.case_opened.v1")], reverse=True
    )
    for key, _, type_, by, one, sequence, data, at in told:
        assert data["payment"] == ids.text("pay", subject.payment_id)
        events.require_valid(
            envelope(
                id=key,
                type=type_,
                created=at,
                mode="test",
                merchant_id=by,
                object_id=one,
                sequence=sequence,
                data=data,
            )
        )


def test_a_case_is_opened_only_above_the_merchants_policy(desk: Desk) -> None:
    """Up to it the decision stands, and nobody is asked to look."""
    desk.configure(case_above_minor=60_000)

    desk.judge(60_000)
    desk.judge(60_001)

    assert desk.rows("SELECT amount FROM fraud_cases") == [(60_001,)]


def test_a_decision_is_made_once_whatever_changes_after_it(desk: Desk) -> None:
    """A workflow that runs again goes the way it went."""
    subject = desk.pay(60_000)
    first = desk.assess(subject)
    desk.configure(block_above_minor=1)

    again = desk.assess(replace(subject, money=Money(1, "EUR")))

    assert (again.verdict, again.hits) == (first.verdict, first.hits)
    assert desk.rows("SELECT count(*) FROM fraud_decisions") == [(1,)]


def test_concurrent_assessments_agree_and_announce_once(
    another_database: Callable[[], Database], desk: Desk
) -> None:
    """Eight at once: one decision, one alert, one case."""
    subject = desk.pay(60_000)
    engines = [Engine(another_database(), desk.cache) for _ in range(8)]

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda one: service.assess(one, subject, now=desk.now), engines))

    assert len({(decision.verdict, codes(decision)[0]) for decision in made}) == 1
    assert desk.rows("SELECT count(*) FROM fraud_decisions") == [(1,)]
    assert desk.rows("SELECT count(*) FROM events") == [(2,)]
    assert desk.rows("SELECT count(*) FROM fraud_cases") == [(1,)]


def test_velocity_counts_an_hour_of_this_card_at_this_merchant(desk: Desk) -> None:
    """Neither older payments nor other cards nor other merchants; ten pass, more are challenged."""
    other = desk.other_merchant()
    for _ in range(8):
        desk.pay()
    desk.pay(ago=dt.timedelta(minutes=59))
    desk.pay(ago=dt.timedelta(minutes=60))
    desk.pay(card="fp_another")
    desk.pay(by=other)

    tenth, eleventh = desk.judge(), desk.judge()

    assert codes(tenth) == []
    assert codes(eleventh) == ["too_many_payments"]
    assert eleventh.reasons[0].seen == {"card_count_1h": 11, "max_payments_per_hour": 10}


@pytest.mark.parametrize("is_warm", [True, False], ids=["redis", "postgres"])
def test_velocity_never_lets_more_pass_than_its_limit(
    another_database: Callable[[], Database], desk: Desk, *, is_warm: bool
) -> None:
    """Eight take in and judge forty payments of one card at once: at most ten pass."""
    if is_warm:
        assert velocity.rebuild(desk.database, desk.cache, desk.now)
    engines = [Engine(another_database(), desk.cache) for _ in range(8)]
    subjects = [desk.pay() for _ in range(8)]

    def take(engine: Engine) -> list[Verdict]:
        verdicts = []
        for _ in range(5):
            subject = replace(subjects[engines.index(engine)], payment_id=PaymentId(ids.new_id()))
            accept(engine.database, subject)
            verdicts.append(service.assess(engine, subject, now=desk.now).verdict)
        return verdicts

    with ThreadPoolExecutor(8) as pool:
        verdicts = [verdict for some in pool.map(take, engines) for verdict in some]

    assert len(verdicts) == 40
    assert verdicts.count(Verdict.ALLOW) <= 10


def test_a_merchants_configuration_sets_its_limits(desk: Desk) -> None:
    """What it leaves out keeps the default."""
    desk.configure(challenge_above_minor=1000)

    assert codes(desk.judge(1001)) == ["amount_above_challenge_limit"]
    assert codes(desk.judge(1_000_001)) == ["amount_above_block_limit"]


def test_a_review_holds_nothing_up(desk: Desk) -> None:
    """The payment goes on, and a person looks at it."""
    desk.database.connection().execute(
        "WITH rule AS (INSERT INTO fraud_rules (id, code, created_at)"
        " VALUES (uuidv7(), 'look_at_it', now()) RETURNING id),"
        " version AS (INSERT INTO fraud_rule_versions"
        " (id, rule_id, number, expression, action, message, author, created_at)"
        " SELECT uuidv7(), id, 1, 'amount == 777', 'review', 'Odd.', 'test', now() FROM rule"
        " RETURNING id, rule_id)"
        " INSERT INTO fraud_rule_runs (rule_id, version_id, is_shadow, started_at, started_by)"
        " SELECT rule_id, id, FALSE, now(), 'test' FROM version"
    )

    decision = desk.judge(777)

    assert decision.verdict is Verdict.ALLOW
    assert [hit.action for hit in decision.reasons] == [Action.REVIEW]
    assert desk.rows("SELECT verdict FROM fraud_cases") == [("ALLOW",)]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE fraud_decisions SET verdict = 'ALLOW', reasons = '[]'",
        "DELETE FROM fraud_decisions",
        "TRUNCATE fraud_decisions",
        "UPDATE fraud_observations SET amount = 1",
    ],
)
def test_a_decision_is_never_changed(desk: Desk, change: str) -> None:
    """Not even by those who can reach the table; nor is what it was made from."""
    desk.judge(60_000)

    with pytest.raises(psycopg.Error, match="never changed") as refused:
        desk.database.connection().execute(change.encode())
    assert refused.value.sqlstate == "PN020"


def test_the_audit_names_a_blocked_payment_that_was_charged(desk: Desk) -> None:
    """The one thing a block exists to prevent."""
    subject = desk.pay(1_000_001)
    desk.assess(subject)
    view = "SELECT payment_id FROM audit.blocked_payment_was_charged"
    assert desk.rows(view) == []

    with desk.database.transaction() as tx:
        attempt = ids.new_id()
        tx.execute(
            "INSERT INTO attempts (id, payment_id, operation, operation_id, number, gateway,"
            " reference, amount, currency, created_at)"
            " VALUES (%s, %s, 'charge', %s, 1, 'sandbox', 'ref', 1, 'EUR', %s)",
            (attempt, subject.payment_id, subject.payment_id, desk.now),
        )
        assert tx.execute(view).fetchall() == [(subject.payment_id,)]
        tx.execute("DELETE FROM attempts WHERE id = %s", (attempt,))


def test_the_shipped_model_begins_in_shadow_with_the_thresholds_of_its_file(desk: Desk) -> None:
    """It has learned from simulated payments: it decides once it was let through the gate."""
    shipped = scoring.load()

    assert desk.rows("SELECT model, model_state, challenge_at, block_at FROM fraud_settings") == [
        (shipped.version, "shadow", shipped.challenge_at, shipped.block_at)
    ]
