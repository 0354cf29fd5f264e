"""The workflow's first step: the payment is scored. Anyone may run it again at any moment.

Apart from the other steps, so that they don't load at their start what only a decision takes.
"""

import datetime as dt
from dataclasses import dataclass

from paynexus.db import Connection, Database
from paynexus.errors import NotFound
from paynexus.fraud import service as fraud
from paynexus.fraud.engine import Engine
from paynexus.fraud.model import Verdict
from paynexus.ids import PaymentId
from paynexus.payments import endings, places
from paynexus.payments.deciding import decide
from paynexus.payments.model import CHARGEABLE, Challenge
from paynexus.payments.payer import subject_of
from paynexus.payments.steps import Next
from paynexus.payments.store import attempts, commits, standings
from paynexus.payments.store.standings import Standing


@dataclass(frozen=True, slots=True)
class Scored:
    """What to do next, and the payment as it was seen for that: the next step may go by it."""

    next: Next
    seen: Standing | None = None


def score(engine: Engine, payment_id: PaymentId, *, now: dt.datetime) -> Scored:
    """The payment's fraud decision is stored; a challenged payment is CHALLENGED."""
    db = engine.database
    with db.reading() as connection:
        seen = standings.of_operation(connection, payment_id, payment_id)
        if seen is None:
            raise NotFound("There is no such payment.")
        if seen.payment.status not in CHARGEABLE:
            # What has ended is still asked for where its charge may yet turn up.
            is_open = attempts.is_open(connection, payment_id)
            return Scored(Next.ALLOW if is_open else Next.DONE)
    decision = fraud.assess(engine, subject_of(seen.payment), now=now)
    is_proven = seen.payment.challenge is Challenge.AUTHENTICATED
    if decision.verdict is Verdict.CHALLENGE and not is_proven:
        _challenge(db, seen, now)
        return Scored(Next.CHALLENGE)
    verdict = Next.BLOCK if decision.verdict is Verdict.BLOCK else Next.ALLOW
    # The payer's country is not handed on: a step that decides by it has to look for itself.
    return Scored(verdict, None if places.depends_on_country(seen) else seen)


def _challenge(db: Database, seen: Standing, now: dt.datetime) -> None:
    def act(connection: Connection, standing: Standing) -> None:
        change = endings.challenged(standing.payment)
        if change is not None:
            commits.end(connection, change, now=now)

    decide(db, seen.payment.id, seen.payment.id, act, seen=seen)
