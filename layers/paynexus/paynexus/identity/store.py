"""Clients in Postgres."""

import datetime as dt

from psycopg.rows import class_row

from paynexus.db import Connection
from paynexus.identity.model import Client
from paynexus.ids import MerchantId

INSERT_CLIENT = """
INSERT INTO clients (id, merchant_id, mode, name, api_version, secret_hash, scopes)
VALUES (%s, %s, %s, %s, %s, %s, %s)
RETURNING created_at
"""

SELECT_CLIENTS = """
SELECT id, merchant_id, mode, name, api_version, secret_hash, former_secret_hash,
       former_expires_at, scopes, created_at, revoked_at
  FROM clients
"""

SELECT_CLIENT = SELECT_CLIENTS + " WHERE id = %s"

SELECT_CLIENTS_OF_MERCHANT = (
    SELECT_CLIENTS
    + """
 WHERE merchant_id = %s AND mode = %s AND revoked_at IS NULL
 ORDER BY created_at, id
"""
)

LOCK_MERCHANT = "SELECT FROM merchants WHERE id = %s FOR UPDATE"

UPDATE_HASH = """
UPDATE clients
   SET former_secret_hash = CASE WHEN %(until)s::TIMESTAMPTZ IS NOT NULL THEN secret_hash END,
       former_expires_at = %(until)s,
       secret_hash = %(hash)s
 WHERE id = %(id)s
"""

UPDATE_REVOKED = "UPDATE clients SET revoked_at = coalesce(revoked_at, %s) WHERE id = %s"


def insert_client(tx: Connection, client: Client) -> dt.datetime:
    """The client exists since this moment."""
    values = (client.id, client.merchant_id, client.mode, client.name, client.api_version)
    row = tx.execute(INSERT_CLIENT, (*values, client.secret_hash, client.scopes)).fetchone()
    assert row is not None  # noqa: S101 - what is inserted is returned
    created_at: dt.datetime = row[0]
    return created_at


def client(connection: Connection, client_id: str) -> Client | None:
    """The client of this id, revoked or not."""
    with connection.cursor(row_factory=class_row(Client)) as cursor:
        return cursor.execute(SELECT_CLIENT, (client_id,)).fetchone()


def clients_of_merchant(
    connection: Connection, merchant_id: MerchantId, *, mode: str
) -> list[Client]:
    """The merchant's clients in `mode` that are not revoked, the oldest first."""
    with connection.cursor(row_factory=class_row(Client)) as cursor:
        return cursor.execute(SELECT_CLIENTS_OF_MERCHANT, (merchant_id, mode)).fetchall()


def lock_merchant(tx: Connection, merchant_id: MerchantId) -> None:
    """Nobody else makes clients of the merchant until the transaction ends."""
    tx.execute(LOCK_MERCHANT, (merchant_id,))


def replace_secret(
    tx: Connection, client_id: str, secret_hash: bytes, *, former_until: dt.datetime | None
) -> None:
    """The client has this secret; the one before is honoured until then, any other no more."""
    tx.execute(UPDATE_HASH, {"hash": secret_hash, "until": former_until, "id": client_id})


def revoke(tx: Connection, client_id: str, *, now: dt.datetime) -> None:
    """The client gets no token any more, and those it has are refused."""
    tx.execute(UPDATE_REVOKED, (now, client_id))
