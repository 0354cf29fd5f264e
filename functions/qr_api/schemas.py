"""What QR requests look like."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from paynexus import http
from paynexus.money import EXPONENTS, limit_of
from paynexus.qr.model import LIFETIME, LIFETIME_MAX, LIFETIME_MIN

PAYLOAD_CHARACTERS_MAX = 512


def _known_currency(currency: str) -> str:
    if currency not in EXPONENTS:
        raise ValueError("unknown currency: use an ISO 4217 code such as EUR")
    return currency


class QrCodeOrder(http.Strict):
    """A code to be made; without `amount` the customer chooses it."""

    amount: Annotated[int, Field(gt=0)] | None = None
    currency: Annotated[str, AfterValidator(_known_currency)]
    reference: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")] | None = None
    expires_in: Annotated[
        int,
        Field(
            ge=int(LIFETIME_MIN.total_seconds()),
            le=int(LIFETIME_MAX.total_seconds()),
            description="seconds",
        ),
    ] = int(LIFETIME.total_seconds())

    @model_validator(mode="after")
    def _within_limit(self) -> Self:
        if self.amount is not None and self.amount > limit_of(self.currency):
            raise ValueError(f"amount: at most {limit_of(self.currency)} in {self.currency}")
        return self


class ScanOrder(http.Strict):
    """What a camera read."""

    payload: Annotated[str, Field(min_length=1, max_length=PAYLOAD_CHARACTERS_MAX)]
