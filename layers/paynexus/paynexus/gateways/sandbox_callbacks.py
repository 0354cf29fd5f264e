"""The sandbox acquirer's callbacks, as docs/sandbox.md describes them. Pure.

`Acquirer-Signature: t=1795348800,v1=<hex>`, where the hexadecimal part is the HMAC-SHA256 of
`<t>.<body>`: with the time in the signed text, what was overheard is of no use for long.
"""

import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any

from paynexus import jsontext
from paynexus.errors import PayNexusError, SignatureRefused
from paynexus.gateways.port import DisputeWord, Operation, Outcome, Word

SIGNATURE_HEADER = "acquirer-signature"
TOLERANCE = dt.timedelta(minutes=5)
"""How far the time of a signature may be from ours, either way."""
TEXT_LENGTH_LIMIT = 200
"""Characters of an id or reference; longer ones are none of the acquirer's."""

_SIGNATURE = re.compile(r"t=(?P<time>[0-9]{1,12}),v1=(?P<digest>[0-9a-f]{64})")
_OUTCOMES = {
    "approved": Outcome.APPROVED,
    "declined": Outcome.DECLINED,
    "processing": Outcome.UNKNOWN,
}


def signature_of(body: str, *, key: str, at: dt.datetime) -> str:
    """The header's value for a body signed at that moment."""
    seconds = str(int(at.timestamp()))
    return f"t={seconds},v1={_digest(seconds, body, key)}"


def verify(headers: Mapping[str, str], body: str, *, key: str, now: dt.datetime) -> None:
    """Raise SignatureRefused for what the acquirer did not sign within five minutes of now."""
    found = _SIGNATURE.fullmatch(headers.get(SIGNATURE_HEADER) or "")
    if found is None:
        raise SignatureRefused("Send Acquirer-Signature: t=<seconds>,v1=<hexadecimal>.")
    if not hmac.compare_digest(_digest(found["time"], body, key), found["digest"]):
        raise SignatureRefused("The signature is not the gateway's.")
    if abs(now.timestamp() - int(found["time"])) > TOLERANCE.total_seconds():
        raise SignatureRefused("The signature is not of now.")


def id_of(body: str) -> str | None:
    """The callback's id; None without one."""
    return _text(_object(body).get("id"))


def read(body: str) -> Word | DisputeWord | None:
    """What the acquirer says of an operation or a dispute; None for what it would not say so."""
    dispute_id = _text(_object(_object(body).get("dispute")).get("id"))
    return DisputeWord(dispute_id) if dispute_id else _read_operation(body)


def _read_operation(body: str) -> Word | None:
    said = _object(_object(body).get("operation"))
    operation, reference = _text(said.get("operation")), _text(said.get("reference"))
    outcome = _OUTCOMES.get(_text(said.get("status")) or "")
    amount, currency = said.get("amount"), said.get("currency")
    if operation not in set(Operation) or reference is None or outcome is None:
        return None
    if not (amount is None or type(amount) is int) or not isinstance(currency, str | None):
        return None
    return Word(operation, reference, outcome, amount, currency)


def _digest(seconds: str, body: str, key: str) -> str:
    signed = f"{seconds}.{body}".encode("utf-8", "surrogatepass")
    return hmac.new(key.encode(), signed, hashlib.sha256).hexdigest()


def _object(value: object) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value = jsontext.parse(value)
        except PayNexusError:
            return {}
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    fits = isinstance(value, str) and 0 < len(value) <= TEXT_LENGTH_LIMIT and value.isprintable()
    return value if fits and isinstance(value, str) else None
