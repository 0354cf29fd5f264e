"""The log of payments that velocity counts, histories tell and back-tests replay. Pure."""

from paynexus.fraud.model import Subject, entities_of
from paynexus.fraud.velocity.reference import Observation
from paynexus.fraud.velocity.windows import LOGGED


def row_of(subject: Subject) -> tuple[object, ...]:
    """The payment's row of `fraud_observations`, written as it is accepted."""
    entities = entities_of(subject)
    return (
        subject.payment_id,
        subject.merchant_id,
        subject.mode,
        subject.created_at,
        subject.money.amount,
        subject.money.currency,
        *(entities.get(kind) for kind in LOGGED),
    )


def observation_of(subject: Subject) -> Observation:
    """The payment as velocity counts it."""
    return Observation(
        payment_id=subject.payment_id,
        at=subject.created_at,
        amount=subject.money.amount,
        currency=subject.money.currency,
        entities=entities_of(subject),
    )
