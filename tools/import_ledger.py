"""Book opening balances and past transfers from a CSV file, each line once.

    python -m tools.import_ledger --database-url URL --source old-system transfers.csv

The head names the columns: reference, debit, credit, amount, currency, effective_at; and where they
are needed debit_merchant, credit_merchant, mode (live unless given). Amounts are minor units,
times RFC 3339. `reference` is the line's own name in the source: with the source it makes the
transfer's id, so that a file may be imported again, or go on after a break.

All lines are read first; one bad line, and nothing is booked. Then a thousand at a time, all of
them or none. Transfers are of kind `import`, count from `effective_at` and are known from now.
"""

import argparse
import csv
import datetime as dt
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import batched
from pathlib import Path
from uuid import UUID, uuid5

from paynexus import ids
from paynexus.db import Database
from paynexus.errors import PayNexusError
from paynexus.ids import MerchantId, TransferId
from paynexus.ledger import store
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.model import Order, Transfer, TransferKind
from paynexus.money import EXPONENTS, Money

BATCH = 1_000
NAMESPACE = UUID("7d1d4ab5-91a1-5c0c-9c57-8e0c6ba0c6a1")
"""Of ids made from a source and a reference."""
COLUMNS = frozenset({"reference", "debit", "credit", "amount", "currency", "effective_at"})
OPTIONAL = frozenset({"debit_merchant", "credit_merchant", "mode"})
SQL_MERCHANTS = "SELECT id FROM merchants WHERE id = ANY(%s)"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the file and the order that it stands for."""

    number: int
    order: Order


class BadLinesError(Exception):
    """Lines that can't be booked, each with its number and why."""


def main() -> int:
    """Say how many lines were booked, or which are bad; then the exit status is 1."""
    asked = _parser().parse_args()
    database = Database(lambda: asked.database_url)
    try:
        with asked.file.open(encoding="utf-8", newline="") as text:
            lines = read(text, source=asked.source)
        booked = book(database, lines)
    except (BadLinesError, PayNexusError, UnicodeDecodeError) as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        database.close()
    print(f"{booked} of {len(lines)} transfers were booked; the others had been before.")
    return 0


def read(text: Iterable[str], *, source: str) -> list[Line]:
    """Every line of the file as an order; BadLinesError names all that are none."""
    rows = csv.DictReader(text)
    names = set(rows.fieldnames or ())
    if not names >= COLUMNS or names - COLUMNS - OPTIONAL:
        wrong = sorted(COLUMNS - names) + sorted(names - COLUMNS - OPTIONAL)
        raise BadLinesError(f"line 1: columns missing or not known: {', '.join(wrong)}")
    lines, bad, first = [], [], dict[str, int]()
    for row in rows:
        number = rows.line_num
        earlier = first.setdefault(row["reference"], number)
        if earlier != number:
            bad.append(f"line {number}: the reference stands in line {earlier} already")
            continue
        try:
            lines.append(Line(number, _order(row, source=source)))
        except (ValueError, KeyError, TypeError) as error:
            bad.append(f"line {number}: {error}")
    if bad:
        raise BadLinesError("\n".join(bad))
    return lines


def book(database: Database, lines: Sequence[Line]) -> int:
    """All lines are booked, a thousand a transaction; how many were new.

    BadLinesError names lines that the ledger refuses: nothing of their thousand is booked, and
    nothing after it.
    """
    _require_merchants(database, lines)
    created = 0
    for batch in batched(lines, BATCH, strict=False):
        with database.transaction() as tx:
            results = store.transfers(tx, [line.order for line in batch], with_balances=False)
            refused = [
                f"line {line.number}: {result.status} {result.field or ''}".rstrip()
                for line, result in zip(batch, results, strict=True)
                if not result.is_booked
            ]
            if refused:
                raise BadLinesError("\n".join(refused))
        created += sum(result.status == "created" for result in results)
    return created


def _require_merchants(database: Database, lines: Sequence[Line]) -> None:
    named = {
        account.merchant_id: line.number
        for line in reversed(lines)
        if line.order.transfer
        for account in (line.order.transfer.debit, line.order.transfer.credit)
        if account.merchant_id
    }
    with database.reading() as connection:
        known = {row[0] for row in connection.execute(SQL_MERCHANTS, (list(named),))}
    if missing := sorted((number, one) for one, number in named.items() if one not in known):
        raise BadLinesError(
            "\n".join(
                f"line {number}: there is no merchant {ids.text('mer', one)}"
                for number, one in missing
            )
        )


def _order(row: dict[str, str], *, source: str) -> Order:
    if None in row or None in row.values():
        raise ValueError("the number of fields differs from the head's")
    if not row["reference"]:
        raise ValueError("reference: it is empty")
    if row["currency"] not in EXPONENTS:
        raise ValueError(f"currency: {row['currency']!r} is none")
    effective = dt.datetime.fromisoformat(row["effective_at"])
    if effective.tzinfo is None:
        raise ValueError("effective_at: it has no offset from UTC")
    transfer = Transfer(
        id=TransferId(uuid5(NAMESPACE, f"{source}/{row['reference']}")),
        kind=TransferKind.IMPORT,
        debit=_account(row, "debit"),
        credit=_account(row, "credit"),
        money=Money(int(row["amount"]), row["currency"]),
        object_id=row["reference"],
    )
    return Order.single(transfer, effective_at=effective)


def _account(row: dict[str, str], side: str) -> Account:
    merchant = row.get(f"{side}_merchant")
    owner = MerchantId(ids.parse("mer", merchant)) if merchant else None
    mode = row.get("mode") or "live"
    if mode not in {"live", "test"}:
        raise ValueError(f"mode: {mode!r} is none")
    kind = AccountType(row[side])
    if (kind is AccountType.MERCHANT_PAYABLE) > (owner is not None):
        raise ValueError(f"{side}_merchant: {kind} is a merchant's account")
    return Account(kind, mode, row["currency"], owner)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Import transfers from a CSV file.")
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--source", required=True, help="the name of the system they come from")
    parser.add_argument("file", type=Path)
    return parser


if __name__ == "__main__":
    sys.exit(main())
