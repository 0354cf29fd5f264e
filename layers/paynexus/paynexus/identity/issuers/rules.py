"""What a foreign token must look like and say. Pure: no I/O, clock or randomness."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from paynexus.identity.issuers.model import TokenIssuer, client_id_of, is_issuer, is_plain
from paynexus.identity.model import ALL_SCOPES, Principal
from paynexus.identity.unverified import Refused, UnverifiedToken

LIFETIME_SECONDS_MAX = 60 * 60
CLOCK_SKEW_SECONDS = 60
"""For `iat` and `nbf`; a token that has expired is never forgiven."""
AUDIENCES_MAX = 16
"""In one token."""

HEADER_MEMBERS = {"alg", "kid", "typ", "x5t", "x5t#S256"}
"""And no other: no `crit`, `b64`, `zip` to obey, no `jku`, `jwk`, `x5u`, `x5c` to follow."""
TYPES = {"jwt", "at+jwt"}


def kid_of(token: UnverifiedToken) -> str:
    """The name of the key that is to verify the token; Refused for a header not understood."""
    header = token.header
    if header.keys() - HEADER_MEMBERS:
        raise Refused("header members that are not understood")
    if not all(isinstance(value, str) for value in header.values()):
        raise Refused("header members that are no texts")
    if header.get("typ", "JWT").lower() not in TYPES:
        raise Refused("another type of token")
    if not is_plain(header.get("kid")):
        raise Refused("no kid")
    kid: str = header["kid"]
    return kid


def audiences_of(token: UnverifiedToken) -> list[str]:
    """Whom the token is for, each once; Refused unless a text or a short list of texts."""
    value = token.claims.get("aud")
    audiences = [value] if isinstance(value, str) else value
    if not isinstance(audiences, list) or not 0 < len(audiences) <= AUDIENCES_MAX:
        raise Refused("no audience")
    if not all(is_plain(audience) for audience in audiences):
        raise Refused("an audience that is no plain text")
    return sorted(set(audiences))


def lookup_of(token: UnverifiedToken) -> tuple[str, list[str]]:
    """Issuer and audiences that are worth looking up; Refused for what can't be registered."""
    if not is_issuer(token.issuer):
        raise Refused("no issuer")
    return str(token.issuer), audiences_of(token)


def expiry_of(claims: Mapping[str, Any], *, now: dt.datetime) -> int:
    """The second at which the token ends; Refused unless valid now, and for an hour at most."""
    issued_at, expires_at = claims.get("iat"), claims.get("exp")
    starts_at = claims.get("nbf", issued_at)
    if not (type(issued_at) is type(expires_at) is type(starts_at) is int):
        raise Refused("times that are no whole seconds")
    if not 0 < expires_at - issued_at <= LIFETIME_SECONDS_MAX:
        raise Refused("valid for too long")
    moment = now.timestamp()
    if not max(issued_at, starts_at) - CLOCK_SKEW_SECONDS <= moment < expires_at:
        raise Refused("not valid now")
    return int(expires_at)


def principal_of(claims: Mapping[str, Any], issuer: TokenIssuer) -> Principal:
    """Whom the token stands for: merchant and mode are the issuer's, never the token's word."""
    subject = claims.get("sub")
    if not is_plain(subject):
        raise Refused("no subject")
    return Principal(
        merchant_id=issuer.merchant_id,
        client_id=client_id_of(issuer.issuer, str(subject)),
        mode=issuer.mode,
        scopes=_scopes_of(claims, issuer),
    )


def _scopes_of(claims: Mapping[str, Any], issuer: TokenIssuer) -> frozenset[str]:
    scopes = frozenset(issuer.scopes) & frozenset(ALL_SCOPES)
    for name in ("scope", "scp"):
        if name in claims:
            scopes &= _named(claims[name], may_be_list=name == "scp")
    if not scopes:
        raise Refused("no scope left")
    return scopes


def _named(value: object, *, may_be_list: bool) -> frozenset[str]:
    if isinstance(value, str):
        return frozenset(value.split(" "))
    if may_be_list and isinstance(value, list) and all(isinstance(one, str) for one in value):
        return frozenset(value)
    raise Refused("scopes that are no texts")
