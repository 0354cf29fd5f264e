"""Cases that wait for a person: look at them, settle what a gateway has said, close the rest.

    python -m tools.cases --database-url URL list
    python -m tools.cases --database-url URL settle REFERENCE approved|declined --by NAME
    python -m tools.cases --database-url URL close CASE --by NAME --because TEXT

`settle` is for the gateway's own sure word about the whole amount, from its settlement file or its
support: the payment or refund follows it, and its case closes by itself.
"""

import argparse
import sys
from collections.abc import Iterable
from uuid import UUID

from paynexus import ids
from paynexus.clock import system_clock
from paynexus.db import Connection, Database
from paynexus.errors import NotFound
from paynexus.gateways.port import Outcome, Result
from paynexus.observability import logger
from paynexus.payments import authority, cases
from tools.running import run

SQL_OPEN = """
SELECT c.id, c.kind, c.payment_id, c.due_at, a.gateway, a.operation, a.reference, a.amount,
    a.currency, coalesce(a.outcome, 'RUNNING'), a.code
FROM cases AS c INNER JOIN attempts AS a ON a.id = c.attempt_id
WHERE c.state = 'OPEN' ORDER BY c.due_at
"""
TITLES = (
    *("case", "kind", "payment", "due", "gateway", "operation", "reference", "amount"),
    *("currency", "outcome", "code"),
)


def main(arguments: list[str] | None = None) -> int:
    """Do what was asked; an exit status other than 0 says why not."""
    asked = _parser().parse_args(arguments)
    return run(asked.database_url, lambda database: _DO[asked.what](database, asked))


def _list(database: Database, _: argparse.Namespace) -> None:
    with database.reading() as connection:
        rows = [_shown(row) for row in connection.execute(SQL_OPEN)]
    print("\t".join(TITLES))
    for row in rows:
        print("\t".join(row))


def _shown(row: Iterable[object]) -> list[str]:
    case_id, kind, payment_id, *rest = row
    assert isinstance(payment_id, UUID)  # noqa: S101 - the column's type
    payment = ids.text("pay", payment_id)
    return [str(value if value is not None else "") for value in (case_id, kind, payment, *rest)]


def _settle(database: Database, asked: argparse.Namespace) -> None:
    # Who said so is in the log, not in the code: merchants read that.
    result = Result(Outcome(asked.outcome.upper()))
    settled = authority.settle_unknown(database, asked.reference, result, now=system_clock())
    logger.warning("case settled", reference=asked.reference, who=asked.by, settled=str(settled))
    print(settled)


def _close(database: Database, asked: argparse.Namespace) -> None:
    with database.transaction() as tx:
        _close_one(tx, asked)
    logger.warning("case closed", case=str(asked.case), who=asked.by)
    print("closed")


def _close_one(tx: Connection, asked: argparse.Namespace) -> None:
    is_closed = cases.close(tx, asked.case, asked.because, who=asked.by, now=system_clock())
    if not is_closed:
        raise NotFound(
            "There is no such open case, or its outcome is still unknown: settle that instead."
        )


_DO = {"list": _list, "settle": _settle, "close": _close}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.cases", description=__doc__)
    parser.add_argument("--database-url", required=True)
    what = parser.add_subparsers(dest="what", required=True)
    what.add_parser("list", help="open cases, the most urgent first")
    settle = what.add_parser("settle", help="a gateway's sure word about one reference")
    settle.add_argument("reference")
    settle.add_argument("outcome", choices=("approved", "declined"))
    close = what.add_parser("close", help="a case that a person has cleared up")
    close.add_argument("case", type=UUID)
    close.add_argument("--because", required=True, help="what was found and done")
    for one in (settle, close):
        one.add_argument("--by", required=True, help="who says so")
    return parser


if __name__ == "__main__":
    sys.exit(main())
