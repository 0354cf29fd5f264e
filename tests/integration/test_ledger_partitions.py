"""The books' rules hold for a statement that names a partition, too."""

import datetime as dt
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from paynexus import ids
from paynexus.db import Database
from paynexus.ids import MerchantId, TransferId
from paynexus.ledger import store
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.model import Transfer, TransferKind
from paynexus.money import Money
from paynexus.retention import service as retention

PARTITIONS = """
SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
WHERE i.inhparent = %s::REGCLASS ORDER BY c.relname
"""
UNBALANCED = """
INSERT INTO {} (id, account_id, delta, balance_after, type, transfer_id, currency, slot)
SELECT id + 1, account_id, 5, 0, 'posted', %s, 'EUR', 0 FROM ledger_entries LIMIT 1
"""


@pytest.fixture(name="transfer_id")
def _transfer_id(database: Database, merchant: MerchantId, now: dt.datetime) -> TransferId:
    """A posted transfer of this month."""
    transfer = Transfer(
        id=TransferId(ids.new_id()),
        kind=TransferKind.PAYMENT,
        debit=Account(AccountType.GATEWAY_RECEIVABLE, "test", "EUR"),
        credit=Account(AccountType.MERCHANT_PAYABLE, "test", "EUR", merchant),
        money=Money(1000, "EUR"),
        object_id="pay_test",
    )
    with database.transaction() as tx:
        store.post(tx, transfer, at=now)
    return transfer.id


def test_entries_put_straight_into_a_partition_must_balance(
    database: Database, transfer_id: TransferId
) -> None:
    """What the table refuses, its months refuse."""
    insert = sql.SQL(UNBALANCED).format(sql.Identifier(present_month(database)))

    with pytest.raises(psycopg.Error, match="must sum to zero"):
        database.connection().execute(insert, (transfer_id,))


def test_no_partition_can_be_emptied(
    database: Database, transfer_id: TransferId, now: dt.datetime
) -> None:
    """Neither a month, nor one made later, nor the default partition, nor the table itself."""
    retention.make_room(database, now=now + dt.timedelta(days=200))

    for table in tables(database):
        with pytest.raises(psycopg.Error, match="never changed or deleted"):
            database.connection().execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(table)))


def tables(database: Database) -> Iterator[str]:
    """The partitioned tables and all their partitions."""
    for table in retention.PARTITIONED:
        yield table
        yield from (row[0] for row in database.connection().execute(PARTITIONS, (table,)))


def present_month(database: Database) -> str:
    """The partition that holds the entries just booked."""
    row = database.connection().execute("SELECT tableoid::REGCLASS::TEXT FROM ledger_entries")
    (name,) = row.fetchone() or ("",)
    assert name.startswith("ledger_entries_2")
    return str(name)
