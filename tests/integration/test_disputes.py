"""Disputes on real PostgreSQL: what the table itself refuses, whoever writes to it."""

import psycopg
import pytest

from paynexus import ids
from paynexus.db import Database

SQL_OPEN = """
INSERT INTO disputes (id, payment_id, merchant_id, mode, amount, covered_amount, currency, status,
    gateway, gateway_reference, created_at, updated_at)
VALUES (%s, %s, %s, 'test', 500, %s, 'EUR', 'OPEN', 'sandbox', %s, now(), now())
"""


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE disputes SET status = 'OPEN' WHERE status = 'LOST'",
        "UPDATE disputes SET status = 'WON' WHERE status = 'LOST'",
        "UPDATE disputes SET amount = 501",
        "UPDATE disputes SET covered_amount = 1",
        "DELETE FROM disputes",
    ],
)
def test_a_lost_dispute_never_changes(database: Database, statement: str) -> None:
    """Neither its end nor what it asked for, and it is never gone."""
    connection = database.connection()
    values = (ids.new_id(), ids.new_id(), ids.new_id(), 500, "dp_1")
    connection.execute(SQL_OPEN, values)
    connection.execute("UPDATE disputes SET status = 'LOST'")
    with pytest.raises(psycopg.DatabaseError) as refused:
        connection.execute(statement.encode())
    assert refused.value.sqlstate in {"PN010", "PN020"}


def test_a_dispute_is_on_record_once(database: Database) -> None:
    """A gateway's own name of it stands for one row."""
    connection = database.connection()
    payment_id, merchant_id = ids.new_id(), ids.new_id()
    connection.execute(SQL_OPEN, (ids.new_id(), payment_id, merchant_id, 500, "dp_1"))
    with pytest.raises(psycopg.errors.UniqueViolation, match="dispute_is_on_record_once"):
        connection.execute(SQL_OPEN, (ids.new_id(), payment_id, merchant_id, 500, "dp_1"))


def test_a_dispute_covers_no_more_than_it_asks(database: Database) -> None:
    """The covered part is a part."""
    values = (ids.new_id(), ids.new_id(), ids.new_id(), 501, "dp_1")
    with pytest.raises(psycopg.errors.CheckViolation, match="covers_no_more_than_it_asks"):
        database.connection().execute(SQL_OPEN, values)
