"""What a foreign issuer is, and which addresses and texts may name one."""

import hashlib
import ipaddress
import re
from dataclasses import dataclass
from typing import Any

from paynexus.ids import MerchantId

TEXT_CHARACTERS_MAX = 255
"""Of an issuer, an audience and a subject: OpenID Connect Core, 2, allows a `sub` no more."""
URL_CHARACTERS_MAX = 2_048
DIGEST_DIGITS = 32
"""128 bits, in hexadecimal: nobody finds a second subject with the same client id."""

# Narrower than RFC 3986: no user, no fragment, nothing that two parsers could read differently.
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?"
    r"(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?(?P<query>\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?"
)


@dataclass(frozen=True, slots=True)
class TokenIssuer:
    """An issuer's tokens for `audience` act for this merchant in this mode, with these scopes."""

    issuer: str
    audience: str
    merchant_id: MerchantId
    mode: str
    jwks_url: str
    scopes: list[str]


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key and the one algorithm that it verifies."""

    kid: str
    algorithm: str
    key: Any


def is_issuer(text: object) -> bool:
    """Whether `text` can name an issuer: a safe address without a query."""
    return (
        isinstance(text, str) and len(text) <= TEXT_CHARACTERS_MAX and _is_safe(text, query=False)
    )


def is_jwks_url(text: object) -> bool:
    """Whether keys may be fetched from `text`."""
    return isinstance(text, str) and len(text) <= URL_CHARACTERS_MAX and _is_safe(text, query=True)


def is_plain(text: object) -> bool:
    """Whether `text` is a printable text that is neither empty nor long."""
    return isinstance(text, str) and 0 < len(text) <= TEXT_CHARACTERS_MAX and text.isprintable()


def without_query(url: str) -> str:
    """The address as logs may show it."""
    return url.partition("?")[0]


def client_id_of(issuer: str, subject: str) -> str:
    """`oidc_…`: the same for the same subject of the same issuer, and silent about both.

    Subjects may be e-mail addresses, and a client's id is logged and counted by.
    """
    digest = hashlib.sha256(f"{issuer}\0{subject}".encode()).hexdigest()
    return f"oidc_{digest[:DIGEST_DIGITS]}"


def _is_safe(url: str, *, query: bool) -> bool:
    parts = _URL.fullmatch(url)
    if parts is None or (parts["query"] is not None and not query):
        return False
    return parts["scheme"] == "https" or _is_loopback(parts["host"].strip("[]"))


def _is_loopback(host: str) -> bool:
    # Names are not asked: `localhost` is whatever a resolver says.
    try:
        return host == "::1" or ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        return False
