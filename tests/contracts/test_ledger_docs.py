"""docs/ledger.md says what the code does."""

import re

import psycopg
import pytest

from paynexus.db import Database
from paynexus.ledger.accounts import AccountType
from paynexus.ledger.chart import DEBIT_NORMAL, PURPOSES
from paynexus.ledger.results import DIFFERENT, Status
from tools import ledger_walkthrough


def test_the_walk_is_what_the_database_answers(database_url: str) -> None:
    """Chart, bookings and walk are current (`make generate`)."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        current = ledger_walkthrough.page(connection)

    assert current == ledger_walkthrough.PAGE.read_text(encoding="utf-8")


def test_every_result_has_its_line() -> None:
    """In the table, each once."""
    page = ledger_walkthrough.PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z_…]+)` \| [^|`]+ \|$", page, re.MULTILINE)

    assert sorted(rows) == sorted(
        f"{DIFFERENT}…" if one is Status.EXISTS_WITH_DIFFERENCE else one.value for one in Status
    )


@pytest.mark.parametrize("kind", AccountType)
def test_accounts_are_opened_on_their_normal_side(database: Database, kind: AccountType) -> None:
    """The database and the chart agree on each type."""
    [row] = database.connection().execute(
        "SELECT normal_side FROM ledger_account(%s, 'test', 'EUR', NULL)", (kind,)
    )

    assert (row[0] == "debit") == (kind in DEBIT_NORMAL)
    assert PURPOSES[kind]
