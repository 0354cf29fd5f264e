"""What QR requests look like."""

from typing import Annotated

from pydantic import Field, StringConstraints, ValidationInfo, field_validator

from paynexus import http
from paynexus.money import limit_of
from paynexus.qr.model import LIFETIME, LIFETIME_MAX, LIFETIME_MIN

PAYLOAD_CHARACTERS_MAX = 512


class QrCodeOrder(http.Strict):
    """A code to be made; without `amount` the customer chooses it."""

    # Before the amount, whose limit it decides: fields are judged in this order.
    currency: http.Currency
    amount: Annotated[int, Field(gt=0)] | None = None
    reference: (
        Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,200}$"), http.NoCardNumber]
        | None
    ) = None
    expires_in: Annotated[
        int,
        Field(
            ge=int(LIFETIME_MIN.total_seconds()),
            le=int(LIFETIME_MAX.total_seconds()),
            description="seconds",
        ),
    ] = int(LIFETIME.total_seconds())

    @field_validator("amount")
    @classmethod
    def _within_limit(cls, amount: int | None, info: ValidationInfo) -> int | None:
        currency = info.data.get("currency")
        if amount is not None and currency is not None and amount > limit_of(currency):
            raise ValueError(f"at most {limit_of(currency)} in {currency}")
        return amount


class ScanOrder(http.Strict):
    """What a camera read."""

    payload: Annotated[str, Field(min_length=1, max_length=PAYLOAD_CHARACTERS_MAX)]
