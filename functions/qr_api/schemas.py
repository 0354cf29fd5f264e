"""What QR requests look like."""

import datetime as dt
from typing import Annotated, Self

from pydantic import Field, StringConstraints, ValidationInfo, field_validator, model_validator

from paynexus import http
from paynexus.money import limit_of
from paynexus.qr.model import LIFETIME, LIFETIME_MAX, LIFETIME_MIN, Order, Usage

PAYLOAD_CHARACTERS_MAX = 512

Seconds = Annotated[
    int,
    Field(
        ge=int(LIFETIME_MIN.total_seconds()),
        le=int(LIFETIME_MAX.total_seconds()),
        description="seconds; without it a single code lives five minutes, a static one for ever",
    ),
]


class QrCodeOrder(http.Strict):
    """A code to be made; without `amount` the customer chooses it."""

    # Before the amount, whose limit it decides: fields are judged in this order.
    currency: http.Currency
    amount: Annotated[int, Field(gt=0, description="minor units")] | None = None
    # Strict models take no text for an enum; JSON has nothing else.
    usage: Annotated[Usage, Field(strict=False)] = Usage.SINGLE
    reference: (
        Annotated[str, StringConstraints(pattern=f"^{http.PLAIN}{{1,200}}$"), http.NoCardNumber]
        | None
    ) = None
    expires_in: Seconds | None = None

    @field_validator("amount")
    @classmethod
    def _within_limit(cls, amount: int | None, info: ValidationInfo) -> int | None:
        currency = info.data.get("currency")
        if amount is not None and currency is not None and amount > limit_of(currency):
            raise ValueError(f"at most {limit_of(currency)} in {currency}")
        return amount

    @model_validator(mode="after")
    def _static_without_amount(self) -> Self:
        if self.usage is Usage.STATIC and self.amount is not None:
            raise ValueError("amount: with usage static the customer enters it")
        return self

    def to_order(self) -> Order:
        """The order in the product's own words."""
        lifetime = LIFETIME if self.usage is Usage.SINGLE else None
        if self.expires_in is not None:
            lifetime = dt.timedelta(seconds=self.expires_in)
        return Order(self.usage.value, self.amount, self.currency, self.reference, lifetime)


class ScanOrder(http.Strict):
    """What a camera read."""

    payload: Annotated[str, Field(min_length=1, max_length=PAYLOAD_CHARACTERS_MAX)]
