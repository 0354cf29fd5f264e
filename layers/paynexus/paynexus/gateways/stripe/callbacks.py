"""Stripe's callbacks: whose they are, and what they say of which operation. Pure."""

import datetime as dt
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256

from paynexus.errors import InvalidRequest, Unauthenticated
from paynexus.gateways.port import Result
from paynexus.gateways.stripe import answers

TOLERANCE = dt.timedelta(minutes=5)
"""How old, or how far ahead, a signature may be: an old one may be replayed."""

_UNIX_TIME = re.compile(r"[0-9]{1,12}")
_READERS = {"payment_intent": answers.charged, "refund": answers.refunded}


def read_callback(
    body: bytes, signature: str, *, secrets: Sequence[str], now: dt.datetime
) -> tuple[str, Result] | None:
    """The reference that an event speaks of, and what it says; None where it is of none of ours.

    Events come late, twice and out of order: what they say is a reason to inquire, and UNKNOWN
    where they don't say enough. Raises Unauthenticated unless one of `secrets` signed it within
    TOLERANCE of `now`, InvalidRequest for what Stripe wouldn't sign.
    """
    _verify(body, signature, secrets, now)
    thing = _object_of(body)
    reader = _READERS.get(str(thing.get("object")))
    reference = answers.reference_of(thing)
    if reader is None or reference is None:
        return None
    return reference, reader(thing)


def _verify(body: bytes, signature: str, secrets: Sequence[str], now: dt.datetime) -> None:
    pairs = [part.strip().partition("=") for part in signature.split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    given = [value for name, _, value in pairs if name == "v1"]
    if len(times) != 1 or not _UNIX_TIME.fullmatch(times[0]):
        raise Unauthenticated("The callback carries no signature that can be read.")
    signed = times[0].encode() + b"." + body
    expected = [hmac.new(secret.encode(), signed, sha256).hexdigest() for secret in secrets]
    matches = [hmac.compare_digest(a.encode(), b.encode()) for a in expected for b in given]
    if not any(matches):
        raise Unauthenticated("The callback's signature is not Stripe's.")
    if abs(now.timestamp() - int(times[0])) > TOLERANCE.total_seconds():
        raise Unauthenticated("The callback's signature is too old, or of a time to come.")


def _object_of(body: bytes) -> Mapping[str, object]:
    try:
        event = json.loads(body)
        thing = event["data"]["object"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidRequest("The callback is no event of Stripe's.") from error
    if not isinstance(thing, dict):
        raise InvalidRequest("The callback is no event of Stripe's.")
    return thing
