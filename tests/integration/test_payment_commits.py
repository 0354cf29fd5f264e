"""Each commit of a payment is one statement, and holds only for what was decided about."""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, cast, override

import psycopg
import pytest
from psycopg.abc import Query

from paynexus import errors, ids
from paynexus.cache import Cache
from paynexus.db import Connection, Database
from paynexus.fraud.velocity import service as velocity
from paynexus.gateways.port import Operation, Outcome
from paynexus.ids import MerchantId, PaymentId
from paynexus.money import Money
from paynexus.payments import endings, operations, scoring, service, steps
from paynexus.payments.deciding import decide
from paynexus.payments.model import Status
from paynexus.payments.step import Step
from paynexus.payments.store import attempts, commits
from paynexus.payments.store.standings import Standing
from tests.flow import Flow, Line, handed_on
from tests.sandbox import Sandbox

SQL_CHANGES = """
SELECT regexp_replace(relname, '_\\d.*', ''), sum(n_tup_upd), sum(n_tup_hot_upd)
FROM pg_stat_xact_user_tables
WHERE relname ~ '^(transactions|idempotency_keys)' AND n_tup_upd > 0 GROUP BY 1 ORDER BY 1
"""


@pytest.fixture(name="flow")
def _flow(
    database: Database, cache: Cache, merchant: MerchantId, now: dt.datetime, tmp_path: Path
) -> Iterator[Flow]:
    sandbox = Sandbox(tmp_path / "acquirer")
    sandbox.start()
    yield Flow(database, cache, {"test": sandbox.gateway}, merchant, now)
    sandbox.stop()


class Counting(Database):
    """The product's database, counting what it is sent."""

    sent = 0

    @override
    def connection(self) -> Connection:
        connection = super().connection()
        connection.cursor_factory = _counting(self, psycopg.Cursor)
        return connection

    @override
    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        self.sent += 2
        with super().transaction() as tx:
            yield tx

    @contextmanager
    def counted(self, name: str, into: Counter[str]) -> Iterator[None]:
        """What is sent in this block, BEGIN and COMMIT among it."""
        before = self.sent
        yield
        into[name] = self.sent - before


def _counting(database: Counting, kind: type[psycopg.Cursor[Any]]) -> type[psycopg.Cursor[Any]]:
    class CountingCursor(kind):  # type: ignore[misc, valid-type]  # a class that is handed in
        @override
        def execute(self, query: Query, *args: Any, **kwargs: Any) -> Self:
            database.sent += 1
            return cast("Self", super().execute(query, *args, **kwargs))

    return CountingCursor


def accepted(flow: Flow) -> PaymentId:
    """A payment on record, its gateway not yet asked."""
    request = service.PaymentRequest(Money(1000, "EUR"), "tok_approve")
    scope = flow.scope("POST /payments", ids.new_id().hex)
    return service.accept(
        flow.database, scope, request, fingerprint=b"same", now=flow.now
    ).payment_id


