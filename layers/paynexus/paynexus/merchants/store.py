"""Merchants in Postgres."""

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from paynexus.db import Connection
from paynexus.ids import MerchantId, UserId
from paynexus.merchants.model import (
    Configuration,
    CurrencyFee,
    Merchant,
    PayoutAccount,
    Place,
)

INSERT_USER = "INSERT INTO users (id, email) VALUES (%s, %s)"

INSERT_MERCHANT = """
INSERT INTO merchants (id, name, owner_user_id, country, city, category_code)
VALUES (%s, %s, %s, %s, %s, %s)
"""

INSERT_FEE = """
INSERT INTO merchant_fees (merchant_id, currency, basis_points, fixed_minor)
VALUES (%s, %s, %s, %s)
"""

INSERT_PAYOUT_ACCOUNT = """
INSERT INTO payout_accounts (merchant_id, currency, holder, iban, bic)
VALUES (%s, %s, %s, %s, %s)
"""

SELECT_MERCHANT = """
SELECT id, name, country, city, category_code, configuration, created_at
  FROM merchants
 WHERE id = %s
"""

SELECT_MERCHANT_FOR_UPDATE = """
SELECT id, name, country, city, category_code, configuration, created_at
  FROM merchants
 WHERE id = %s
   FOR UPDATE
"""

SELECT_MERCHANT_OF_OWNER = """
SELECT merchants.id FROM merchants JOIN users ON users.id = owner_user_id WHERE email = %s
"""

SELECT_FEES = """
SELECT currency, basis_points, fixed_minor
  FROM merchant_fees
 WHERE merchant_id = %s
 ORDER BY currency
"""

SELECT_PAYOUT_ACCOUNTS = """
SELECT currency, holder, iban, bic
  FROM payout_accounts
 WHERE merchant_id = %s
 ORDER BY currency
"""

UPDATE_MERCHANT = """
UPDATE merchants SET name = %s, city = %s, category_code = %s, configuration = %s WHERE id = %s
RETURNING id, name, country, city, category_code, configuration, created_at
"""


def insert_user(tx: Connection, user_id: UserId, email: str) -> None:
    """The user exists."""
    tx.execute(INSERT_USER, (user_id, email))


def insert_merchant(
    tx: Connection, merchant_id: MerchantId, *, name: str, owner: UserId, place: Place
) -> None:
    """The merchant exists, with nothing agreed yet."""
    values = (merchant_id, name, owner, place.country, place.city, place.category_code)
    tx.execute(INSERT_MERCHANT, values)


def insert_fee(tx: Connection, merchant_id: MerchantId, fee: CurrencyFee) -> None:
    """The merchant's fee in one currency is agreed."""
    tx.execute(INSERT_FEE, (merchant_id, fee.currency, fee.basis_points, fee.fixed_minor))


def insert_payout_account(tx: Connection, merchant_id: MerchantId, account: PayoutAccount) -> None:
    """The merchant is paid to `account` in that account's currency."""
    tx.execute(
        INSERT_PAYOUT_ACCOUNT,
        (merchant_id, account.currency, account.holder, account.iban, account.bic),
    )


def merchant(connection: Connection, merchant_id: MerchantId) -> Merchant | None:
    """The merchant of this id."""
    with connection.cursor(row_factory=class_row(Merchant)) as cursor:
        return cursor.execute(SELECT_MERCHANT, (merchant_id,)).fetchone()


def locked_merchant(tx: Connection, merchant_id: MerchantId) -> Merchant | None:
    """The merchant of this id, locked until the transaction ends."""
    with tx.cursor(row_factory=class_row(Merchant)) as cursor:
        return cursor.execute(SELECT_MERCHANT_FOR_UPDATE, (merchant_id,)).fetchone()


def merchant_of_owner(connection: Connection, email: str) -> MerchantId | None:
    """The merchant that the user with this address owns."""
    row = connection.execute(SELECT_MERCHANT_OF_OWNER, (email,)).fetchone()
    return None if row is None else MerchantId(row[0])


def fees(connection: Connection, merchant_id: MerchantId) -> tuple[CurrencyFee, ...]:
    """What the merchant pays, by currency."""
    with connection.cursor(row_factory=class_row(CurrencyFee)) as cursor:
        return tuple(cursor.execute(SELECT_FEES, (merchant_id,)))


def payout_accounts(connection: Connection, merchant_id: MerchantId) -> tuple[PayoutAccount, ...]:
    """Where the merchant is paid, by currency."""
    with connection.cursor(row_factory=class_row(PayoutAccount)) as cursor:
        return tuple(cursor.execute(SELECT_PAYOUT_ACCOUNTS, (merchant_id,)))


def change_merchant(
    tx: Connection, merchant: Merchant, *, configuration: Configuration
) -> Merchant | None:
    """The merchant has this name, city, category and `configuration`."""
    values = (merchant.name, merchant.city, merchant.category_code, Jsonb(configuration))
    with tx.cursor(row_factory=class_row(Merchant)) as cursor:
        return cursor.execute(UPDATE_MERCHANT, (*values, merchant.id)).fetchone()
