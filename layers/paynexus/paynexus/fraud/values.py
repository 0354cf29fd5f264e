"""A payment's features: the values that rules and models read. Pure."""

from collections.abc import Mapping

from paynexus.fraud.features import FEATURES, PRESENCE
from paynexus.fraud.model import Subject, Value, normal_email
from paynexus.fraud.policy import Limits


def values_of(subject: Subject, limits: Limits, *gathered: Mapping[str, Value]) -> dict[str, Value]:
    """Every feature of the catalogue by its name: None for what isn't known.

    `gathered` are the counts and the history, as far as they could be had.
    """
    known: dict[str, Value] = {**_of_payment(subject), **_of_limits(limits)}
    for values in gathered:
        known |= values
    return {name: _value(name, known) for name in FEATURES}


def _value(name: str, known: Mapping[str, Value]) -> Value:
    about = name.removeprefix(PRESENCE)
    if about != name and name not in known:
        return known.get(about) is not None
    return known.get(name)


def _of_payment(subject: Subject) -> dict[str, Value]:
    email = normal_email(subject.email) if subject.email else None
    return {
        "amount": subject.money.amount,
        "currency": subject.money.currency,
        "hour": subject.created_at.hour,
        "weekday": subject.created_at.isoweekday(),
        "country": subject.country,
        "email_domain": email.rpartition("@")[2] if email else None,
        "card_bin": subject.card_bin,
        "is_qr": subject.qr_code_id is not None,
    }


def _of_limits(limits: Limits) -> dict[str, Value]:
    return {
        "challenge_above": limits.challenge_above_minor,
        "block_above": limits.block_above_minor,
        "max_payments_per_hour": limits.max_payments_per_hour,
    }
