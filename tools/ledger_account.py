"""Look at the ledger's accounts, and change how they take transfers, while payments go on.

    python -m tools.ledger_account --database-url URL list [--currency EUR] [--merchant mer_…]
    python -m tools.ledger_account --database-url URL queues
    python -m tools.ledger_account --database-url URL spread ACCOUNT 16
    python -m tools.ledger_account --database-url URL limit ACCOUNT debits|credits|none
    python -m tools.ledger_account --database-url URL close|reopen ACCOUNT
    python -m tools.ledger_account --database-url URL statement ACCOUNT --from TIME --until TIME

ACCOUNT is the id that `list` shows. A statement goes to standard output as CSV.
"""

import argparse
import csv
import datetime as dt
import sys
from collections.abc import Iterator
from uuid import UUID

from paynexus import ids
from paynexus.clock import system_clock
from paynexus.db import Connection, Database
from paynexus.errors import NotFound
from paynexus.ledger import reading
from paynexus.ledger.reading import Line, Period
from tools.running import run

PAGE = 1_000
LIMITS = {
    "debits": "debits_must_not_exceed_credits",
    "credits": "credits_must_not_exceed_debits",
    "none": None,
}
SQL_LIST = """
SELECT a.id, a.type, a.mode, a.currency, a.merchant_id, a.slots,
    CASE WHEN a.closed THEN 'closed' WHEN a.debits_must_not_exceed_credits THEN 'debits limited'
        WHEN a.credits_must_not_exceed_debits THEN 'credits limited' ELSE '' END,
    (n.balance).posted, (n.balance).pending, (n.balance).available
FROM accounts AS a CROSS JOIN LATERAL ledger_balances_now(ARRAY[a.id]) AS n
WHERE a.currency = coalesce(%s, a.currency) AND (%s::UUID IS NULL OR a.merchant_id = %s)
ORDER BY a.type, a.mode, a.currency, a.merchant_id
"""
SQL_QUEUES = "SELECT account_id, waiting FROM ledger_queues()"
SQL_SPREAD = "SELECT ledger_spread_account(%s, %s)"
SQL_LIMIT = "SELECT ledger_limit_account(%s, %s)"
SQL_CLOSE = "SELECT ledger_close_account(%s, %s)"
SQL_EXISTS = "SELECT 1 FROM accounts WHERE id = %s"


def main() -> int:
    """Do what was asked; an exit status other than 0 says why not."""
    asked = _parser().parse_args()
    return run(asked.database_url, lambda database: _act(database, asked))


def lines(connection: Connection, account: UUID, period: Period) -> Iterator[Line]:
    """All lines of the account's statement."""
    last: Line | None = None
    while page := reading.statement(connection, account, period, limit=PAGE, after=last).lines:
        yield from page
        last = page[-1]


def _act(database: Database, asked: argparse.Namespace) -> None:
    with database.transaction() as tx:
        if "account" in asked and tx.execute(SQL_EXISTS, (asked.account,)).fetchone() is None:
            raise NotFound(f"There is no account {asked.account}.")
        _do(tx, asked)


def _do(tx: Connection, asked: argparse.Namespace) -> None:
    match asked.verb:
        case "list":
            merchant = ids.parse("mer", asked.merchant) if asked.merchant else None
            _print_rows(tx, SQL_LIST, asked.currency, merchant, merchant)
        case "queues":
            _print_rows(tx, SQL_QUEUES)
        case "spread":
            tx.execute(SQL_SPREAD, (asked.account, asked.slots))
        case "limit":
            tx.execute(SQL_LIMIT, (asked.account, LIMITS[asked.side]))
        case "close" | "reopen":
            tx.execute(SQL_CLOSE, (asked.account, asked.verb == "close"))
        case _:
            _print_statement(tx, asked.account, Period(asked.first, asked.until, asked.known))


def _print_rows(tx: Connection, query: str, *values: object) -> None:
    for row in tx.execute(query.encode(), values):
        print(*("" if value is None else value for value in row), sep="\t")


def _print_statement(tx: Connection, account: UUID, period: Period) -> None:
    ends = reading.statement(tx, account, period, limit=0)
    rows = csv.writer(sys.stdout, lineterminator="\n")
    rows.writerow(
        ("effective", "recorded", "kind", "object", "type", "posted", "pending", "balance")
    )
    rows.writerow((period.first, "", "opening", "", "", "", "", ends.opening.posted))
    for line in lines(tx, account, period):
        rows.writerow(
            (
                line.effective_at,
                line.created_at,
                line.kind,
                line.object_id,
                line.type,
                line.change.posted,
                line.change.pending,
                line.balance.posted,
            )
        )
    rows.writerow((period.until, "", "closing", "", "", "", "", ends.closing.posted))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="The ledger's accounts.")
    parser.add_argument("--database-url", required=True)
    verbs = parser.add_subparsers(dest="verb", required=True)
    listing = verbs.add_parser("list", help="accounts with their slots, limits and balances")
    listing.add_argument("--currency")
    listing.add_argument("--merchant")
    verbs.add_parser("queues", help="accounts on which transfers wait now")
    for name in ("spread", "limit", "close", "reopen", "statement"):
        verbs.add_parser(name).add_argument("account", type=UUID)
    verbs.choices["spread"].add_argument("slots", type=int, choices=range(1, 65), metavar="1..64")
    verbs.choices["limit"].add_argument("side", choices=LIMITS)
    statement = verbs.choices["statement"]
    now = system_clock()
    statement.add_argument("--from", dest="first", type=_moment, required=True)
    statement.add_argument("--until", type=_moment, required=True)
    statement.add_argument("--known", type=_moment, default=now, help="as known then; now")
    return parser


def _moment(text: str) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


if __name__ == "__main__":
    sys.exit(main())