def test_a_payment_is_accepted_in_one_statement_and_finished_in_one(
    flow: Flow, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call of the gateway is on record before and after it; nothing is read twice."""
    flow.database = database = Counting(lambda: database_url)
    monkeypatch.setattr(psycopg, "ClientCursor", _counting(database, psycopg.ClientCursor))
    assert velocity.rebuild(database, flow.cache, flow.now)
    # From the second payment on an environment knows the rules.
    scoring.score(flow.engine, accepted(flow), now=flow.now)
    sent: Counter[str] = Counter()
    with database.counted("accept", sent):
        payment_id = accepted(flow)
    step = Step(payment_id, Operation.CHARGE, payment_id)
    with database.counted("score", sent):
        scored = scoring.score(flow.engine, payment_id, now=flow.now)
    with database.counted("charge", sent):
        called = steps.call_gateway(
            database,
            Line(flow.gateways),
            step,
            clock=lambda: flow.now,
            deadline_seconds=1,
            seen=handed_on(scored.seen),
        )
    with database.counted("finish", sent):
        seen = handed_on(called.seen)
        assert steps.finish(database, step, blocked=False, now=flow.now, seen=seen) == "COMPLETED"
    database.close()

    assert sent == {"accept": 1, "score": 3, "charge": 2, "finish": 1}


def test_what_was_decided_about_another_version_is_not_written(flow: Flow) -> None:
    """The second of two decisions about one version fails whole: status, books, event, answer."""
    payment_id = accepted(flow)
    step = Step(payment_id, Operation.CHARGE, payment_id)
    payment = flow.payment(payment_id)
    steps.finish(flow.database, step, blocked=True, now=flow.now)

    late = endings.changed(replace(payment, status=Status.CANCELED), "canceled")
    with pytest.raises(errors.ChangedMeanwhile), flow.database.statement() as connection:
        commits.end(connection, late, now=flow.now)

    assert flow.payment(payment_id).status is Status.FAILED
    row = flow.database.connection().execute("SELECT count(*) FROM events").fetchone()
    assert row == (2,)


def test_who_was_overtaken_decides_again_under_the_payments_lock(
    flow: Flow, another_database: Callable[[], Database]
) -> None:
    """Once: nobody can come between the second reading and what is written by it."""
    payment_id = accepted(flow)
    other = another_database()
    seen: list[Status] = []

    def act(connection: Connection, standing: Standing) -> None:
        seen.append(standing.payment.status)
        if len(seen) == 1:
            step = Step(payment_id, Operation.CHARGE, payment_id)
            steps.finish(other, step, blocked=True, now=flow.now)
        change = endings.end_blocked(standing.payment)
        if change:
            commits.end(connection, change, now=flow.now)

    decide(flow.database, payment_id, payment_id, act)

    assert seen == [Status.PENDING, Status.FAILED]


def test_finishing_touches_no_index(flow: Flow) -> None:
    """Payment and key change within their pages: nothing that changes is indexed."""
    payment_id = accepted(flow)
    change = endings.end_blocked(flow.payment(payment_id))
    assert change
    with flow.database.transaction() as tx:
        commits.end(tx, change, now=flow.now)
        rows = tx.execute(SQL_CHANGES).fetchall()

    assert rows == [("idempotency_keys", 1, 1), ("transactions", 1, 1)]


@pytest.mark.parametrize(
    "contradiction",
    [
        "captured_amount = amount + 1",
        "refunded_amount = 1",
        "captured_amount = 5, refunded_amount = 3, refunding_amount = 3",
        "open_operation = 'capture'",
        "captured_amount = -1",
        "captured_amount = 5",
        "captured_amount = 5, captures = 1",
        "status = 'COMPLETED'",
        "status = 'COMPLETED', captured_amount = 5",
        "status = 'AUTHORIZED', captured_amount = amount, captures = 1",
        "status = 'FAILED', captured_amount = 5, captures = 1",
    ],
)
def test_a_payment_never_contradicts_itself(flow: Flow, contradiction: str) -> None:
    """Postgres refuses it, whoever asks."""
    payment_id = accepted(flow)

    with pytest.raises(psycopg.errors.CheckViolation):
        flow.database.connection().execute(
            f"UPDATE transactions SET {contradiction} WHERE id = %s".encode(),  # noqa: S608
            (payment_id,),
        )


@pytest.mark.parametrize(
    "loss",
    [
        "captured_amount = captured_amount - 1",
        "refunded_amount = refunded_amount - 1",
        "refunding_amount = 701",
    ],
)
def test_what_was_taken_and_returned_is_never_unsaid(flow: Flow, loss: str) -> None:
    """Nor is more returned than was taken, whoever writes it."""
    payment_id, _ = flow.take(amount=1000)
    flow.operate(Operation.REFUND, payment_id, operations.refund, amount=300, reason=None)

    with pytest.raises(psycopg.errors.CheckViolation):
        flow.database.connection().execute(
            f"UPDATE transactions SET {loss} WHERE id = %s".encode(),  # noqa: S608
            (payment_id,),
        )


def test_a_refund_that_nothing_is_reserved_for_is_refused(flow: Flow) -> None:
    """Neither as a new one, nor by making one more of another; and its amount stays."""
    payment_id, _ = flow.take("tok_refund_decline", amount=1000)
    flow.operate(Operation.REFUND, payment_id, operations.refund, amount=300, reason=None)
    connection = flow.database.connection()

    with pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(
            "INSERT INTO refunds SELECT uuidv7(), payment_id, merchant_id, mode, amount, currency,"
            " 'PENDING', reason, uuidv7(), NULL, NULL, created_at, updated_at FROM refunds"
        )
    with pytest.raises(psycopg.Error, match="never changes"):
        connection.execute("UPDATE refunds SET amount = 1")


def test_no_call_is_begun_once_what_became_of_it_is_certain(flow: Flow) -> None:
    """Whoever read the attempt before its outcome came is told the outcome instead."""
    flow.take()
    connection = flow.database.connection()
    row = connection.execute("SELECT id FROM attempts").fetchone()
    assert row is not None

    assert attempts.call_again(connection, row[0]) is Outcome.APPROVED
    assert connection.execute("SELECT calls FROM attempts").fetchone() == (1,)
