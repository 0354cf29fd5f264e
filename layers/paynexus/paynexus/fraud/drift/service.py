"""The daily report: last week's decisions against the month before, and how right they were."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from aws_lambda_powertools.metrics import MetricUnit

from paynexus import ids
from paynexus.db import Database
from paynexus.fraud.drift import store
from paynexus.fraud.drift.psi import Drift, drift
from paynexus.fraud.drift.store import Seen, Week
from paynexus.fraud.features import FEATURES, PRESENCE
from paynexus.fraud.model import Value
from paynexus.observability import gauge

WEEK = dt.timedelta(days=7)
REFERENCE = dt.timedelta(days=28)
"""The month: whole weeks, so that each day of the week counts alike on both sides."""
SLICE = dt.timedelta(minutes=10)
ROWS_PER_SLICE = 5
"""Decisions that a slice gives: a week has 5,040 at most, the month 20,160. Busier slices weigh
less than they are, in both alike."""
WEEKS_TOLD = 8
"""ISO weeks whose precision is told again each day: labels come for two months."""
LEAST_LABELLED = 20
"""Labelled payments among those that were stopped; of fewer a share means nothing."""
SCORE = "score"
"""How the model's score is called beside the features."""
MODES = ("test", "live")
DAY = dt.timedelta(days=1)
TOLD = tuple(name for name in FEATURES if not name.startswith(PRESENCE))
"""Features that are compared: whether one is known has a bin of its own."""


@dataclass(slots=True)
class Sample:
    """What decisions saw, feature by feature, and their scores with the model of each."""

    features: dict[str, list[Value]] = field(default_factory=lambda: {name: [] for name in TOLD})
    scores: list[tuple[str | None, float]] = field(default_factory=list)

    def add(self, seen: Seen) -> None:
        """One decision more; a feature that it didn't have yet is not counted as missing."""
        for name in TOLD:
            if name in seen.features:
                self.features[name].append(seen.features[name])
        if seen.score is not None:
            self.scores.append((seen.model, seen.score))


def report(database: Database, *, now: dt.datetime) -> int:
    """The day's drift and the weeks' precision are on record and measured; drifts that were told.

    Day by day, by the UTC day of `now`: the same day's report again overwrites the first.
    """
    today = now.astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    actual = _sampled(database, since=today - WEEK, until=today)
    reference = _sampled(database, since=today - WEEK - REFERENCE, until=today - WEEK)
    told = 0
    for mode in MODES:
        drifts = _drifts(reference[mode], actual[mode])
        since = _monday(today) - (WEEKS_TOLD - 1) * WEEK
        with database.transaction() as tx:
            store.put_drift(tx, today.date(), mode, drifts)
            found = store.weeks(tx, mode, since=since, now=now)
            store.put_weeks(tx, mode, found)
        _measure(mode, drifts, _precision(found, before=_monday(today).date()))
        told += len(drifts)
    return told


def _sampled(database: Database, *, since: dt.datetime, until: dt.datetime) -> Mapping[str, Sample]:
    samples = {mode: Sample() for mode in MODES}
    # A day a statement: each is short.
    for day in _steps(since, until, DAY):
        slices = [
            (ids.first_at(start), ids.first_at(start + SLICE))
            for start in _steps(day, day + DAY, SLICE)
        ]
        with database.reading() as connection:
            for seen in store.sample(connection, slices, rows=ROWS_PER_SLICE):
                samples[seen.mode].add(seen)
    return samples


def _steps(since: dt.datetime, until: dt.datetime, step: dt.timedelta) -> Iterator[dt.datetime]:
    while since < until:
        yield since
        since += step


def _drifts(reference: Sample, actual: Sample) -> dict[str, Drift]:
    found = {name: drift(reference.features[name], actual.features[name]) for name in TOLD}
    model = actual.scores[-1][0] if actual.scores else None
    # Scores of two models are two things: only those of the present one are compared.
    found[SCORE] = drift(_of(model, reference.scores), _of(model, actual.scores))
    return {name: one for name, one in found.items() if one is not None}


def _of(model: str | None, scores: Iterable[tuple[str | None, float]]) -> Sequence[Value]:
    return [score for by, score in scores if by == model]


def _precision(found: Iterable[Week], *, before: dt.date) -> float | None:
    """Per cent of what was stopped that was fraud, in the last whole week that can tell."""
    for one in sorted(found, key=lambda one: one.week, reverse=True):
        labelled = one.stopped_fraud + one.stopped_genuine
        if one.week < before and labelled >= LEAST_LABELLED:
            return 100 * one.stopped_fraud / labelled
    return None


def _measure(mode: str, drifts: Mapping[str, Drift], precision: float | None) -> None:
    features = [one.psi for name, one in drifts.items() if name != SCORE]
    if features:
        gauge("FraudFeatureDrift", max(features), unit=MetricUnit.NoUnit, mode=mode)
    if SCORE in drifts:
        gauge("FraudScoreDrift", drifts[SCORE].psi, unit=MetricUnit.NoUnit, mode=mode)
    if precision is not None:
        gauge("FraudPrecision", precision, unit=MetricUnit.Percent, mode=mode)


def _monday(day: dt.datetime) -> dt.datetime:
    return day - day.weekday() * DAY
