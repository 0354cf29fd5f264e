"""Idempotency-Keys on real Postgres: kept for their time, then new again, never lost at work."""

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from paynexus import errors, idempotency, ids
from paynexus.cache import Cache
from paynexus.db import Connection, Database
from paynexus.idempotency import KEPT, Answer, Claim, Scope
from paynexus.ids import MerchantId
from paynexus.retention import service as retention
from tests.flow import Flow
from tests.sandbox import Sandbox

MOMENT = dt.timedelta(seconds=1)
ONE = idempotency.fingerprint_of("/things", {"amount": 1})
OTHER = idempotency.fingerprint_of("/things", {"amount": 2})

SQL_MANY = """
INSERT INTO idempotency_keys (merchant_id, mode, operation, key, fingerprint, object_id,
    running_until, status, headers, body, created_at, finished_at, expires_at)
SELECT %(merchant)s, 'test', 'POST /things', number::TEXT, '\\x00', gen_random_uuid(),
    %(now)s, 201, '{}', '{}', %(now)s, %(now)s, %(now)s
FROM generate_series(1, %(many)s) AS number
"""


@pytest.fixture
def scope(merchant: MerchantId) -> Scope:
    """A key of the merchant's."""
    return Scope(merchant, "test", "POST /things", "order-4711")


def act(_tx: Connection, object_id: UUID) -> Answer:
    """The object exists."""
    return Answer(201, str(object_id), {})


def claim(database: Database, scope: Scope, *, now: dt.datetime, fingerprint: bytes = ONE) -> Claim:
    """The key is claimed and nothing has come of it yet."""
    with database.transaction() as tx:
        return idempotency.claim(
            tx, scope, fingerprint=fingerprint, object_id=ids.new_id(), now=now
        )


def ask(database: Database, scope: Scope, *, now: dt.datetime, fingerprint: bytes = ONE) -> Answer:
    """The request under the key is done, or answered as before."""
    return idempotency.run(
        database, scope, fingerprint=fingerprint, object_id=ids.new_id(), now=now, act=act
    )


def keys(database: Database) -> int:
    """How many keys are on record."""
    row = database.connection().execute("SELECT count(*) FROM idempotency_keys").fetchone()
    assert row is not None
    count: int = row[0]
    return count


def test_a_key_answers_for_its_whole_time(
    database: Database, scope: Scope, now: dt.datetime
) -> None:
    """A moment before it expires, the answer is still the first one."""
    first = ask(database, scope, now=now)
    last = ask(database, scope, now=now + KEPT - MOMENT)
    retention.forget_keys(database, now=now + KEPT - MOMENT)

    assert (last.body, "Idempotent-Replayed" in last.headers) == (first.body, True)
    assert keys(database) == 1


@pytest.mark.parametrize("fingerprint", [ONE, OTHER])
@pytest.mark.parametrize("is_purged", [False, True])
def test_an_expired_key_is_a_new_one(
    database: Database, scope: Scope, now: dt.datetime, fingerprint: bytes, *, is_purged: bool
) -> None:
    """Whether or not it has been dropped: the request acts, and its answer is kept anew."""
    first = ask(database, scope, now=now)
    later = now + KEPT
    if is_purged:
        assert retention.forget_keys(database, now=later) == 1
    second = ask(database, scope, now=later, fingerprint=fingerprint)
    third = ask(database, scope, now=later + KEPT - MOMENT, fingerprint=fingerprint)

    assert second.body != first.body
    assert "Idempotent-Replayed" not in second.headers
    assert third.body == second.body
    assert keys(database) == 1


def test_an_unfinished_key_is_never_dropped(
    database: Database, scope: Scope, now: dt.datetime
) -> None:
    """However old: what it began may have taken effect, so the next request goes on with it."""
    begun = claim(database, scope, now=now)
    years_later = now + dt.timedelta(days=1000)

    assert retention.forget_keys(database, now=years_later) == 0
    with pytest.raises(errors.IdempotencyKeyReused):
        claim(database, scope, now=years_later, fingerprint=OTHER)
    resumed = claim(database, scope, now=years_later)
    assert (resumed.object_id, resumed.is_first) == (begun.object_id, False)


def test_keys_are_forgotten_in_batches(
    database: Database, merchant: MerchantId, now: dt.datetime
) -> None:
    """One transaction drops so many and no more; a run drops what there is."""
    many = 2 * retention.ROWS_PER_BATCH + 1
    with database.transaction() as tx:
        tx.execute(SQL_MANY, {"merchant": merchant, "now": now, "many": many})
    with database.transaction() as tx:
        batch = idempotency.forget(tx, now=now, limit=10)

    assert (batch, keys(database)) == (10, many - 10)
    assert retention.forget_keys(database, now=now) == many - 10
    assert keys(database) == 0


def test_a_key_in_use_is_left_to_the_next_run(
    database: Database,
    another_database: Callable[[], Database],
    scope: Scope,
    now: dt.datetime,
) -> None:
    """The purge neither waits for a request nor takes the key from under it."""
    ask(database, scope, now=now)
    later = now + KEPT
    with database.transaction() as tx:
        claimed = idempotency.claim(tx, scope, fingerprint=OTHER, object_id=ids.new_id(), now=later)
        forgotten = retention.forget_keys(another_database(), now=later)

    assert (claimed.is_first, forgotten, keys(database)) == (True, 0, 1)


def test_a_request_that_meets_the_purge_is_the_first(
    database: Database,
    another_database: Callable[[], Database],
    scope: Scope,
    now: dt.datetime,
) -> None:
    """It waits for the row's end, then claims the key as its own."""
    ask(database, scope, now=now)
    later, purge = now + KEPT, another_database()
    with ThreadPoolExecutor(1) as threads:
        with purge.transaction() as tx:
            assert idempotency.forget(tx, now=later, limit=1) == 1
            claiming = threads.submit(claim, another_database(), scope, now=later)
        claimed = claiming.result()

    assert (claimed.is_first, keys(database)) == (True, 1)


def test_an_expired_key_takes_another_payment(
    database: Database, cache: Cache, sandbox: Sandbox, merchant: MerchantId, now: dt.datetime
) -> None:
    """Two payments, each booked once; within the time it was one."""
    flow = Flow(database, cache, {"test": sandbox.gateway}, merchant, now)
    first, _ = flow.take(key="order-4711")
    same, _ = flow.take(key="order-4711")
    flow.now = now + KEPT
    other, answer = flow.take(key="order-4711")

    assert first == same != other
    assert (answer.status, "Idempotent-Replayed" in answer.headers) == (201, False)
