"""Labels on real parts: gathered once, known since their source said so, never earlier."""

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import psycopg
import pytest

from paynexus.db import Database
from paynexus.fraud import labels
from paynexus.fraud.labels import service
from paynexus.gateways.port import Operation
from paynexus.ids import PaymentId
from paynexus.payments import operations, pursuit
from tests.disputing import Bank
from tests.flow import Flow
from tests.sandbox import Sandbox
from tools.sandbox_acquirer.disputes import Asked
from tools.sandbox_acquirer.disputes import Outcome as End

HOUR = dt.timedelta(hours=1)


@pytest.fixture(name="bank")
def _bank(flow: Flow, sandbox: Sandbox) -> Bank:
    """A payer's bank."""
    return Bank(flow, sandbox)


def _refund(flow: Flow, payment_id: PaymentId, reason: str | None) -> None:
    answer = flow.operate(
        Operation.REFUND, payment_id, operations.refund, amount=100, reason=reason
    )
    assert answer.status == 201


def _dispute_for(bank: Bank, payment_id: PaymentId, reason: str) -> str:
    charge = pursuit.reference_of(Operation.CHARGE, payment_id)
    named = bank.sandbox.server.acquirer.open_dispute(charge, Asked(500, reason))
    return str(named["id"])


def _said(flow: Flow, payment_id: PaymentId, as_of: dt.datetime) -> tuple[bool, str] | None:
    label = labels.label_of(flow.database, payment_id, as_of=as_of)
    return (label.is_fraud, label.source) if label else None


def test_a_dispute_labels_its_payment_fraud_from_its_opening_on(bank: Bank) -> None:
    """And not a moment before, though the payment is older."""
    flow = bank.flow
    payment_id, _ = flow.take()
    paid_at = flow.now
    flow.now += HOUR
    bank.learn(bank.open(payment_id))

    assert labels.gather(flow.database, now=flow.now) == 1

    assert _said(flow, payment_id, paid_at) is None
    assert _said(flow, payment_id, flow.now - dt.timedelta(microseconds=1)) is None
    assert _said(flow, payment_id, flow.now) == (True, "dispute")


def test_a_label_is_of_the_card_and_the_time_of_its_payment(bank: Bank) -> None:
    """As they were observed, so that who reads labels needs nothing else."""
    flow = bank.flow
    payment_id, _ = flow.take()
    flow.now += HOUR
    bank.learn(bank.open(payment_id))
    labels.gather(flow.database, now=flow.now)

    [same] = flow.database.connection().execute(
        "SELECT (l.merchant_id, l.mode, l.card, l.terminal, l.observed_at)"
        " IS NOT DISTINCT FROM (o.merchant_id, o.mode, o.card, o.terminal, o.observed_at)"
        " FROM fraud_labels AS l INNER JOIN fraud_observations AS o USING (payment_id)"
    )
    assert same == (True,)


@pytest.mark.parametrize(("end", "is_fraud"), [(End.WON, False), (End.LOST, True)])
def test_a_won_dispute_shows_the_payment_genuine(bank: Bank, end: End, *, is_fraud: bool) -> None:
    """From then on; what was known before stays what was known before."""
    flow = bank.flow
    payment_id, _ = flow.take()
    name = bank.open(payment_id)
    bank.learn(name)
    opened_at = flow.now
    labels.gather(flow.database, now=flow.now)
    flow.now += HOUR
    bank.close(name, end)
    bank.learn(name)

    labels.gather(flow.database, now=flow.now)

    assert _said(flow, payment_id, opened_at) == (True, "dispute")
    assert _said(flow, payment_id, flow.now) == (is_fraud, "dispute")


def test_a_dispute_that_was_won_before_anybody_looked_says_both(bank: Bank) -> None:
    """In the order in which it happened, even within one moment."""
    flow = bank.flow
    payment_id, _ = flow.take()
    bank.dispute(payment_id, None, End.WON)

    assert labels.gather(flow.database, now=flow.now) == 2

    assert _said(flow, payment_id, flow.now) == (False, "dispute")


