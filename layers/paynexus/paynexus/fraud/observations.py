"""The log of payments that velocity counts, histories tell and back-tests replay. Pure."""

from paynexus.fraud.model import EntityKind, Subject, entities_of

COLUMNS = (
    EntityKind.CARD,
    EntityKind.CUSTOMER,
    EntityKind.EMAIL,
    EntityKind.IP,
    EntityKind.TERMINAL,
)
"""The entities that an observation names, in the order of its columns; its merchant apart."""


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
        *(entities.get(kind) for kind in COLUMNS),
    )
