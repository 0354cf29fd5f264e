"""What payment requests look like."""

from ipaddress import IPv6Address, ip_address
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from paynexus import http
from paynexus.cards import has_card_number
from paynexus.lists.query import MILLISECOND, Asked, PaymentName
from paynexus.money import Money
from paynexus.payments.dispute import DisputeStatus
from paynexus.payments.model import Customer, Status
from paynexus.payments.service import PaymentRequest

METADATA_KEYS_LIMIT = 50
EMAIL = r"^[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f]{1,190}$"


def _fitting(metadata: dict[str, str]) -> dict[str, str]:
    if len(metadata) > METADATA_KEYS_LIMIT:
        raise ValueError(f"at most {METADATA_KEYS_LIMIT} keys")
    if any(has_card_number(key) for key in metadata):
        raise ValueError("a key looks like a card number, and none is taken here")
    return metadata


def _ip_address(written: str | None) -> str | None:
    """In its usual form: two ways to write one address are one, as counts and lists need it."""
    if written is None:
        return None
    address = ip_address(written)
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            raise ValueError("an address without a zone is wanted")
        address = address.ipv4_mapped or address
    return str(address)


# Postgres can't store NUL.
Text = Annotated[
    str, StringConstraints(pattern=f"^{http.PLAIN}+$", max_length=200), http.NoCardNumber
]
MetadataKey = Annotated[str, StringConstraints(pattern=f"^{http.PLAIN}{{1,40}}$")]
MetadataValue = Annotated[str, StringConstraints(pattern=r"^[^\x00]{0,500}$"), http.NoCardNumber]
Amount = Annotated[int, Field(gt=0, description="minor units")]


class PaymentsAsked(Asked):
    """Which payments are asked for."""

    step = MILLISECOND
    status: Status | None = None
    currency: http.Currency | None = None
    reference: Annotated[str | None, Field(min_length=1, max_length=200)] = None


class DisputesAsked(Asked):
    """Which disputes are asked for."""

    step = MILLISECOND
    status: DisputeStatus | None = None
    currency: http.Currency | None = None
    payment: PaymentName | None = None


class CustomerOrder(http.Strict):
    """Who pays."""

    id: Text | None = None
    email: (
        Annotated[
            str,
            StringConstraints(pattern=EMAIL, max_length=254),
            http.NoCardNumber,
        ]
        | None
    ) = None
    country: Annotated[str | None, StringConstraints(pattern=r"^[A-Z]{2}$")] = None
    name: Text | None = None
    ip_address: Annotated[
        str | None,
        StringConstraints(max_length=45),
        AfterValidator(_ip_address),
        Field(description="from where the customer pays: IPv4 or IPv6"),
    ] = None
    card_bin: Annotated[
        str | None,
        StringConstraints(pattern=r"^[0-9]{6}([0-9]{2})?$"),
        Field(description="the first 6 or 8 digits of the card's number, and never more"),
    ] = None

    def to_customer(self) -> Customer:
        """The customer in the product's own words."""
        return Customer(
            id=self.id,
            email=self.email,
            country=self.country,
            name=self.name,
            ip=self.ip_address,
            card_bin=self.card_bin,
        )


class PaymentOrder(http.Strict):
    """A payment to be taken once."""

    amount: Amount
    currency: http.Currency
    payment_method: Annotated[
        str,
        StringConstraints(pattern=r"^[\x21-\x7e]{1,128}$"),
        http.NoCardNumber,
        Field(description="a token"),
    ]
    capture: Literal["automatic", "manual"] = "automatic"
    reference: Text | None = None
    description: Text | None = None
    customer: CustomerOrder | None = None
    qr_code: Annotated[str, StringConstraints(max_length=128)] | None = None
    metadata: Annotated[
        dict[MetadataKey, MetadataValue],
        AfterValidator(_fitting),
        Field(
            default_factory=dict,
            json_schema_extra={"additionalProperties": False, "maxProperties": METADATA_KEYS_LIMIT},
        ),
    ]

    def to_request(self) -> PaymentRequest:
        """The order in the product's own words."""
        return PaymentRequest(
            money=Money(self.amount, self.currency),
            payment_method=self.payment_method,
            capture=self.capture,
            reference=self.reference,
            description=self.description,
            customer=self.customer.to_customer() if self.customer else None,
            qr_code=self.qr_code,
            metadata=dict(self.metadata),
        )


class CaptureOrder(http.Strict):
    """A capture; without `amount` all that is left of the authorisation."""

    amount: Amount | None = None
    final_capture: Annotated[
        bool, Field(description="true releases what is left; false keeps it for later captures")
    ] = True


class CancelOrder(http.Strict):
    """A cancel; it takes no fields."""


class ConfirmOrder(http.Strict):
    """The challenge's result, as the merchant's own check of the payer found it."""

    authentication: Literal["authenticated", "failed"]


class RefundOrder(http.Strict):
    """A refund; without `amount` all that is left."""

    amount: Amount | None = None
    reason: Text | None = None
