"""What the product computes of a payment, moment by moment. Pure."""

import datetime as dt
from collections.abc import Mapping

from paynexus.fraud.backtest.replay import Label, Payment
from paynexus.fraud.history import replay as history
from paynexus.fraud.history.features import features
from paynexus.fraud.model import EntityKind, Value
from paynexus.fraud.velocity import reference as velocity

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MICROSECOND = dt.timedelta(microseconds=1)


class Features:
    """Counts and histories, by the same definitions as a decision's."""

    def __init__(self) -> None:
        self._velocity = velocity.Replay()
        self._history = history.Replay()

    def observe(self, payment: Payment) -> Mapping[str, Value]:
        """The payment's counts and history as of its moment; it counts from now on."""
        past = self._history.history(_paid(payment))
        counts = self.count(payment)
        return {**counts, **features(payment.subject.money, past)}

    def count(self, payment: Payment) -> Mapping[str, Value]:
        """Its counts alone; it counts from now on."""
        money = payment.subject.money
        self._history.add(_paid(payment))
        return self._velocity.observe(
            velocity.Observation(
                payment_id=payment.subject.payment_id,
                at=payment.at,
                amount=money.amount,
                currency=money.currency,
                entities=payment.entities,
            )
        )

    def learn(self, label: Label) -> None:
        """It is known from now on."""
        paid = history.Paid(
            id=label.payment_id,
            at=_microseconds(label.observed_at),
            card=label.card.hex(),
            terminal=label.terminal or label.merchant,
            # Of a label, nobody asks for money.
            currency="",
            amount=0,
        )
        self._history.label(history.Label(paid, label.is_fraud, _microseconds(label.at)))


def _paid(payment: Payment) -> history.Paid:
    entities, money = payment.entities, payment.subject.money
    return history.Paid(
        id=payment.subject.payment_id,
        at=_microseconds(payment.at),
        card=entities[EntityKind.CARD].hex(),
        # Payments without a terminal share one: their merchant.
        terminal=entities.get(EntityKind.TERMINAL) or entities[EntityKind.MERCHANT],
        currency=money.currency,
        amount=money.amount,
    )


def _microseconds(moment: dt.datetime) -> int:
    return (moment - EPOCH) // MICROSECOND
