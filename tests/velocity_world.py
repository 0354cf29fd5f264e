"""Payments as velocity sees them, and Redis and Postgres that know of them."""

import datetime as dt

from redis import Redis

from paynexus import ids
from paynexus.cache import Cache
from paynexus.db import Database
from paynexus.fraud.model import EntityKind, entity
from paynexus.fraud.velocity.counters import Counters
from paynexus.fraud.velocity.reference import Observation
from paynexus.fraud.velocity.windows import LOGGED, LONGEST_SECONDS
from paynexus.ids import MerchantId

PATIENCE_SECONDS = 30
SQL_OBSERVE = """
INSERT INTO fraud_observations
    (payment_id, merchant_id, mode, observed_at, amount, currency, card, customer, email, ip,
    terminal)
VALUES (%(payment_id)s, %(merchant_id)s, %(mode)s, %(observed_at)s, %(amount)s, %(currency)s,
    %(card)s, %(customer)s, %(email)s, %(ip)s, %(terminal)s)
ON CONFLICT (payment_id) DO NOTHING
"""
LONG_AGO = dt.timedelta(seconds=2 * LONGEST_SECONDS)
GENERATION = "000000000000"


class Shop:
    """One merchant's payments, in test mode."""

    def __init__(self) -> None:
        self.merchant_id = MerchantId(ids.new_id())

    def payment(
        self, at: dt.datetime, amount: int = 100, currency: str = "EUR", **of: str | None
    ) -> Observation:
        """A payment at that time, of these entities; of one card unless another is named."""
        values = {"card": "card", "merchant": self.merchant_id.hex, **of}
        entities = {
            kind: entity("test", self.merchant_id, kind, value)
            for kind in EntityKind
            if (value := values.get(kind)) is not None
        }
        return Observation(ids.new_id(), at, amount, currency, entities)

    def log(self, database: Database, *observations: Observation) -> None:
        """They are committed, as they are before anyone counts them."""
        rows = [
            {
                "payment_id": one.payment_id,
                "merchant_id": self.merchant_id,
                "mode": "test",
                "observed_at": one.at,
                "amount": one.amount,
                "currency": one.currency,
                **{kind: one.entities.get(kind) for kind in LOGGED},
            }
            for one in observations
        ]
        with database.transaction() as tx, tx.cursor() as cursor:
            cursor.executemany(SQL_OBSERVE, rows)


def patient(url: str) -> Cache:
    """A cache that waits for a busy machine: a miss would be counted by Postgres."""
    cache = Cache(url)
    cache._client = Redis.from_url(
        url, socket_timeout=PATIENCE_SECONDS, single_connection_client=True
    )
    return cache


def opened(cache: Cache, *, since: dt.datetime) -> Counters:
    """Counters that answer, and know of nothing."""
    counters = Counters(cache)
    assert counters.begin(GENERATION)
    assert counters.finish(GENERATION, since=since)
    return counters


def gaps(database: Database) -> int:
    """How many observations Redis is thought to have missed."""
    row = database.connection().execute("SELECT count(*) FROM fraud_velocity_gaps").fetchone()
    assert row
    number: int = row[0]
    return number
