"""Who is calling: clients, their secrets, and the principal that a token stands for."""

import datetime as dt
import hashlib
import hmac
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from paynexus import ids, versions
from paynexus.errors import Unauthenticated
from paynexus.ids import MerchantId

CLIENTS_MAX = 50
"""Of one merchant in one mode, those that are not revoked."""
FORMER_SECRET_LIFETIME = dt.timedelta(days=1)
"""How long both secrets are honoured after a rotation, unless it says otherwise."""
FORMER_SECRET_LIFETIME_MAX = dt.timedelta(days=7)
SECRET_BYTES = 32
"""256 random bits: nothing to guess, hence no slow hash and no salt (docs/identity.md)."""

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_DIGITS = 43
_CHECKSUM_DIGITS = 6


class Mode(StrEnum):
    """Test and live money, which never mix."""

    TEST = "test"
    LIVE = "live"


class Scope(StrEnum):
    """What a client may be allowed to do."""

    PAYMENTS_WRITE = "payments:write"
    PAYMENTS_READ = "payments:read"
    REFUNDS_WRITE = "refunds:write"
    QR = "qr:*"
    WEBHOOKS = "webhooks:*"
    SETTLEMENTS_READ = "settlements:read"
    FRAUD_READ = "fraud:read"
    FRAUD_WRITE = "fraud:write"
    ADMIN = "admin"


ALL_SCOPES = tuple(scope.value for scope in Scope)


@dataclass(frozen=True, slots=True)
class Client:
    """One set of API credentials of one merchant in one mode; its secrets only as hashes.

    Answers look as they did in `api_version`. Of two secrets the former is honoured until
    `former_expires_at`.
    """

    id: str
    merchant_id: MerchantId
    mode: str
    secret_hash: bytes
    scopes: list[str]
    revoked_at: dt.datetime | None
    name: str = ""
    api_version: str = versions.NEWEST
    created_at: dt.datetime | None = None
    former_secret_hash: bytes | None = None
    former_expires_at: dt.datetime | None = None

    def knows(self, secret: str, *, now: dt.datetime) -> bool:
        """Whether `secret` is one of the client's at `now`; in the same time whichever it is."""
        given = hash_of(secret)
        is_present = hmac.compare_digest(given, self.secret_hash)
        is_former = hmac.compare_digest(given, self.former_secret_hash or bytes(len(given)))
        is_honoured = self.former_expires_at is not None and now < self.former_expires_at
        return is_present or (is_former and is_honoured)


@dataclass(frozen=True, slots=True)
class Principal:
    """The merchant that a request acts for, and what its token allows."""

    merchant_id: MerchantId
    client_id: str
    mode: str
    scopes: frozenset[str]
    api_version: str = versions.NEWEST

    def has(self, scope: Scope) -> bool:
        """Whether the token carries `scope`; `admin` carries every one."""
        return scope in self.scopes or Scope.ADMIN in self.scopes


def principal_from(context: Mapping[str, Any], *, now: dt.datetime | None = None) -> Principal:
    """The principal that the authorizer put into the request's context.

    API Gateway keeps the authorizer's answer for a while; with `now`, one that outlived its
    token is refused here.
    """
    try:
        principal = Principal(
            merchant_id=MerchantId(ids.parse("mer", context["merchant_id"])),
            client_id=context["client_id"],
            mode=Mode(context["mode"]).value,
            scopes=frozenset(context["scope"].split()),
            api_version=context.get("api_version") or versions.NEWEST,
        )
        expires_at = int(context["expires_at"])
    except (KeyError, ValueError, AttributeError, TypeError):
        raise Unauthenticated("This request carries no valid token.") from None
    if now is not None and now.timestamp() >= expires_at:
        raise Unauthenticated("The token has expired: ask for another at /oauth/token.")
    return principal


def context_of(principal: Principal, *, expires_at: int) -> dict[str, str]:
    """What the authorizer hands on; `principal_from` reads it back."""
    return {
        "merchant_id": ids.text("mer", principal.merchant_id),
        "client_id": principal.client_id,
        "mode": principal.mode,
        "scope": " ".join(sorted(principal.scopes)),
        "api_version": principal.api_version,
        "expires_at": str(expires_at),
    }


def client_id_of(mode: Mode, number: bytes) -> str:
    """`pnx_test_…` or `pnx_live_…`: the mode is there for everyone to see."""
    return f"pnx_{mode.value}_{_base62(number, 22)}"


def is_client_id(text: str) -> bool:
    """Whether `text` has the shape of a client id."""
    return re.fullmatch(r"pnx_(test|live)_[0-9A-Za-z]{22}", text) is not None


def secret_of(mode: Mode, number: bytes) -> str:
    """The secret that spells `number`; a prefix and a checksum let secret scanners find it."""
    body = f"pnx_secret_{mode.value}_{_base62(number, _SECRET_DIGITS)}"
    return body + _checksum(body)


def is_secret(text: str) -> bool:
    """Whether `text` has the shape and the checksum of a client secret."""
    body, checksum = text[:-_CHECKSUM_DIGITS], text[-_CHECKSUM_DIGITS:]
    return body.startswith("pnx_secret_") and _checksum(body) == checksum


def hash_of(secret: str) -> bytes:
    """What is stored of a secret."""
    return hashlib.sha256(secret.encode()).digest()


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()).to_bytes(4), _CHECKSUM_DIGITS)


def _base62(number: bytes, length: int) -> str:
    value, digits = int.from_bytes(number), ""
    for _ in range(length):
        value, digit = divmod(value, 62)
        digits = _BASE62[digit] + digits
    return digits
