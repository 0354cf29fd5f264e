"""The words of fraud: who pays, what spoke against it, and what follows. Pure."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b

from paynexus.ids import MerchantId, PaymentId, QrCodeId
from paynexus.money import Money

type Value = bool | int | float | str | None
"""What a feature may be; None means that it isn't known."""

ENTITY_BYTES = 16
"""Length of an entity's name: two of them never meet by chance."""


class Verdict(StrEnum):
    """What happens to the payment, mildest first."""

    ALLOW = "ALLOW"
    CHALLENGE = "CHALLENGE"
    BLOCK = "BLOCK"


class Action(StrEnum):
    """What a rule, a list or a score asks for, in the order in which it is heeded."""

    ALLOW = "allow"
    """Only lists ask for it: whatever else speaks against the payment is recorded, no more."""
    BLOCK = "block"
    CHALLENGE = "challenge"
    REVIEW = "review"
    """The payment goes on, and a person looks at it."""


class Source(StrEnum):
    """Where a hit comes from, in the order in which they are asked."""

    LIST = "list"
    RULE = "rule"
    SCORE = "score"
    POLICY = "policy"


class EntityKind(StrEnum):
    """What payments have in common."""

    CARD = "card"
    CUSTOMER = "customer"
    EMAIL = "email"
    IP = "ip"
    MERCHANT = "merchant"
    TERMINAL = "terminal"


type Entities = Mapping[EntityKind, bytes]
"""The payment's entities by kind, each as `ENTITY_BYTES` bytes; a kind that isn't known is
absent. CARD and MERCHANT are always there."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The payment to be judged, with what its merchant says of the payer."""

    payment_id: PaymentId
    merchant_id: MerchantId
    mode: str
    money: Money
    fingerprint: str
    created_at: dt.datetime
    customer_id: str | None = None
    email: str | None = None
    name: str | None = None
    ip: str | None = None
    country: str | None = None
    card_bin: str | None = None
    """The card number's first six or eight digits: who issued it, never whose it is."""
    qr_code_id: QrCodeId | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that spoke about the payment, with what it rested on."""

    source: Source
    id: str
    """Of the list's entry, the rule's version, the model's version, or the policy's clause."""
    code: str
    action: Action
    detail: str
    """For the merchant to read: no personal data."""
    is_platform: bool = True
    is_shadow: bool = False
    """It is counted and recorded, and decides nothing."""
    quality: float | None = None
    """Of a list's match by name: 0 to 100."""
    seen: Mapping[str, Value] = field(default_factory=dict)
    """The features that it read, and their values."""


def entity(mode: str, merchant_id: MerchantId, kind: EntityKind, value: str) -> bytes:
    """The name of what payments of one merchant and mode have in common, without its value.

    Another merchant's, and the other mode's, have other names: neither ever counts for this one.
    """
    text = f"{mode}\0{merchant_id.hex}\0{kind}\0{value}"
    return blake2b(text.encode(), digest_size=ENTITY_BYTES).digest()


def entities_of(subject: Subject) -> dict[EntityKind, bytes]:
    """The payment's entities: card and merchant always, the others as far as they are known."""
    values: dict[EntityKind, str | None] = {
        EntityKind.CARD: subject.fingerprint,
        EntityKind.CUSTOMER: subject.customer_id,
        EntityKind.EMAIL: normal_email(subject.email) if subject.email else None,
        EntityKind.IP: subject.ip,
        EntityKind.MERCHANT: subject.merchant_id.hex,
        EntityKind.TERMINAL: subject.qr_code_id.hex if subject.qr_code_id else None,
    }
    return {
        kind: entity(subject.mode, subject.merchant_id, kind, value)
        for kind, value in values.items()
        if value is not None
    }


def normal_email(email: str) -> str:
    """The address in the form in which it is counted: upper and lower case are one."""
    return email.strip().lower()