@pytest.mark.parametrize("end", [None, End.WON])
def test_a_dispute_about_something_else_says_nothing_of_fraud(bank: Bank, end: End | None) -> None:
    """Goods that never came are no stolen card; nor does winning that prove anything."""
    flow = bank.flow
    payment_id, _ = flow.take()
    name = _dispute_for(bank, payment_id, "product_not_received")
    bank.learn(name)
    if end is not None:
        bank.close(name, end)
        bank.learn(name)

    assert labels.gather(flow.database, now=flow.now) == 0


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("fraudulent", (True, "refund")),
        ("Fraudulent", None),
        ("not fraudulent", None),
        (None, None),
    ],
)
def test_a_refund_marks_fraud_by_that_very_word(
    flow: Flow, reason: str | None, expected: tuple[bool, str] | None
) -> None:
    """Any other reason is a text for people."""
    payment_id, _ = flow.take()
    flow.now += HOUR
    _refund(flow, payment_id, reason)

    labels.gather(flow.database, now=flow.now)

    assert _said(flow, payment_id, flow.now) == expected
    assert _said(flow, payment_id, flow.now - HOUR) is None


def test_gathering_again_writes_nothing_anew(bank: Bank) -> None:
    """Within the overlap, where it reads the same rows."""
    flow = bank.flow
    payment_id, _ = flow.take()
    bank.learn(bank.open(payment_id, 500))
    _refund(flow, payment_id, "fraudulent")

    assert labels.gather(flow.database, now=flow.now) == 2
    assert labels.gather(flow.database, now=flow.now) == 0
    assert labels.gather(flow.database, now=flow.now + service.OVERLAP / 2) == 0


def test_what_is_committed_late_is_read_all_the_same(flow: Flow) -> None:
    """A refund carries the time at which its request began, which the last run had passed."""
    payment_id, _ = flow.take()
    labels.gather(flow.database, now=flow.now + service.OVERLAP / 2)
    _refund(flow, payment_id, "fraudulent")

    assert labels.gather(flow.database, now=flow.now + service.OVERLAP / 2) == 1


def test_more_than_a_run_takes_is_the_next_runs(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest first; none is passed over."""
    monkeypatch.setattr(service, "LABELS_PER_RUN", 2)
    paid = []
    for _ in range(5):
        payment_id, _answer = flow.take()
        _refund(flow, payment_id, "fraudulent")
        paid.append(payment_id)
        flow.now += 2 * service.OVERLAP
    runs = [labels.gather(flow.database, now=flow.now) for _ in range(4)]

    assert runs == [2, 2, 1, 0]
    assert all(_said(flow, payment_id, flow.now) for payment_id in paid)


def test_two_who_gather_at_once_write_each_label_once(
    flow: Flow, another_database: Callable[[], Database]
) -> None:
    """The second waits for the first, and finds nothing left."""
    for _ in range(3):
        payment_id, _answer = flow.take()
        _refund(flow, payment_id, "fraudulent")
    start = Barrier(2)

    def gather(database: Database) -> int:
        start.wait()
        return labels.gather(database, now=flow.now)

    with ThreadPoolExecutor(2) as pool:
        written = list(pool.map(gather, [another_database(), another_database()]))

    assert sorted(written) == [0, 3]


def test_a_payment_that_was_never_judged_gets_no_label(flow: Flow) -> None:
    """There is no card and no moment of a decision to label."""
    payment_id, _ = flow.take()
    _refund(flow, payment_id, "fraudulent")
    flow.database.connection().execute("DELETE FROM fraud_observations")

    assert labels.gather(flow.database, now=flow.now) == 0


def test_the_latest_word_holds_at_each_moment(bank: Bank) -> None:
    """A refund marked as fraud, and then a dispute that was won."""
    flow = bank.flow
    payment_id, _ = flow.take()
    moments = [flow.now]
    _refund(flow, payment_id, "fraudulent")
    flow.now += HOUR
    name = bank.open(payment_id, 500)
    bank.learn(name)
    moments.append(flow.now)
    flow.now += HOUR
    bank.close(name, End.WON)
    bank.learn(name)
    moments.append(flow.now)

    labels.gather(flow.database, now=flow.now)

    assert [_said(flow, payment_id, moment) for moment in moments] == [
        (True, "refund"),
        (True, "dispute"),
        (False, "dispute"),
    ]


def test_labels_never_change(bank: Bank) -> None:
    """What was known at a moment can be asked for ever after."""
    flow = bank.flow
    payment_id, _ = flow.take()
    bank.learn(bank.open(payment_id))
    labels.gather(flow.database, now=flow.now)
    label = labels.label_of(flow.database, payment_id, as_of=flow.now)

    for statement in ("UPDATE fraud_labels SET is_fraud = FALSE", "DELETE FROM fraud_labels"):
        with pytest.raises(psycopg.Error, match="never changed or deleted"):
            flow.database.connection().execute(statement.encode())
    assert label is not None
    assert labels.label_of(flow.database, payment_id, as_of=flow.now) == replace(label)
