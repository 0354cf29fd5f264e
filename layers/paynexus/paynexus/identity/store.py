"""Clients in Postgres."""

from psycopg.rows import class_row

from paynexus.db import Connection
from paynexus.identity.model import Client
from paynexus.ids import MerchantId

INSERT_CLIENT = """
INSERT INTO clients (id, merchant_id, mode, secret_hash, scopes)
VALUES (%s, %s, %s, %s, %s)
"""

SELECT_CLIENT = """
SELECT id, merchant_id, mode, secret_hash, scopes, revoked_at FROM clients WHERE id = %s
"""

SELECT_CLIENT_OF_MERCHANT = """
SELECT id, merchant_id, mode, secret_hash, scopes, revoked_at
  FROM clients
 WHERE merchant_id = %s AND mode = %s AND revoked_at IS NULL
 ORDER BY created_at, id
 LIMIT 1
"""

UPDATE_HASH = "UPDATE clients SET secret_hash = %s WHERE id = %s"


def insert_client(tx: Connection, client: Client) -> None:
    """The client exists."""
    tx.execute(
        INSERT_CLIENT,
        (client.id, client.merchant_id, client.mode, client.secret_hash, client.scopes),
    )


def client(connection: Connection, client_id: str) -> Client | None:
    """The client of this id, revoked or not."""
    with connection.cursor(row_factory=class_row(Client)) as cursor:
        return cursor.execute(SELECT_CLIENT, (client_id,)).fetchone()


def client_of_merchant(
    connection: Connection, merchant_id: MerchantId, *, mode: str
) -> Client | None:
    """The oldest client of the merchant in `mode` that is not revoked."""
    with connection.cursor(row_factory=class_row(Client)) as cursor:
        return cursor.execute(SELECT_CLIENT_OF_MERCHANT, (merchant_id, mode)).fetchone()


def replace_secret(tx: Connection, client_id: str, secret_hash: bytes) -> None:
    """The client's former secret opens nothing any more."""
    tx.execute(UPDATE_HASH, (secret_hash, client_id))
