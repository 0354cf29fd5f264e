"""Use cases: foreign issuers are registered and removed, and their tokens verified."""

import datetime as dt
from dataclasses import replace

import jwt

from paynexus import jsontext
from paynexus.db import Database
from paynexus.errors import InvalidRequest, InvalidState, NotFound, RequestTooLarge, Unauthenticated
from paynexus.identity.authorization import OwnTokens
from paynexus.identity.issuers import rules, store
from paynexus.identity.issuers.jwks import usable_keys
from paynexus.identity.issuers.keys import Fetch, FetchFailed, KeyCache
from paynexus.identity.issuers.model import TokenIssuer, is_issuer, is_jwks_url, is_plain
from paynexus.identity.model import ALL_SCOPES
from paynexus.identity.tokens import VerifiedToken
from paynexus.identity.unverified import Refused, UnverifiedToken, unverified
from paynexus.observability import logger

DISCOVERY_PATH = "/.well-known/openid-configuration"


class BearerVerifier:
    """Hands each token to the one who may vouch for it: our own verifier, or an issuer's keys.

    What a token claims of its issuer decides only whom to ask. A token that names us is never
    held against a foreign key, whatever the database says.
    """

    def __init__(self, own: OwnTokens, *, issuer: str, db: Database, keys: KeyCache) -> None:
        self._own = own
        self._issuer = issuer
        self._db = db
        self._keys = keys

    def verify(self, text: str, *, now: dt.datetime) -> VerifiedToken:
        """What the token proves. Every refusal is the same Unauthenticated.

        Raises DatabaseUnavailable when nobody can say whether a foreign issuer is known.
        """
        try:
            token = unverified(text)
            if token.issuer == self._issuer:
                return self._own.verify(token, now=now)
            return self._foreign(token, now=now)
        except (Refused, jwt.PyJWTError) as error:
            # Which check failed is no business of whoever forged the token.
            reason = str(error) if isinstance(error, Refused) else type(error).__name__
            logger.info("foreign token refused", reason=reason)
            raise Unauthenticated("The token is not valid: ask for another.") from None

    def _foreign(self, token: UnverifiedToken, *, now: dt.datetime) -> VerifiedToken:
        # All that costs nothing comes first, then the database, then perhaps a fetch.
        kid, expires_at = rules.kid_of(token), rules.expiry_of(token.claims, now=now)
        issuer = self._issuer_of(token)
        principal = rules.principal_of(token.claims, issuer)
        key = self._keys.find(issuer.jwks_url, kid, now=now)
        # The key decides the algorithm; a token that names another is refused.
        jwt.PyJWS(algorithms=[key.algorithm]).decode(
            token.text, key.key, algorithms=[key.algorithm]
        )
        return VerifiedToken(principal, expires_at)

    def _issuer_of(self, token: UnverifiedToken) -> TokenIssuer:
        name, audiences = rules.lookup_of(token)
        with self._db.reading() as connection:
            found = store.issuers_for(connection, name, audiences)
        if len(found) != 1:
            raise Refused("for two of us" if found else "an issuer or audience that nobody brought")
        return found[0]


def register(db: Database, fetch: Fetch, one: TokenIssuer) -> TokenIssuer:
    """The issuer's tokens are accepted for its audience; an empty `jwks_url` was discovered.

    Raises InvalidRequest for what can't be an issuer, NotFound for an unknown merchant,
    InvalidState when the audience is taken or the issuer's keys are elsewhere for another.
    """
    _require_sound(one)
    if not one.jwks_url:
        one = replace(one, jwks_url=_discovered(fetch, one.issuer))
    _require_keys(fetch, one.jwks_url)
    with db.transaction() as tx:
        if not store.merchant_exists(tx, one.merchant_id):
            raise NotFound("There is no such merchant.")
        if store.has_other_keys(tx, one.issuer, one.jwks_url):
            raise InvalidState("This issuer's keys are at another address: an issuer has one.")
        if not store.insert_issuer(tx, one):
            raise InvalidState("This issuer has this audience already: remove it first.")
    return one


def registered(db: Database) -> list[TokenIssuer]:
    """Every issuer that is accepted."""
    with db.reading() as connection:
        return store.all_issuers(connection)


def remove(db: Database, *, issuer: str, audience: str) -> None:
    """The issuer's tokens for this audience are refused from the next authorization on."""
    with db.transaction() as tx:
        if not store.delete_issuer(tx, issuer, audience):
            raise NotFound("There is no such issuer with this audience.")


def _require_sound(one: TokenIssuer) -> None:
    if not is_issuer(one.issuer) or (one.jwks_url and not is_jwks_url(one.jwks_url)):
        raise InvalidRequest(
            "Issuer and key set need https:// addresses without user, fragment or, for the"
            " issuer, a query; http:// is for loopback addresses alone."
        )
    if not is_plain(one.audience):
        raise InvalidRequest("An audience is 1 to 255 printable characters.")
    unknown = sorted(set(one.scopes) - set(ALL_SCOPES))
    if unknown or not one.scopes:
        raise InvalidRequest(f"Scopes are some of {', '.join(ALL_SCOPES)}.", param="scopes")


def _discovered(fetch: Fetch, issuer: str) -> str:
    """Where the issuer says its keys are (OpenID Connect Discovery 1.0, 4)."""
    try:
        found = jsontext.parse(fetch(issuer.rstrip("/") + DISCOVERY_PATH).decode())
    except FetchFailed as error:
        raise InvalidRequest(
            f"The issuer can't be discovered ({error}): give --jwks-url."
        ) from None
    except (UnicodeDecodeError, InvalidRequest, RequestTooLarge):
        raise InvalidRequest("What was found there is no discovery document.") from None
    if not isinstance(found, dict) or found.get("issuer") != issuer:
        raise InvalidRequest("The document found there names another issuer, to the character.")
    url = found.get("jwks_uri")
    if not is_jwks_url(url):
        raise InvalidRequest("The document found there names no safe jwks_uri.")
    return str(url)


def _require_keys(fetch: Fetch, url: str) -> None:
    try:
        keys = usable_keys(fetch(url))
    except (FetchFailed, ValueError) as error:
        raise InvalidRequest(f"The key set can't be read: {error}.") from None
    if not keys:
        raise InvalidRequest(
            "No key is usable: RSA from 2048 bits, EC P-256 or Ed25519, each with a kid of its own."
        )
