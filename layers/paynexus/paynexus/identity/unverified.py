"""A token in compact form (RFC 7515, 7.1) taken apart, before anything that it says is believed."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paynexus import jsontext
from paynexus.errors import InvalidRequest, RequestTooLarge

TOKEN_CHARACTERS_MAX = 8_192
"""Our own are half as long at most; others know more of their subjects."""
_PARTS = 3


class Refused(ValueError):
    """A token is not accepted; the message is ours, and quotes nothing of the token."""


@dataclass(frozen=True, slots=True)
class UnverifiedToken:
    """A token taken apart. Nothing that it says is true yet."""

    text: str
    header: Mapping[str, Any]
    claims: Mapping[str, Any]

    @property
    def issuer(self) -> object:
        """Who the token says made it: reason to ask that one's keys, and for nothing else."""
        return self.claims.get("iss")


def unverified(text: str) -> UnverifiedToken:
    """The token's parts, in the one spelling that RFC 7515 has for them; Refused otherwise."""
    if len(text) > TOKEN_CHARACTERS_MAX:
        raise Refused("too long")
    parts = text.split(".")
    if len(parts) != _PARTS:
        raise Refused("not three parts")
    header, claims, _ = [_decoded(part) for part in parts]
    return UnverifiedToken(text, _object(header), _object(claims))


def _decoded(part: str) -> bytes:
    # base64 decoders forgive stray bits and bytes; one token has exactly one spelling here.
    try:
        value = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (ValueError, binascii.Error):
        raise Refused("not base64url") from None
    if base64.urlsafe_b64encode(value).rstrip(b"=").decode() != part:
        raise Refused("not base64url as RFC 7515 writes it")
    return value


def _object(content: bytes) -> dict[str, Any]:
    try:
        value = jsontext.parse(content.decode())
    except (UnicodeDecodeError, InvalidRequest, RequestTooLarge):
        raise Refused("no JSON, or JSON that parsers disagree about") from None
    if not isinstance(value, dict):
        raise Refused("no JSON object")
    return value
