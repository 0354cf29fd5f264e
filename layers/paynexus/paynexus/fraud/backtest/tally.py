"""What two configurations decided, counted as it comes. Pure."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from paynexus.fraud.backtest.replay import Judged
from paynexus.fraud.model import EntityKind, Verdict
from paynexus.ids import MerchantId, PaymentId

LABEL_DELAY = dt.timedelta(days=60)
"""A charged payment of which nothing was heard for so long was genuine: disputes come earlier."""
EXAMPLES_MAX = 20
"""So many payments of a kind are named; all are counted."""


class Truth(StrEnum):
    """What a payment was, by hindsight."""

    FRAUD = "fraud"
    GENUINE = "genuine"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Hindsight:
    """What is known at the time of the report, for the report alone."""

    labels: Mapping[PaymentId, bool]
    """Whether it was fraud, of each payment of the period that is labelled: its latest label."""
    as_of: dt.datetime
    delay: dt.timedelta = LABEL_DELAY

    def truth_of(self, judged: Judged) -> Truth:
        """A payment that was never charged could not be disputed: unlabelled, it is unknown."""
        observed = judged.observed
        is_fraud = self.labels.get(observed.payment.subject.payment_id)
        if is_fraud is not None:
            return Truth.FRAUD if is_fraud else Truth.GENUINE
        is_old = observed.at <= self.as_of - self.delay
        return Truth.GENUINE if is_old and observed.was_charged else Truth.UNKNOWN


type Flip = tuple[Verdict, Verdict, Truth]
"""What was decided without the change and with it, of what."""


@dataclass(slots=True)
class Tally:
    """Counts of all that was judged, and what each card made of the difference."""

    hindsight: Hindsight
    counts: Counter[Flip] = field(default_factory=Counter)
    amounts: Counter[tuple[str, Verdict, Verdict, Truth]] = field(default_factory=Counter)
    """In minor units, by currency first."""
    genuine: dict[MerchantId, Counter[tuple[bool, bool]]] = field(
        default_factory=lambda: defaultdict(Counter)
    )
    """By merchant: genuine payments by whether they were held up, without the change and with."""
    differences: dict[str, Counter[bytes]] = field(default_factory=lambda: defaultdict(Counter))
    """By currency: money kept less money lost with each card."""
    examples: dict[Flip, list[PaymentId]] = field(default_factory=lambda: defaultdict(list))
    cards: set[bytes] = field(default_factory=set)
    without_payer: int = 0
    errors_base: int = 0
    errors_candidate: int = 0

    def add(self, judged: Judged) -> None:
        """The payment is counted."""
        base, candidate = judged.base.verdict, judged.candidate.verdict
        payment = judged.observed.payment
        subject, card = payment.subject, payment.entities[EntityKind.CARD]
        truth = self.hindsight.truth_of(judged)
        self.counts[base, candidate, truth] += 1
        self.amounts[subject.money.currency, base, candidate, truth] += subject.money.amount
        self.cards.add(card)
        self.without_payer += not judged.observed.is_payer_kept
        self.errors_base += judged.base.errors > 0
        self.errors_candidate += judged.candidate.errors > 0
        if truth is Truth.GENUINE:
            self.genuine[subject.merchant_id][is_held_up(base), is_held_up(candidate)] += 1
        if base is not candidate:
            self._differs(judged, truth)

    def _differs(self, judged: Judged, truth: Truth) -> None:
        base, candidate = judged.base.verdict, judged.candidate.verdict
        subject = judged.observed.payment.subject
        card = judged.observed.payment.entities[EntityKind.CARD]
        kept = subject.money.amount * _SIGN[truth] * (is_stopped(candidate) - is_stopped(base))
        self.differences[subject.money.currency][card] += kept
        named = self.examples[base, candidate, truth]
        if len(named) < EXAMPLES_MAX:
            named.append(subject.payment_id)


_SIGN = {Truth.FRAUD: 1, Truth.GENUINE: -1, Truth.UNKNOWN: 0}
"""What stopping such a payment does to the merchant's money."""


def is_stopped(verdict: Verdict) -> bool:
    """Nobody pays. Who would have passed a challenge isn't known: it stops nothing here."""
    return verdict is Verdict.BLOCK


def is_held_up(verdict: Verdict) -> bool:
    """The payer was asked or refused."""
    return verdict is not Verdict.ALLOW
