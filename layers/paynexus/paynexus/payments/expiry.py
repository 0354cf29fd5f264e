"""The end of waiting: challenges that nobody answered, authorisations that nobody captured."""

import datetime as dt

from paynexus import ids
from paynexus.db import Connection, Database
from paynexus.errors import PayNexusError
from paynexus.gateways.port import Operation
from paynexus.ids import PaymentId
from paynexus.observability import count, logger
from paynexus.payments import endings
from paynexus.payments.deciding import decide
from paynexus.payments.model import AUTHORIZATION_LIFETIME, CHALLENGE_LIFETIME
from paynexus.payments.step import Step
from paynexus.payments.store import commits, payments
from paynexus.payments.store.standings import Standing
from paynexus.payments.sweeper import Runner

EXPIRY_RETRY = dt.timedelta(hours=1)
"""When a gateway refused to give an expired authorisation up, it is asked again after this."""
EXPIRY_LIMIT = 100
"""Payments of one run: the next one is a minute away."""


def expire(db: Database, run: Runner, *, now: dt.datetime) -> int:
    """No payment waits beyond its time; the number of those that did.

    A challenged one has FAILED. An authorised one is canceled at its gateway, as its merchant
    would have done it: the cancel is on record before `run` attempts it, and who dies in between
    leaves it to the sweeper. Any number of these may run at the same time.
    """
    found = _found(db, now)
    for payment_id in found:
        try:
            _expire(db, run, payment_id, now)
        except PayNexusError as error:
            logger.warning("expiry failed", payment_id=str(payment_id), code=error.code)
            count("SweepFailed")
    count("PaymentsExpired", len(found))
    return len(found)


def _found(db: Database, now: dt.datetime) -> list[PaymentId]:
    with db.statement() as connection:
        return payments.expired(
            connection,
            challenged_before=now - CHALLENGE_LIFETIME,
            authorized_before=now - AUTHORIZATION_LIFETIME,
            changed_before=now - EXPIRY_RETRY,
            limit=EXPIRY_LIMIT,
        )


def _expire(db: Database, run: Runner, payment_id: PaymentId, now: dt.datetime) -> None:
    operation_id = ids.new_id()

    def act(connection: Connection, standing: Standing) -> bool:
        change = endings.expire(standing.payment, operation_id)
        if change is None:
            return False
        commits.end(connection, change, now=now)
        return change.payment.open_operation is not None

    if decide(db, payment_id, operation_id, act):
        run(Step(payment_id, Operation.CANCEL, operation_id))
