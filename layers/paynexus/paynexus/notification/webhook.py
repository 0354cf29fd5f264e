"""Standard Webhooks 1.0: what a message says, how it is signed, what an answer means."""

import base64
import datetime as dt
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from enum import StrEnum

SECRET_PREFIX = "whsec_"  # noqa: S105 - the prefix of secrets is none itself
SECRET_BYTES = 32
USER_AGENT = "PayNexus-Webhooks/1.0"
GONE = 410


class Verdict(StrEnum):
    """What an attempt means for its delivery."""

    ACCEPTED = "accepted"
    FAILED = "failed"
    GONE = "gone"


def new_secret() -> str:
    """A fresh signing secret, as its merchant keeps it."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def canonical_json(envelope: Mapping[str, object]) -> bytes:
    """The one way an event is written, so that each attempt carries the same bytes."""
    text = json.dumps(envelope, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def headers(
    *, message_id: str, timestamp: dt.datetime, body: bytes, secrets_: Sequence[str]
) -> dict[str, str]:
    """What goes with `body`: one signature for each secret, the newest first.

    While a secret is being rotated both sign, so that a receiver may change over at its ease.
    """
    seconds = str(int(timestamp.timestamp()))
    signatures = (_signature(message_id, seconds, body, secret) for secret in secrets_)
    return {
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "webhook-id": message_id,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(signatures),
    }


def _signature(message_id: str, seconds: str, body: bytes, secret: str) -> str:
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    signed = b".".join((message_id.encode(), seconds.encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def verdict(status_code: int | None) -> Verdict:
    """Only 2xx is success; 410 asks for no more; redirects and silence are failures."""
    if status_code is None:
        return Verdict.FAILED
    if status_code == GONE:
        return Verdict.GONE
    return Verdict.ACCEPTED if 200 <= status_code <= 299 else Verdict.FAILED  # noqa: PLR2004
