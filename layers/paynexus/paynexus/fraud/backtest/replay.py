"""The past, once more, in its order. Pure.

Moments are pushed one at a time into what counts and remembers; a payment is decided before the
next moment is looked at. What computes features holds no reference to the moments, so it can't
look ahead, whatever it does.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from paynexus.fraud.lists.model import Candidate
from paynexus.fraud.model import Entities, Subject, Value, Verdict
from paynexus.ids import PaymentId


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment as it was judged: what its merchant said of the payer, as far as it is kept."""

    subject: Subject
    entities: Entities
    """From the log: they outlive the payer's erasure."""
    listed: tuple[Candidate, ...] = ()
    """What the lists of today may say of it."""

    @property
    def at(self) -> dt.datetime:
        """When it came."""
        return self.subject.created_at


@dataclass(frozen=True, slots=True)
class Label:
    """It became known at this moment that a payment was fraud, or that it wasn't."""

    at: dt.datetime
    payment_id: PaymentId
    is_fraud: bool
    card: bytes
    terminal: bytes | None
    merchant: bytes
    observed_at: dt.datetime
    """When the payment came."""


@dataclass(frozen=True, slots=True)
class Observed:
    """A payment, and beside it what is known of its end by hindsight.

    The latter is for the report: it is handed neither to features nor to judges.
    """

    payment: Payment
    was_charged: bool
    is_payer_kept: bool = True

    @property
    def at(self) -> dt.datetime:
        """When the payment came."""
        return self.payment.at


type Moment = Observed | Label


class FeatureReplay(Protocol):
    """What is known at the present moment, and nothing of any later one."""

    def observe(self, payment: Payment) -> Mapping[str, Value]:
        """The payment's features, from earlier moments and itself; it counts from now on."""

    def count(self, payment: Payment) -> object:
        """It counts from now on; nobody asks for its features."""

    def learn(self, label: Label) -> None:
        """It is known from now on."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was decided, and how many rules erred on the way."""

    verdict: Verdict
    errors: int = 0


class Judge(Protocol):
    """Lists, rules, a model and a policy, in one configuration."""

    def judge(self, payment: Payment, features: Mapping[str, Value]) -> Judgement:
        """What this configuration decides; it remembers nothing of the payment."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One payment, decided twice on the same features."""

    observed: Observed
    base: Judgement
    candidate: Judgement


class OutOfOrder(ValueError):
    """A moment came after a later one: what follows would know the future."""


def replay(
    moments: Iterable[Moment],
    *,
    features: FeatureReplay,
    base: Judge,
    candidate: Judge,
    since: dt.datetime,
) -> Iterator[Judged]:
    """Each payment from `since` on, decided as of its moment; earlier ones are only counted.

    Lazy: a payment's decisions are handed out before the moment after it is asked for. Raises
    OutOfOrder unless the moments come by their time.
    """
    for moment in in_order(moments):
        if isinstance(moment, Label):
            features.learn(moment)
            continue
        payment = moment.payment
        if payment.at < since:
            features.count(payment)
        else:
            seen = features.observe(payment)
            yield Judged(moment, base.judge(payment, seen), candidate.judge(payment, seen))


def in_order(moments: Iterable[Moment]) -> Iterator[Moment]:
    """The moments as they come; OutOfOrder for one that lies before the one handed out last."""
    latest: dt.datetime | None = None
    for moment in moments:
        if latest is not None and moment.at < latest:
            raise OutOfOrder(f"a moment of {moment.at} came after one of {latest}")
        latest = moment.at
        yield moment
