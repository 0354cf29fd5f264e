"""Foreign issuers in Postgres."""

from psycopg.rows import class_row

from paynexus.db import Connection
from paynexus.identity.issuers.model import TokenIssuer
from paynexus.ids import MerchantId

SELECT_MERCHANT = "SELECT 1 FROM merchants WHERE id = %s"

SELECT_FOR_AUDIENCES = """
SELECT issuer, audience, merchant_id, mode, jwks_url, scopes
  FROM token_issuers
 WHERE issuer = %s AND audience = ANY(%s)
 LIMIT 2
"""

SELECT_ALL = """
SELECT issuer, audience, merchant_id, mode, jwks_url, scopes
  FROM token_issuers
 ORDER BY issuer, audience
"""

SELECT_OTHER_KEYS = """
SELECT 1 FROM token_issuers WHERE issuer = %s AND jwks_url <> %s LIMIT 1
"""

INSERT_ISSUER = """
INSERT INTO token_issuers (issuer, audience, merchant_id, mode, jwks_url, scopes)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (issuer, audience) DO NOTHING
"""

DELETE_ISSUER = "DELETE FROM token_issuers WHERE issuer = %s AND audience = %s"


def merchant_exists(connection: Connection, merchant_id: MerchantId) -> bool:
    """Whether there is such a merchant."""
    return connection.execute(SELECT_MERCHANT, (merchant_id,)).fetchone() is not None


def issuers_for(connection: Connection, issuer: str, audiences: list[str]) -> list[TokenIssuer]:
    """The issuer's rows for any of the audiences: two at most, which is one too many."""
    with connection.cursor(row_factory=class_row(TokenIssuer)) as cursor:
        return cursor.execute(SELECT_FOR_AUDIENCES, (issuer, audiences)).fetchall()


def all_issuers(connection: Connection) -> list[TokenIssuer]:
    """Every issuer, by name and audience."""
    with connection.cursor(row_factory=class_row(TokenIssuer)) as cursor:
        return cursor.execute(SELECT_ALL).fetchall()


def has_other_keys(connection: Connection, issuer: str, jwks_url: str) -> bool:
    """Whether the issuer's keys are at another address for another audience."""
    return connection.execute(SELECT_OTHER_KEYS, (issuer, jwks_url)).fetchone() is not None


def insert_issuer(tx: Connection, one: TokenIssuer) -> bool:
    """The issuer is accepted for its audience; False when that is taken."""
    values = (one.issuer, one.audience, one.merchant_id, one.mode, one.jwks_url, one.scopes)
    return tx.execute(INSERT_ISSUER, values).rowcount == 1


def delete_issuer(tx: Connection, issuer: str, audience: str) -> bool:
    """The issuer is accepted for this audience no more; False when it wasn't."""
    return tx.execute(DELETE_ISSUER, (issuer, audience)).rowcount == 1
