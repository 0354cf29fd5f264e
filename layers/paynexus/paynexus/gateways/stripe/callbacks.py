"""Stripe's callbacks: whose they are, and what they say of which operation. Pure.

Events come late, twice and out of order: what they say is a reason to inquire.
"""

import datetime as dt
import hmac
import re
from collections.abc import Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import Any

from paynexus import jsontext
from paynexus.errors import PayNexusError, SignatureRefused
from paynexus.gateways.port import DisputeWord, Operation, Outcome, Word
from paynexus.gateways.stripe import answers
from paynexus.gateways.stripe.amounts import minor_of

SIGNATURE_HEADER = "stripe-signature"
TOLERANCE = dt.timedelta(minutes=5)
"""How old, or how far ahead, a signature may be: an old one may be replayed."""
OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        "chg": Operation.CHARGE,
        "cap": Operation.CAPTURE,
        "can": Operation.CANCEL,
        "off": Operation.CANCEL,
        "ref": Operation.REFUND,
    }
)
"""What our references speak of, by how they begin."""

_DISPUTE = re.compile(r"d[pu]_[A-Za-z0-9]{1,64}")
_UNIX_TIME = re.compile(r"[0-9]{1,12}")


def verify(headers: Mapping[str, str], body: str, *, key: str, now: dt.datetime) -> None:
    """Raise SignatureRefused for what Stripe did not sign within five minutes of now.

    `key` holds the endpoint's secrets, several by commas while one is rolled.
    """
    pairs = [part.strip().partition("=") for part in headers.get(SIGNATURE_HEADER, "").split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    given = [value for name, _, value in pairs if name == "v1"]
    if len(times) != 1 or not _UNIX_TIME.fullmatch(times[0]):
        raise SignatureRefused("Send Stripe-Signature: t=<seconds>,v1=<hexadecimal>.")
    signed = f"{times[0]}.{body}".encode("utf-8", "surrogatepass")
    secrets = [secret.strip() for secret in key.split(",") if secret.strip()]
    expected = [hmac.new(secret.encode(), signed, sha256).hexdigest() for secret in secrets]
    matches = [hmac.compare_digest(a.encode(), b.encode()) for a in expected for b in given]
    if not any(matches):
        raise SignatureRefused("The signature is not Stripe's.")
    if abs(now.timestamp() - int(times[0])) > TOLERANCE.total_seconds():
        raise SignatureRefused("The signature is not of now.")


def id_of(body: str) -> str | None:
    """The event's id; None without one."""
    found = _parsed(body).get("id")
    return found if isinstance(found, str) and found.startswith("evt_") else None


def read(body: str) -> Word | DisputeWord | None:
    """What Stripe says of one operation or dispute; None for what is none of ours, or unclear."""
    data = _parsed(body).get("data")
    thing = data.get("object") if isinstance(data, dict) else None
    if not isinstance(thing, dict):
        return None
    if thing.get("object") == "dispute":
        return _dispute_word(thing.get("id"))
    reference, outcome, amount = _said(thing)
    operation = OPERATIONS.get((reference or "").partition("_")[0])
    currency = thing.get("currency")
    if reference is None or operation is None or not isinstance(currency, str):
        return None
    currency = currency.upper()
    minor = minor_of(amount, currency) if type(amount) is int else None
    return None if minor is None else Word(operation, reference, outcome, minor, currency)


def _dispute_word(own_id: object) -> DisputeWord | None:
    is_one = isinstance(own_id, str) and _DISPUTE.fullmatch(own_id)
    return DisputeWord(str(own_id)) if is_one else None


def _said(thing: Mapping[str, Any]) -> tuple[str | None, Outcome, object]:
    if thing.get("object") == "refund":
        outcome = answers.refunded(thing).outcome
        return answers.reference_of(thing), outcome, thing.get("amount")
    if thing.get("object") != "payment_intent":
        return None, Outcome.UNKNOWN, None
    capture = answers.reference_of(thing, answers.CAPTURE_REFERENCE)
    if capture is not None and thing.get("status") == "succeeded":
        return capture, Outcome.APPROVED, thing.get("amount_received")
    return answers.reference_of(thing), answers.charged(thing).outcome, thing.get("amount")


def _parsed(body: str) -> Mapping[str, Any]:
    try:
        event = jsontext.parse(body)
    except PayNexusError:
        return {}
    return event if isinstance(event, dict) else {}
