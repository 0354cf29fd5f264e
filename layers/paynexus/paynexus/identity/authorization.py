"""Our own tokens, as long as the client that they were issued to is one of ours."""

import datetime as dt
from dataclasses import replace

from paynexus.db import Database
from paynexus.errors import Unauthenticated
from paynexus.identity import store
from paynexus.identity.tokens import TokenVerifier, VerifiedToken
from paynexus.identity.unverified import UnverifiedToken


class OwnTokens:
    """Believes what `TokenSigner` signed while Postgres knows the client and has not revoked it.

    Postgres is asked each time: API Gateway keeps the answer for a minute, so that is how long
    a revoked client's token may still be believed.
    """

    def __init__(self, verifier: TokenVerifier, db: Database) -> None:
        self._verifier = verifier
        self._db = db

    def verify(self, token: UnverifiedToken, *, now: dt.datetime) -> VerifiedToken:
        """What `token` proves now; Unauthenticated if it is not valid or its client is revoked."""
        verified = self._verifier.verify_parts(token, now=now)
        with self._db.reading() as connection:
            client = store.client(connection, verified.principal.client_id)
        if client is None or client.revoked_at is not None:
            raise Unauthenticated("The token's client has been revoked.")
        principal = replace(verified.principal, api_version=client.api_version)
        return replace(verified, principal=principal)
