"""The night watch: each abandoned payment gets its turn, and one watchman."""

import datetime as dt
from collections.abc import Callable

import pytest

import payments_api.handler as payments_api
import sweep_payments.handler as sweep_payments
from paynexus import errors, runtime
from paynexus.cache import Cache
from paynexus.db import Database
from paynexus.ids import MerchantId, PaymentId
from paynexus.money import Money
from paynexus.payments import service, sweeper
from paynexus.payments.step import Step
from tests.flow import Flow
from tests.integration.conftest import Caller
from tests.integration.steps_in_process import Context

LATER = dt.timedelta(minutes=2)


@pytest.fixture(name="abandoned")
def _abandoned(
    database: Database, cache: Cache, merchant: MerchantId, now: dt.datetime
) -> list[PaymentId]:
    """Three payments whose requests died, the oldest first."""
    flow = Flow(database, cache, {}, merchant, now)
    return [_accepted(flow, now + dt.timedelta(seconds=second)) for second in range(3)]


def test_what_fails_each_time_keeps_no_other_from_its_turn(
    database: Database,
    abandoned: list[PaymentId],
    now: dt.datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As many broken payments as one run takes: the one behind them has its turn in the next."""
    monkeypatch.setattr(sweeper, "SWEEP_LIMIT", 2)
    reached: list[PaymentId] = []

    def run(step: Step) -> None:
        reached.append(step.payment_id)
        if step.payment_id != abandoned[-1]:
            raise errors.DatabaseUnavailable("as ever")

    for number in (1, 2):
        sweeper.sweep(database, run, now=now + number * LATER, has_time=lambda: False)

    assert set(abandoned) == set(reached)


def test_two_sweeps_at_once_share_the_work(
    database: Database,
    another_database: Callable[[], Database],
    abandoned: list[PaymentId],
    now: dt.datetime,
) -> None:
    """While one is at work, the other finds nothing that is not left alone."""
    taken: list[int] = []

    def run(_: Step) -> None:
        taken.append(sweeper.sweep(another_database(), run, now=now + LATER))

    assert sweeper.sweep(database, run, now=now + LATER) == len(abandoned)
    assert taken == [0, 0, 0]


def test_the_function_sweeps_while_it_has_time(
    acquirer: object, call: Caller, now: dt.datetime
) -> None:
    """As the schedule invokes it: an answer that was lost is asked for."""
    headers = {"idempotency-key": "lost"}
    body = {"amount": 1000, "currency": "EUR", "payment_method": "tok_disconnect_after"}
    taken = call(payments_api.handler, "POST", "/payments", body, headers=headers)
    assert taken.json()["status"] == "UNKNOWN"
    runtime.database().connection().execute("UPDATE attempts SET next_at = now()")

    assert sweep_payments.handler({}, Context()) == {"swept": 1, "expired": 0}
    assert sweep_payments.handler({}, Context()) == {"swept": 0, "expired": 0}


def _accepted(flow: Flow, at: dt.datetime) -> PaymentId:
    request = service.PaymentRequest(Money(1000, "EUR"), "tok_approve")
    scope = flow.scope("POST /payments", at.isoformat())
    return service.accept(flow.database, scope, request, fingerprint=b"same", now=at).payment_id
