"""The drift report on real Postgres: sampled alike, told by mode, written once a day."""

import datetime as dt
import json
import random
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from psycopg.types.json import Jsonb

from paynexus import ids
from paynexus.db import Database
from paynexus.fraud.drift import service
from paynexus.fraud.drift.psi import LEAST_SAMPLE
from paynexus.ids import MerchantId

NOW = dt.datetime(2026, 11, 27, 3, 45, tzinfo=dt.UTC)
TODAY = dt.datetime(2026, 11, 27, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
MERCHANT = MerchantId(UUID(int=1))

SQL_DECISION = """
INSERT INTO fraud_decisions
    (payment_id, merchant_id, mode, verdict, reasons, trace, created_at)
VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
SQL_LABEL = """
INSERT INTO fraud_labels (payment_id, merchant_id, mode, is_fraud, source, source_id, known_at,
    card, observed_at)
VALUES (%s, %s, %s, %s, 'case', %s, %s, 'card', %s)
"""


@pytest.fixture(name="decisions")
def _decisions(database_url: str) -> Iterator[Database]:
    """A database of decisions alone: without their payments, which the books' audit would miss."""
    database = Database(lambda: database_url)
    yield database
    database.close()


@pytest.fixture(name="rng")
def _rng() -> random.Random:
    return random.Random(1)  # noqa: S311 - a seeded sequence


def _decide(
    database: Database,
    at: dt.datetime,
    features: dict[str, Any],
    *,
    mode: str = "live",
    verdict: str = "ALLOW",
    **trace: object,
) -> UUID:
    payment_id = UUID(int=ids.first_at(at).int | ids.new_id().int & (1 << 62) - 1)
    reasons = [] if verdict == "ALLOW" else [{"code": "odd", "verdict": verdict, "detail": "Odd."}]
    values = (
        *(payment_id, MERCHANT, mode, verdict, Jsonb(reasons)),
        *(Jsonb({"features": features, **trace}), at),
    )
    database.connection().execute(SQL_DECISION, values)
    return payment_id


def _spread(
    database: Database,
    rng: random.Random,
    *,
    days: tuple[int, int],
    amount: Callable[[], int],
    count: int = 400,
    **how: Any,  # noqa: ANN401 - what a decision is given besides
) -> None:
    """So many decisions at any time from the one day to the other, counted from today."""
    first, last = (TODAY + day * DAY for day in days)
    with database.transaction():
        for _ in range(count):
            at = first + rng.random() * (last - first)
            _decide(database, at, {"amount": amount(), "currency": "EUR"}, **how)


def _rows(database: Database, day: dt.datetime = NOW) -> dict[tuple[str, str], tuple[Any, ...]]:
    found = database.connection().execute(
        "SELECT mode, feature, psi, n, reference_n FROM fraud_drift WHERE day = %s", (day.date(),)
    )
    return {(mode, feature): tuple(rest) for mode, feature, *rest in found}


def _metrics(output: str) -> dict[str, float]:
    """What was measured of live payments."""
    lines = [json.loads(line) for line in output.splitlines() if line.startswith('{"_aws"')]
    return {
        metric["Name"]: line[metric["Name"]][0]
        for line in lines
        if line.get("mode") == "live"
        for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    }


def test_a_week_like_the_month_before_has_not_drifted(
    decisions: Database, rng: random.Random, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is told stays far below what would ring."""
    _spread(decisions, rng, days=(-35, -7), amount=lambda: rng.randint(1, 10_000))
    _spread(decisions, rng, days=(-7, 0), amount=lambda: rng.randint(1, 10_000))

    assert service.report(decisions, now=NOW) == 2

    rows = _rows(decisions)
    assert rows.keys() == {("live", "amount"), ("live", "currency")}
    assert rows["live", "amount"][0] < 0.1
    assert rows["live", "amount"][1:] == (400, 400)
    assert rows["live", "currency"][0] == pytest.approx(0)
    assert _metrics(capsys.readouterr().out) == {"FraudFeatureDrift": rows["live", "amount"][0]}


def test_a_week_of_other_payments_has_drifted(
    decisions: Database, rng: random.Random, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the other mode's rows are told apart from it."""
    _spread(decisions, rng, days=(-35, -7), amount=lambda: rng.randint(1, 10_000))
    _spread(decisions, rng, days=(-7, 0), amount=lambda: rng.randint(8_000, 20_000))
    for days in ((-35, -7), (-7, 0)):
        _spread(decisions, rng, days=days, amount=lambda: rng.randint(1, 900), mode="test")

    service.report(decisions, now=NOW)

    rows = _rows(decisions)
    assert rows["live", "amount"][0] > 0.25
    assert rows["test", "amount"][0] < 0.1
    assert _metrics(capsys.readouterr().out)["FraudFeatureDrift"] > 0.25


def test_only_whole_days_of_the_two_periods_count(decisions: Database, rng: random.Random) -> None:
    """What came today, or before the month, is of neither."""
    _spread(decisions, rng, days=(-60, -35), amount=lambda: 1)
    _spread(decisions, rng, days=(-35, -7), amount=lambda: 2)
    _spread(decisions, rng, days=(-7, 0), amount=lambda: 2)
    _spread(decisions, rng, days=(0, 1), amount=lambda: 3)

    service.report(decisions, now=NOW)

    assert _rows(decisions)["live", "amount"] == (pytest.approx(0), 400, 400)


def test_the_report_of_a_day_is_written_once(decisions: Database, rng: random.Random) -> None:
    """The same decisions give the same report: the sample is no matter of chance."""
    _spread(decisions, rng, days=(-35, 0), amount=lambda: rng.randint(1, 10_000), count=1_000)

    service.report(decisions, now=NOW)
    first = _rows(decisions)
    service.report(decisions, now=NOW + dt.timedelta(hours=1))

    assert first
    assert _rows(decisions) == first


def test_a_busy_slice_gives_so_many_rows(decisions: Database, rng: random.Random) -> None:
    """However many there are: the report's work is bounded."""
    with decisions.transaction():
        for _ in range(100):
            _decide(decisions, TODAY - 3 * DAY, {"amount": 1})
    _spread(decisions, rng, days=(-7, 0), amount=lambda: 1, count=LEAST_SAMPLE)
    _spread(decisions, rng, days=(-35, -7), amount=lambda: 1)

    service.report(decisions, now=NOW)

    found = _rows(decisions)["live", "amount"][1]
    assert LEAST_SAMPLE <= found <= LEAST_SAMPLE + service.ROWS_PER_SLICE


def test_decisions_without_a_trace_are_left_out(decisions: Database, rng: random.Random) -> None:
    """And of too few nothing is told."""
    _spread(decisions, rng, days=(-35, -7), amount=lambda: 1)
    _spread(decisions, rng, days=(-7, 0), amount=lambda: 1, count=LEAST_SAMPLE - 1)
    with decisions.transaction():
        decisions.connection().execute(
            SQL_DECISION,
            (ids.first_at(TODAY - DAY), MERCHANT, "live", "ALLOW", Jsonb([]), Jsonb({}), TODAY),
        )

    assert service.report(decisions, now=NOW) == 0


def test_scores_are_compared_with_those_of_the_same_model(
    decisions: Database, rng: random.Random, capsys: pytest.CaptureFixture[str]
) -> None:
    """A new model's are others by nature: it is told of once it has a month of its own."""
    with decisions.transaction():
        for model, days, low in (("fmd_1", (-35, -7), 0.0), ("fmd_2", (-7, 0), 0.9)):
            for _ in range(300):
                at = TODAY + (days[0] + rng.random() * (days[1] - days[0])) * DAY
                score = low + rng.random() / 10
                _decide(decisions, at, {"amount": 1}, score=score, model=model)

    service.report(decisions, now=NOW)
    assert ("live", "score") not in _rows(decisions)

    with decisions.transaction():
        for _ in range(300):
            at = TODAY - 7 * DAY - rng.random() * 28 * DAY
            _decide(decisions, at, {"amount": 1}, score=rng.random() / 10, model="fmd_2")
    service.report(decisions, now=NOW)

    assert _rows(decisions)["live", "score"][0] > 0.25
    assert _metrics(capsys.readouterr().out)["FraudScoreDrift"] > 0.25


def _judge(
    database: Database, at: dt.datetime, verdict: str, *, is_fraud: bool, known_at: dt.datetime
) -> UUID:
    payment_id = _decide(database, at, {}, verdict=verdict)
    _label(database, payment_id, at, is_fraud=is_fraud, known_at=known_at)
    return payment_id


def _label(
    database: Database, payment_id: UUID, at: dt.datetime, *, is_fraud: bool, known_at: dt.datetime
) -> None:
    database.connection().execute(
        SQL_LABEL, (payment_id, MERCHANT, "live", is_fraud, ids.new_id(), known_at, at)
    )


def test_precision_is_told_by_week_from_what_is_known(
    decisions: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of what was stopped; the latest label holds, and what becomes known later doesn't yet."""
    monday = TODAY - 11 * DAY
    assert monday.weekday() == 0
    for number in range(20):
        at = monday + number * dt.timedelta(hours=8)
        _judge(decisions, at, "BLOCK", is_fraud=number < 15, known_at=at + DAY)
    _judge(decisions, monday, "ALLOW", is_fraud=True, known_at=NOW)
    _judge(decisions, monday, "CHALLENGE", is_fraud=True, known_at=NOW + DAY)
    mistaken = _judge(decisions, monday, "CHALLENGE", is_fraud=True, known_at=monday + DAY)
    _label(decisions, mistaken, monday, is_fraud=False, known_at=monday + 2 * DAY)

    service.report(decisions, now=NOW)

    rows = decisions.connection().execute("SELECT * FROM fraud_precision").fetchall()
    assert rows == [(monday.date(), "live", 15, 6, 1)]
    told = _metrics(capsys.readouterr().out)
    assert told["FraudPrecision"] == pytest.approx(100 * 15 / 21)


def test_the_week_that_is_not_over_is_kept_and_not_measured(
    decisions: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor is one of too few labels."""
    for number in range(40):
        at = TODAY - 2 * DAY + number * dt.timedelta(minutes=1)
        _judge(decisions, at, "BLOCK", is_fraud=True, known_at=at)
    for number in range(service.LEAST_LABELLED - 1):
        at = TODAY - 10 * DAY + number * dt.timedelta(minutes=1)
        _judge(decisions, at, "BLOCK", is_fraud=True, known_at=at)

    service.report(decisions, now=NOW)

    found = (
        decisions.connection()
        .execute("SELECT stopped_fraud FROM fraud_precision ORDER BY week")
        .fetchall()
    )
    assert found == [(19,), (40,)]
    assert "FraudPrecision" not in _metrics(capsys.readouterr().out)
