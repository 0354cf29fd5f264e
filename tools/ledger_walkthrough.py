"""Write the generated parts of docs/ledger.md: the chart of accounts, and a walk in SQL.

    python -m tools.ledger_walkthrough            write them
    python -m tools.ledger_walkthrough --check    say whether they are current

The walk runs against a Postgres of its own. It names its ids and shows no times, so that its
output is the same each time.
"""

import argparse
import re
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import psycopg

from paynexus import db
from paynexus.ledger.accounts import AccountType
from paynexus.ledger.chart import BOOKINGS, DEBIT_NORMAL, PURPOSES, RETURN_TO_ZERO
from tools.local_stack import postgres

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/ledger.md"
STEPS = Path(__file__).with_suffix(".sql")
MIGRATIONS = ROOT / "infra/database/migrations"
VOID = 2278
"""The type of functions that answer nothing."""
PART = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> int:
    """Write the page, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true")
    is_check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        server = postgres.start(Path(folder))
        try:
            with psycopg.connect(server.url, autocommit=True) as connection:
                db.migrate(connection, MIGRATIONS)
                current = page(connection)
        finally:
            server.stop()
    if not is_check:
        PAGE.write_text(current, encoding="utf-8")
        return 0
    if PAGE.read_text(encoding="utf-8") == current:
        return 0
    print("docs/ledger.md is stale: run `make generate`.", file=sys.stderr)
    return 1


def page(connection: psycopg.Connection) -> str:
    """The page as a freshly migrated database makes it."""
    parts = {"chart": _chart(), "bookings": _bookings(), "walk": "\n\n".join(_walk(connection))}
    text = PAGE.read_text(encoding="utf-8")
    return PART.sub(lambda found: f"{found[1]}\n{parts[found[2]]}\n\n{found[3]}", text)


def _chart() -> str:
    rows = [
        (
            f"`{kind}`",
            "debits" if kind in DEBIT_NORMAL else "credits",
            PURPOSES[kind] + ("; returns to zero" if kind in RETURN_TO_ZERO else ""),
        )
        for kind in AccountType
    ]
    return _table(("account", "grows by", "what its balance says"), rows)


def _bookings() -> str:
    rows = [(f"`{kind}`", f"`{to}`", f"`{of}`") for kind, (to, of) in BOOKINGS.items()]
    return _table(("kind", "debits", "credits"), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _walk(connection: psycopg.Connection) -> Iterator[str]:
    """Each step's sentence, its SQL and what the database answered."""
    for step in STEPS.read_text(encoding="utf-8").strip().split("\n\n"):
        comment = [line[3:] for line in step.splitlines() if line.startswith("-- ")]
        query = "\n".join(line for line in step.splitlines() if not line.startswith("-- "))
        if comment:
            yield textwrap.fill(" ".join(comment), 100, break_on_hyphens=False)
        yield f"```sql\n{query}\n```"
        if answer := _answer(connection, query):
            yield f"```\n{answer}\n```"


def _answer(connection: psycopg.Connection, query: str) -> str:
    try:
        cursor = connection.execute(query.encode())
    except psycopg.Error as refusal:
        return f"ERROR: {refusal.diag.message_primary}"
    if not cursor.description or cursor.description[0].type_code == VOID:
        return ""
    return _aligned([column.name for column in cursor.description], cursor.fetchall())


def _aligned(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows as psql shows them, numbers to the right."""
    cells = [["" if value is None else str(value) for value in row] for row in rows]
    widths = [max(len(row[at]) for row in [list(head), *cells]) for at in range(len(head))]
    lines = [
        " | ".join(name.ljust(width) for name, width in zip(head, widths, strict=True)),
        "-+-".join("-" * width for width in widths),
    ]
    for row, values in zip(cells, rows, strict=True):
        lines.append(
            " | ".join(
                cell.rjust(width) if isinstance(value, int | Decimal) else cell.ljust(width)
                for cell, value, width in zip(row, values, widths, strict=True)
            )
        )
    return "\n".join(line.rstrip() for line in lines)


if __name__ == "__main__":
    sys.exit(main())
