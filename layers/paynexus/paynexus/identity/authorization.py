"""Who may come in: the principal of a token whose client is still one of ours."""

import datetime as dt
from dataclasses import replace

from paynexus.db import Database
from paynexus.errors import Unauthenticated
from paynexus.identity import store
from paynexus.identity.tokens import TokenVerifier, VerifiedToken


def authorize(
    db: Database, verifier: TokenVerifier, token: str, *, now: dt.datetime
) -> VerifiedToken:
    """What `token` proves now; Unauthenticated if it is not valid or its client is revoked.

    Postgres is asked each time: API Gateway keeps the answer for a minute, so that is how long
    a revoked client's token may still be believed.
    """
    verified = verifier.verify(token, now=now)
    with db.reading() as connection:
        client = store.client(connection, verified.principal.client_id)
    if client is None or client.revoked_at is not None:
        raise Unauthenticated("The token's client has been revoked.")
    principal = replace(verified.principal, api_version=client.api_version)
    return replace(verified, principal=principal)
