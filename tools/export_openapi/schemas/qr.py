"""What answers about QR codes look like."""

from typing import Annotated, Literal

from pydantic import Field

from paynexus.events import data
from paynexus.qr.model import Status, Usage
from tools.export_openapi.schemas.words import Closed, Mode, Moment, one_of


class QrCode(Closed):
    """A code that one payment can spend, or many; without `amount` the payer chooses it."""

    id: data.QrCodeText
    object: Literal["qr_code"]
    status: Annotated[str, one_of(Status)]
    payload: Annotated[str, Field(description="What the picture holds.")]
    amount: data.Amount | None
    currency: data.Currency
    reference: str | None
    usage: Annotated[str, one_of(Usage)]
    expires: Annotated[Moment | None, Field(description="Null for a code without end.")]
    scanned: Moment | None
    payment: data.PaymentText | None
    mode: Mode
    created: Moment


class Payee(Closed):
    """Who is paid."""

    id: data.MerchantText
    name: str


class QrScan(Closed):
    """What the payer is shown, and the token that a payment spends."""

    object: Literal["qr_scan"]
    qr_code: Annotated[str, Field(description="The token for `qr_code` of a payment.")]
    id: data.QrCodeText
    merchant: Payee
    amount: data.Amount | None
    currency: data.Currency
    reference: str | None
    usage: Annotated[str, one_of(Usage)]
    expires: Annotated[Moment, Field(description="When the token ends.")]
    mode: Mode


class QrKey(Closed):
    """A key that QR codes are verified with (RFC 8037)."""

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    x: str
    kid: Annotated[str, Field(pattern="^[0-9a-f]{8}$", description="As codes name it.")]
    use: Literal["sig"]
    alg: Literal["EdDSA"]


class QrKeys(Closed):
    """Every key that may have signed a code that is still good."""

    keys: list[QrKey]
