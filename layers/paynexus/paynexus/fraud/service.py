"""Decides about a payment before it is charged: once, in time, with every reason on record."""

import datetime as dt
from dataclasses import dataclass

from paynexus.db import Connection
from paynexus.errors import DatabaseUnavailable
from paynexus.fraud import alerts, decisions, observations, store
from paynexus.fraud.cases.model import opens_case
from paynexus.fraud.cases.opening import open_case
from paynexus.fraud.decisions import Seen
from paynexus.fraud.engine import Budget, Engine, history_of
from paynexus.fraud.lists.model import Candidate
from paynexus.fraud.lists.rules import judge
from paynexus.fraud.model import Subject, Verdict
from paynexus.fraud.policy import Decision, Limits, settle
from paynexus.fraud.store import Gathered
from paynexus.fraud.values import values_of
from paynexus.fraud.velocity import service as velocity
from paynexus.observability import count

ALL_CHECKS = ("lists", "rules", "velocity", "model")
ALERTS = {Verdict.CHALLENGE: "fraud.challenged.v1", Verdict.BLOCK: "fraud.blocked.v1"}
SKIPPED = "fraud.skipped.v1"
METRICS = {
    Verdict.ALLOW: "FraudAllowed",
    Verdict.CHALLENGE: "FraudChallenged",
    Verdict.BLOCK: "FraudBlocked",
}


@dataclass(frozen=True, slots=True)
class Judged:
    """A decision, what it was made from, and whether a person is to look at the payment."""

    decision: Decision
    seen: Seen
    has_case: bool

    @property
    def alert(self) -> str | None:
        """How it is announced; what was let through after every check is not."""
        if self.decision.verdict is Verdict.ALLOW:
            return SKIPPED if self.decision.skipped else None
        return ALERTS[self.decision.verdict]


def assess(engine: Engine, subject: Subject, *, now: dt.datetime) -> Decision:
    """The payment's decision stands; the same one however often and by whomever it is asked for.

    What could not be asked in the engine's time is named in `skipped`, and the policy says what
    follows. A decision against the payment, and one with something skipped, is announced on
    `fraud.alerts` in the same transaction. Raises DatabaseUnavailable when it can't be recorded.
    """
    budget = engine.budget()
    gathered = _gathered(engine, subject, budget, now)
    if gathered is None:
        judged = _unchecked(subject)
    elif gathered.stored is not None:
        return decisions.restored(gathered.stored)
    else:
        judged = _judged(engine, subject, gathered, budget, now)
    if not _is_recorded(engine, subject, judged, now):
        return _stored(engine, subject)
    count(METRICS[judged.decision.verdict])
    return judged.decision


def _gathered(
    engine: Engine, subject: Subject, budget: Budget, now: dt.datetime
) -> Gathered | None:
    """None when Postgres didn't answer in time: what it would say then comes too late."""
    try:
        with engine.database.reading() as connection:
            return store.gather(connection, subject, now=now, timeout_ms=budget.left_ms())
    except DatabaseUnavailable:
        return None


def _unchecked(subject: Subject) -> Judged:
    """By the amount alone. Its merchant's limits are unknown, too: the defaults hold."""
    decision = settle([], money=subject.money, limits=Limits(), skipped=ALL_CHECKS)
    return Judged(decision, Seen(), has_case=_has_case(subject, decision, Limits()))


def _judged(
    engine: Engine, subject: Subject, gathered: Gathered, budget: Budget, now: dt.datetime
) -> Judged:
    limits = Limits.from_configuration(gathered.limits)
    counted = velocity.observe_and_count(
        engine.database,
        engine.cache,
        observations.observation_of(subject),
        now=now,
        has_gaps=gathered.has_gaps,
        timeout_ms=budget.left_ms(),
    )
    history = history_of(subject, gathered)
    values = values_of(subject, limits, counted.values, history)
    ruled = engine.ruled(subject, gathered, values, budget)
    scored = engine.scored(gathered, values, budget)
    made = {"rules": ruled.is_whole, "velocity": counted.source != "none", "model": scored.is_made}
    decision = settle(
        [*judge(map(Candidate.of, gathered.candidates), subject), *ruled.hits],
        money=subject.money,
        limits=limits,
        scored=scored.score,
        skipped=[check for check in ALL_CHECKS if not made.get(check, True)],
    )
    seen = Seen(values, counted.source, scored.score, ruled.errors)
    return Judged(decision, seen, has_case=_has_case(subject, decision, limits))


def _has_case(subject: Subject, decision: Decision, limits: Limits) -> bool:
    amount, above = subject.money.amount, limits.case_above_minor
    return opens_case(decision.verdict, decision.hits, amount, above_minor=above)


def _is_recorded(engine: Engine, subject: Subject, judged: Judged, now: dt.datetime) -> bool:
    if judged.alert is None and not judged.has_case:
        # One statement, which commits by itself: of most payments there is no more to say.
        with engine.database.statement() as connection:
            return _record(connection, subject, judged, now)
    with engine.database.transaction() as tx:
        is_first = _record(tx, subject, judged, now)
        if is_first and judged.alert is not None:
            data = decisions.resource(subject, judged.decision, now)
            alerts.tell(tx, judged.alert, data, mode=subject.mode, merchant_id=subject.merchant_id)
        if is_first and judged.has_case:
            score = judged.seen.scored.probability if judged.seen.scored else None
            open_case(tx, subject, judged.decision.verdict, score=score, now=now)
        return is_first


def _record(connection: Connection, subject: Subject, judged: Judged, now: dt.datetime) -> bool:
    return store.record(
        connection,
        subject,
        verdict=judged.decision.verdict,
        reasons=decisions.reasons_of(judged.decision),
        trace=decisions.trace_of(judged.decision, judged.seen),
        now=now,
    )


def _stored(engine: Engine, subject: Subject) -> Decision:
    # Another assessment of the same payment was quicker: its decision stands.
    with engine.database.reading() as connection:
        stored = store.stored(connection, subject.payment_id)
    assert stored is not None, "a conflict means that a row exists"  # noqa: S101 - says why
    return decisions.restored(stored)
