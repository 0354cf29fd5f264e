"""What a decision is while something it needs is away, hung or slow: defined, and told."""

import datetime as dt
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from paynexus.cache import Cache
from paynexus.db import Database
from paynexus.errors import DatabaseUnavailable
from paynexus.fraud.engine import Engine
from paynexus.fraud.model import Verdict
from paynexus.ids import MerchantId
from tests.fraud_world import Desk, codes

SHORT_SECONDS = 0.3
ALL = ("lists", "rules", "velocity", "model")


@pytest.fixture(name="desk")
def _desk(database: Database, cache: Cache, merchant: MerchantId, now: dt.datetime) -> Desk:
    return Desk(database, cache, merchant, now)


@pytest.fixture(name="lock")
def _lock(another_database: Callable[[], Database]) -> Callable[..., object]:
    """Holds a table, so that whoever reads it waits."""

    @contextmanager
    def held(table: str) -> Iterator[None]:
        with another_database().transaction() as tx:
            tx.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
            yield

    return held


@contextmanager
def _redis(manner: str) -> Iterator[Cache]:
    """One that isn't there; one that takes connections and says nothing; one that lies."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        if manner == "hung":
            listening.listen()
        yield Cache(f"redis://127.0.0.1:{listening.getsockname()[1]}")


def _events(desk: Desk) -> list[tuple[str, list[str]]]:
    return desk.rows(
        "SELECT type, data -> 'skipped' FROM events"
        " WHERE source = 'fraud.alerts' AND data ? 'skipped'"
    )


def _source(desk: Desk) -> str:
    ((source,),) = desk.rows(
        "SELECT trace ->> 'velocity' FROM fraud_decisions ORDER BY created_at DESC LIMIT 1"
    )
    return str(source)


@pytest.mark.parametrize("manner", ["refused", "hung"])
def test_without_redis_postgres_counts_the_same(desk: Desk, manner: str) -> None:
    """Nothing is skipped: the eleventh payment of the hour is challenged as it would be."""
    for _ in range(10):
        desk.pay()

    with _redis(manner) as away:
        desk.engine = Engine(desk.database, away)
        decision = desk.judge()

    assert (codes(decision), decision.skipped) == (["too_many_payments"], ())
    assert _source(desk) == "postgres"


@pytest.mark.parametrize(
    ("amount", "verdict", "kind"),
    [
        (5_000, Verdict.ALLOW, "fraud.skipped.v1"),
        (5_001, Verdict.CHALLENGE, "fraud.challenged.v1"),
    ],
)
def test_when_postgres_is_late_the_amount_decides_and_it_is_told(
    desk: Desk, lock: Callable[..., object], amount: int, verdict: Verdict, kind: str
) -> None:
    """Small ones pass, larger ones prove themselves; the event names what was not checked."""
    desk.engine = Engine(desk.database, desk.cache, decision_seconds=SHORT_SECONDS)
    subject = desk.pay(amount)

    with lock("fraud_snoozes"):  # type: ignore[attr-defined]  # a context manager
        decision = desk.assess(subject)

    assert (decision.verdict, decision.skipped) == (verdict, ALL)
    assert _events(desk) == [(kind, list(ALL))]


def test_when_rules_can_not_be_read_the_amount_decides(
    desk: Desk, lock: Callable[..., object]
) -> None:
    """Lists and counts were asked, and stay on record."""
    desk.engine = Engine(desk.database, desk.cache, decision_seconds=SHORT_SECONDS)
    subject = desk.pay(60_000)

    with lock("fraud_rule_versions"):  # type: ignore[attr-defined]  # likewise
        decision = desk.assess(subject)

    assert decision.verdict is Verdict.CHALLENGE
    assert codes(decision) == ["checks_skipped"]
    assert "rules" in decision.skipped
    assert "lists" not in decision.skipped


def test_rules_that_were_read_before_are_not_read_again(
    desk: Desk, lock: Callable[..., object]
) -> None:
    """Until a change says that they are others."""
    desk.judge()
    subject = desk.pay(60_000)

    with lock("fraud_rule_versions"):  # type: ignore[attr-defined]  # likewise
        decision = desk.assess(subject)

    assert codes(decision) == ["amount_above_challenge_limit"]


def test_when_no_time_is_left_nothing_is_asked(desk: Desk) -> None:
    """Every stage gives up its turn; none takes more than its least."""
    desk.engine = Engine(desk.database, desk.cache, decision_seconds=0)

    decision = desk.judge(60_000)

    assert decision.verdict is Verdict.CHALLENGE
    assert "rules" in decision.skipped


def test_what_can_not_be_recorded_is_no_decision(desk: Desk, lock: Callable[..., object]) -> None:
    """The payment waits: whoever takes it up again asks again."""
    subject = desk.pay()
    desk.database.connection().execute("SET lock_timeout = 200")

    with lock("fraud_decisions"), pytest.raises(DatabaseUnavailable):  # type: ignore[attr-defined]  # likewise
        desk.assess(subject)

    assert desk.assess(subject).verdict is Verdict.ALLOW


@pytest.mark.parametrize(("state", "skipped"), [("active", ("model",)), ("shadow", ())])
def test_without_its_file_a_model_says_nothing_and_the_rest_decides(
    desk: Desk, state: str, skipped: tuple[str, ...]
) -> None:
    """A model in shadow is no check that could be missed; one that counts is named."""
    desk.database.connection().execute(
        "UPDATE fraud_settings SET model = 'gone', model_state = %s", (state,)
    )

    small, large = desk.judge(), desk.judge(60_000)

    assert (small.verdict, small.skipped) == (Verdict.ALLOW, skipped)
    assert codes(large) == ["amount_above_challenge_limit"]
    expected = [("fraud.skipped.v1", ["model"])] if skipped else []
    assert _events(desk) == [*expected, ("fraud.challenged.v1", list(skipped))]


def test_a_model_that_counts_blocks_by_its_thresholds(desk: Desk) -> None:
    """In shadow the same score is recorded, and decides nothing."""
    settings = "UPDATE fraud_settings SET model_state = %s, challenge_at = 1e-9, block_at = 1e-8"
    desk.database.connection().execute(settings, ("shadow",))
    shadow = desk.judge()
    desk.database.connection().execute(settings, ("active",))
    live = desk.judge()

    assert (shadow.verdict, [hit.is_shadow for hit in shadow.hits]) == (Verdict.ALLOW, [True])
    assert (live.verdict, codes(live)) == (Verdict.BLOCK, ["score_above_block_threshold"])
    ((score, model),) = desk.rows(
        "SELECT (trace -> 'score')::FLOAT, trace -> 'model' FROM fraud_decisions"
        " WHERE verdict = 'BLOCK'"
    )
    assert 0 < score < 1
    assert model == {
        "version": "handbook-1",
        "is_shadow": False,
        "challenge_at": 1e-9,
        "block_at": 1e-8,
    }
