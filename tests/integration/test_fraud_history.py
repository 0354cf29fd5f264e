"""The past of a card and a terminal through SQL, beside the replay that the model learns from."""

import datetime as dt
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from paynexus import ids
from paynexus.db import Connection, Database
from paynexus.fraud.history.features import features
from paynexus.fraud.history.model import DAY_SECONDS, NEWEST_PAYMENTS, History
from paynexus.fraud.history.replay import DAY, SECOND, Label, Paid, Replay
from paynexus.ids import MerchantId
from paynexus.money import Money

BEGIN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
SQL_OBSERVE = """
INSERT INTO fraud_observations
    (payment_id, merchant_id, mode, observed_at, amount, currency, card, terminal)
VALUES (%s, %s, 'test', %s, %s, %s, %s, %s)
"""
SQL_LABEL = """
INSERT INTO fraud_labels (payment_id, merchant_id, mode, is_fraud, source, source_id, known_at,
    card, terminal, observed_at)
VALUES (%s, %s, 'test', %s, 'dispute', %s, %s, %s, %s, %s)
"""
SQL_HISTORY = "SELECT fraud_history(%s, %s, %s, 'test', %s, %s)"


@dataclass(frozen=True, slots=True)
class Shop:
    """Payments of one merchant, told to Postgres and to a replay alike."""

    connection: Connection
    merchant: MerchantId

    def observe(self, paid: Paid) -> None:
        """It was judged."""
        values = (paid.id, self.merchant, _time(paid.at), paid.amount, paid.currency)
        self.connection.execute(SQL_OBSERVE, (*values, _card(paid), paid.terminal))

    def label(self, label: Label) -> None:
        """Something is said of it."""
        paid = label.payment
        who = (_card(paid), paid.terminal, _time(paid.at))
        values = (paid.id, self.merchant, label.is_fraud, ids.new_id(), _time(label.known_at))
        self.connection.execute(SQL_LABEL, (*values, *who))

    def history(self, paid: Paid) -> History:
        """As SQL tells it."""
        return history_of(self.connection, self.merchant, paid)


@pytest.fixture
def shop(database: Database, merchant: MerchantId) -> Shop:
    """No payment yet."""
    return Shop(database.connection(), merchant)


@pytest.mark.parametrize("seed", range(8))
def test_sql_tells_what_the_replay_tells(shop: Shop, seed: int) -> None:
    """For every payment of a random past, whatever comes after it: told once all is stored."""
    draws = random.Random(seed)  # noqa: S311 - a repeatable test
    payments = list(random_payments(draws, number=400))
    labels = list(random_labels(draws, payments))
    replay, expected = Replay(), {}
    for label in sorted(labels, key=lambda label: label.known_at):
        shop.label(label)
    for paid in payments:
        expected[paid.id] = replay.history(paid)
        replay.add(paid)
        shop.observe(paid)
        for label in labels:
            if label.payment is paid:
                replay.label(label)

    for paid in payments:
        told, money = shop.history(paid), Money(paid.amount, paid.currency)
        assert sorted_(told) == sorted_(expected[paid.id])
        assert features(money, told) == pytest.approx(features(money, expected[paid.id]))


def test_no_more_than_the_newest_are_read(shop: Shop) -> None:
    """Of a busy card's payments, and of a busy terminal's mature ones."""
    terminal = b"t" * 16
    now = 100 * DAY
    for number in range(NEWEST_PAYMENTS + 20):
        shop.observe(_paid(now - 8 * DAY - number * SECOND, terminal=terminal))

    told = shop.history(_paid(now, terminal=terminal))

    newest = [8 * DAY_SECONDS + number for number in range(NEWEST_PAYMENTS)]
    assert sorted(told.terminal.genuine) == newest
    assert sorted(age for age, _ in told.card.payments) == newest


def test_another_merchants_payments_without_a_terminal_dont_count(
    shop: Shop, database: Database
) -> None:
    """A merchant is its own terminal."""
    other = Shop(shop.connection, MerchantId(ids.new_id()))
    shop.observe(_paid(1 * DAY))
    other.observe(_paid(1 * DAY, card="b"))

    assert shop.history(_paid(20 * DAY)).terminal.genuine == (19 * DAY_SECONDS,)


def test_history_of_nobody_is_empty(shop: Shop) -> None:
    """Neither the card nor the terminal was ever seen."""
    assert shop.history(_paid(1 * DAY, terminal=b"t" * 16)) == History()


def random_payments(draws: random.Random, *, number: int) -> Iterator[Paid]:
    """A few cards, terminals and currencies, so that they meet often."""
    at = 0
    for index in range(number):
        at += draws.choice((0, 1, draws.randrange(DAY)))
        yield _paid(
            at,
            id_=uuid.UUID(int=index),
            card=draws.choice("abc"),
            terminal=draws.choice((None, b"s" * 16, b"t" * 16)),
            currency=draws.choice(("EUR", "EUR", "JPY")),
            amount=draws.randrange(1, 100_000),
        )


def random_labels(draws: random.Random, payments: list[Paid]) -> Iterator[Label]:
    """Some payments have a word said of them, some of these another one later."""
    for paid in payments:
        known_at = paid.at
        while draws.random() < 0.3:
            known_at += draws.randrange(1, 12 * DAY)
            yield Label(paid, draws.random() < 0.7, known_at)


def history_of(connection: Connection, merchant: MerchantId, paid: Paid) -> History:
    """What the SQL function says."""
    values = (_card(paid), paid.terminal, merchant, paid.currency, _time(paid.at))
    row = connection.execute(SQL_HISTORY, values).fetchone()
    assert row is not None
    return History.from_json(row[0])


def sorted_(history: History) -> tuple[object, ...]:
    """Order means nothing in it."""
    card, terminal = history.card, history.terminal
    return (
        sorted(card.payments),
        sorted(card.frauds),
        sorted(terminal.genuine),
        sorted(terminal.frauds),
    )


def _paid(
    at: int,
    *,
    id_: uuid.UUID | None = None,
    card: str = "a",
    terminal: bytes | None = None,
    currency: str = "EUR",
    amount: int = 1000,
) -> Paid:
    name = (card.encode() * 16).hex()
    return Paid(id_ or ids.new_id(), at, name, terminal, currency, amount)


def _card(paid: Paid) -> bytes:
    return bytes.fromhex(paid.card)


def _time(at: int) -> dt.datetime:
    return BEGIN + dt.timedelta(microseconds=at)
