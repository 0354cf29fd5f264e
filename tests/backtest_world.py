"""Payments and labels as moments, and small judges over them, for tests of back-tests."""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from paynexus.fraud.backtest.replay import Judgement, Label, Observed, Payment
from paynexus.fraud.model import EntityKind, Subject, Value, Verdict, entities_of
from paynexus.ids import MerchantId, PaymentId
from paynexus.money import Money

START = dt.datetime(2026, 8, 1, tzinfo=dt.UTC)
MERCHANT = MerchantId(UUID(int=1))


def paid(
    number: int,
    *,
    minutes: float = 0,
    amount: int = 1_000,
    card: str = "card",
    merchant: MerchantId = MERCHANT,
    currency: str = "EUR",
    was_charged: bool = True,
) -> Observed:
    """Payment `number`, so many minutes after START."""
    subject = Subject(
        payment_id=PaymentId(UUID(int=number)),
        merchant_id=merchant,
        mode="test",
        money=Money(amount, currency),
        fingerprint=card,
        created_at=START + dt.timedelta(minutes=minutes),
    )
    return Observed(Payment(subject, entities_of(subject)), was_charged)


def labelled(payment: Observed, *, minutes: float, is_fraud: bool = True) -> Label:
    """It becomes known, so many minutes after START."""
    return Label(
        at=START + dt.timedelta(minutes=minutes),
        payment_id=payment.payment.subject.payment_id,
        is_fraud=is_fraud,
        card=payment.payment.entities[EntityKind.CARD],
        terminal=None,
        merchant=payment.payment.entities[EntityKind.MERCHANT],
        observed_at=payment.at,
    )


@dataclass
class Cards:
    """What a card did before: how often it paid, and in how many frauds, as known by now."""

    payments: Counter[bytes] = field(default_factory=Counter)
    frauds: Counter[bytes] = field(default_factory=Counter)

    def observe(self, payment: Payment) -> Mapping[str, Value]:
        """Of the payment's card, this payment included."""
        card = payment.entities[EntityKind.CARD]
        self.payments[card] += 1
        return {"payments": self.payments[card], "frauds": self.frauds[card]}

    count = observe

    def learn(self, label: Label) -> None:
        """A fraud of the card is known."""
        self.frauds[label.card] += label.is_fraud


@dataclass(frozen=True)
class Rule:
    """Blocks what it is true of."""

    is_hit: Callable[[Payment, Mapping[str, Value]], bool]
    verdict: Verdict = Verdict.BLOCK

    def judge(self, payment: Payment, features: Mapping[str, Value]) -> Judgement:
        """By the payment and its features alone."""
        return Judgement(self.verdict if self.is_hit(payment, features) else Verdict.ALLOW)
