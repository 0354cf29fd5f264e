"""What answers about QR codes look like."""

from typing import Annotated, Literal

from pydantic import Field

from paynexus.events import data
from paynexus.qr.model import Status
from tools.export_openapi.schemas.words import Closed, Mode, Moment, one_of


class QrCode(Closed):
    """A code that one payment can spend; without `amount` the payer chooses it."""

    id: data.QrCodeText
    object: Literal["qr_code"]
    status: Annotated[str, one_of(Status)]
    payload: Annotated[str, Field(description="What the picture holds.")]
    amount: data.Amount | None
    currency: data.Currency
    reference: str | None
    usage: Literal["single"]
    expires: Moment
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
    expires: Moment
    mode: Mode
