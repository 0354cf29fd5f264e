"""A merchant's settlements and their lines in Postgres: everything here only reads."""

from uuid import UUID

from psycopg.rows import class_row

from paynexus.db import Connection
from paynexus.ids import MerchantId, SettlementId
from paynexus.lists import store as lists
from paynexus.lists.model import Page
from paynexus.settlement.merchant.model import About, Kind, Line, Share
from paynexus.settlement.model import Settlement
from paynexus.settlement.store import COLUMNS

ABOVE_ALL = UUID(int=2**128 - 1)
"""No settlement has this id, or a greater one."""

SELECT_SETTLEMENT = f"""
SELECT {COLUMNS} FROM settlements WHERE id = %s AND merchant_id = %s AND mode = %s
"""  # noqa: S608 - the column list is a constant

SELECT_PAGE = f"""
SELECT {COLUMNS} FROM settlements
 WHERE merchant_id = %(merchant_id)s AND mode = %(mode)s
   AND id < %(above)s
   AND created_at >= %(since)s AND created_at < %(until)s
   {{like}}
 ORDER BY id DESC
 LIMIT %(limit)s
"""  # noqa: S608
FILTERS: lists.Filters = {
    "status": "AND status = %(status)s",
    "currency": "AND currency = %(currency)s",
}

SELECT_ABOUT = """
SELECT s.account_id, m.name AS merchant_name, s.after_entry, s.through_entry,
       b.cutoff AS carried_before, r.release_at, p.effective_at AS paid_at,
       f.effective_at AS failed_at
  FROM settlements AS s
  JOIN merchants AS m ON m.id = s.merchant_id
  LEFT JOIN settlements AS b ON b.account_id = s.account_id AND b.through_entry = s.after_entry
  LEFT JOIN reserves AS r ON r.settlement_id = s.id
  LEFT JOIN transfers AS p ON p.id = s.paid_id
  LEFT JOIN transfers AS f ON f.id = s.failed_id
 WHERE s.id = %s
"""

SELECT_KINDS = """
SELECT kind::TEXT AS kind, is_carried, count(*) AS count, sum(amount)::BIGINT AS amount
  FROM (SELECT kind, amount,
               entry_id < coalesce(ledger_entry_id_at(%(carried_before)s), 0) AS is_carried
          FROM settleable_entries
         WHERE account_id = %(account_id)s AND entry_id > %(after_entry)s
           AND entry_id <= %(through_entry)s) AS l
 GROUP BY kind, is_carried
"""

SELECT_LINES = """
SELECT entry_id, kind::TEXT AS kind, object_id, transaction_id AS payment_id, amount, currency,
       ledger_entry_time(entry_id) AS recorded_at, created_at
  FROM settleable_entries
 WHERE account_id = %s AND entry_id > %s AND entry_id <= %s
 ORDER BY entry_id
 LIMIT %s
"""

SELECT_BEFORE = """
SELECT count(*) AS count, coalesce(sum(amount), 0)::BIGINT AS amount
  FROM settleable_entries
 WHERE account_id = %s AND entry_id > %s AND entry_id <= %s
"""


def settlement(
    connection: Connection, settlement_id: SettlementId, *, merchant_id: MerchantId, mode: str
) -> Settlement | None:
    """The merchant's own settlement of this id."""
    with connection.cursor(row_factory=class_row(Settlement)) as cursor:
        return cursor.execute(SELECT_SETTLEMENT, (settlement_id, merchant_id, mode)).fetchone()


def page(
    connection: Connection,
    page: Page[UUID],
    *,
    merchant_id: MerchantId,
    mode: str,
) -> list[Settlement]:
    """The merchant's settlements on the page, newest cut-off first, and the one after them."""
    query = lists.statement(SELECT_PAGE, FILTERS, page)
    # Ids tell of the cut-off, which may lie days before the settlement was made.
    values = {**lists.values(page, merchant_id, mode), "above": page.before or ABOVE_ALL}
    with connection.cursor(row_factory=class_row(Settlement)) as cursor:
        return cursor.execute(query, values).fetchall()


def about(connection: Connection, settlement: Settlement) -> About:
    """What the books say of the settlement besides its row."""
    with connection.cursor(row_factory=class_row(About)) as cursor:
        found = cursor.execute(SELECT_ABOUT, (settlement.id,)).fetchone()
    assert found is not None, "settlements are never deleted"  # noqa: S101
    return found


def kinds(connection: Connection, about: About) -> list[Kind]:
    """What the settlement's lines come to, by kind: one pass over them."""
    values = {
        "account_id": about.account_id,
        "after_entry": about.after_entry,
        "through_entry": about.through_entry,
        "carried_before": about.carried_before,
    }
    with connection.cursor(row_factory=class_row(Kind)) as cursor:
        return cursor.execute(SELECT_KINDS, values).fetchall()


def lines(connection: Connection, about: About, *, after: int, limit: int) -> list[Line]:
    """The settlement's lines after the entry, oldest first."""
    first = max(after, about.after_entry)
    values = (about.account_id, first, about.through_entry, limit)
    with connection.cursor(row_factory=class_row(Line)) as cursor:
        return cursor.execute(SELECT_LINES, values).fetchall()


def before(connection: Connection, about: About, *, through: int) -> Share:
    """What the settlement's lines up to and with the entry come to."""
    last = min(through, about.through_entry)
    with connection.cursor(row_factory=class_row(Share)) as cursor:
        found = cursor.execute(SELECT_BEFORE, (about.account_id, about.after_entry, last))
        return found.fetchone() or Share()
