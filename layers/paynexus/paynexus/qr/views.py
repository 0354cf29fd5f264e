"""QR codes and scans, as merchants read them."""

import datetime as dt
from decimal import Decimal

from paynexus import ids
from paynexus.money import EXPONENTS
from paynexus.qr.model import QrCode, Scan


def resource(code: QrCode, *, now: dt.datetime) -> dict[str, object]:
    """The code as the API shows it."""
    return {
        "id": ids.text("qr", code.id),
        "object": "qr_code",
        "status": code.status(now),
        "payload": code.payload,
        **_asked_for(code),
        "usage": code.usage,
        "expires": code.expires_at.isoformat() if code.expires_at else None,
        "scanned": code.scanned_at.isoformat() if code.scanned_at else None,
        "payment": ids.text("pay", code.payment_id) if code.payment_id else None,
        "mode": code.mode,
        "created": code.created_at.isoformat(),
    }


def scan_resource(scan: Scan, *, merchant_name: str) -> dict[str, object]:
    """What the payer is shown, and the token that POST /payments spends."""
    return {
        "object": "qr_scan",
        "qr_code": scan.token,
        "id": ids.text("qr", scan.code.id),
        "merchant": {"id": ids.text("mer", scan.code.merchant_id), "name": merchant_name},
        **_asked_for(scan.code),
        "usage": scan.code.usage,
        "expires": scan.expires_at.isoformat(),
        "mode": scan.code.mode,
    }


def asked_in_words(code: QrCode) -> str:
    """What a poster says under the code: `12.50 EUR` and the reference, or to enter the amount."""
    if code.amount is None:
        return code.reference or f"Scan, enter the amount in {code.currency}, pay"
    amount = Decimal(code.amount).scaleb(-EXPONENTS[code.currency])
    words = f"{amount:f} {code.currency}"
    return f"{words} · {code.reference}" if code.reference else words


def _asked_for(code: QrCode) -> dict[str, object]:
    money = None
    if code.amount is not None:
        money = {"amount": code.amount, "currency": code.currency}
    return {"amount": money, "currency": code.currency, "reference": code.reference}
