"""The last word on an unknown outcome: the gateway's settlement file, or another sure source."""

import datetime as dt
from enum import StrEnum

from paynexus.db import Connection, Database
from paynexus.errors import NotFound
from paynexus.gateways.port import Operation, Outcome, Result
from paynexus.payments import late, steps
from paynexus.payments.cases import Kind, open_case
from paynexus.payments.step import Step
from paynexus.payments.store import attempts
from paynexus.payments.store.attempts import Turn

SURE = frozenset({Outcome.APPROVED, Outcome.DECLINED})


class Settled(StrEnum):
    """What the word led to."""

    SETTLED = "settled"
    """It was news: the attempt has this outcome, and its payment or refund follows it."""
    KNOWN = "known"
    """It was known before."""
    BEING_CALLED_OFF = "being_called_off"
    """An approval of a charge that is being called off: the answer to the cancel decides."""
    LATE = "late"
    """The money of a charge that was proven void has come all the same; it is sent back."""
    CONTRADICTED = "contradicted"
    """It denies what was certain. Nothing was changed; a person is asked."""


def settle_unknown(db: Database, reference: str, result: Result, *, now: dt.datetime) -> Settled:
    """The attempt under our `reference` has ended as `result` proves.

    `result` is the gateway's own sure word, about the whole amount of the attempt: APPROVED for
    a line in its settlement file, DECLINED where it states that nothing was taken. That a line
    is missing is no such statement. The caller has compared amount and currency.

    Raises NotFound for a reference that is not ours, ValueError for a result that is not sure.
    """
    if result.outcome not in SURE:
        raise ValueError("only an approval or a decline settles an unknown outcome")
    with db.transaction() as tx:
        found = attempts.by_reference(tx, reference)
        if found is None:
            raise NotFound("No attempt has this reference.")
        settled = _settle(tx, found, result, now)
    _follow(db, found, settled, now)
    return settled


def _settle(tx: Connection, found: Turn, result: Result, now: dt.datetime) -> Settled:
    if found.outcome in {None, Outcome.UNKNOWN}:
        known = attempts.finish(tx, found.id, result, next_at=now, now=now)
        return Settled.SETTLED if known is result.outcome else Settled.BEING_CALLED_OFF
    if found.outcome is result.outcome:
        return Settled.KNOWN
    if found.operation is Operation.CHARGE and result.outcome is Outcome.APPROVED:
        return Settled.LATE
    if found.outcome is Outcome.NOT_SENT:
        return Settled.KNOWN  # what never left was not taken: the same said in other words
    open_case(tx, Kind.CONTRADICTION, found.id, found.payment_id, now=now)
    return Settled.CONTRADICTED


def _follow(db: Database, found: Turn, settled: Settled, now: dt.datetime) -> None:
    if settled is Settled.LATE:
        late.record(db, found.payment_id, found.id, now=now)
    elif settled is Settled.SETTLED:
        step = Step(found.payment_id, found.operation, found.operation_id)
        steps.finish(db, step, blocked=False, now=now)
