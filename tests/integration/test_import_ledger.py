"""Books of another system are imported once, as of their own times, or not at all."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from paynexus import ids
from paynexus.db import Database
from paynexus.ids import MerchantId
from paynexus.ledger import reading
from tools import import_ledger

HEAD = "reference,debit,credit,credit_merchant,amount,currency,effective_at"


def written(folder: Path, *lines: str) -> Path:
    """A file of these lines below the head."""
    path = folder / "transfers.csv"
    path.write_text("\n".join([HEAD, *lines, ""]), encoding="utf-8")
    return path


@pytest.fixture(name="run")
def _run(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], int]:
    def run(path: Path) -> int:
        """The command's exit status."""
        arguments = ["", "--database-url", database_url, "--source", "old", str(path)]
        monkeypatch.setattr("sys.argv", arguments)
        return import_ledger.main()

    return run


def test_a_file_is_booked_once_as_of_its_own_times(
    database: Database,
    merchant: MerchantId,
    tmp_path: Path,
    run: Callable[[Path], int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """More than a batch; again changes nothing; a longer file goes on where this one ended."""
    owner = ids.text("mer", merchant)
    lines = [
        f"r{n},gateway_receivable,merchant_payable,{owner},{n + 1},EUR,2025-0{1 + n % 9}-01T00:00Z"
        for n in range(1_200)
    ]

    assert run(written(tmp_path, *lines[:1_100])) == 0
    assert run(written(tmp_path, *lines)) == 0
    assert run(written(tmp_path, *lines)) == 0

    told = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert told == ["1100", "100", "0"]
    spring = dt.datetime(2025, 3, 31, tzinfo=dt.UTC)
    now = dt.datetime(2199, 1, 1, tzinfo=dt.UTC)
    [past] = reading.balances_at(database.connection(), merchant, "live", at=spring, known_at=now)
    assert past.posted == sum(n + 1 for n in range(1_200) if n % 9 < 3)


BAD = [
    ("r1,cash,suspense,,0,EUR,2025-01-01T00:00Z", "line 3: a transfer moves a positive amount"),
    ("r1,cash,suspense,,5,XXX,2025-01-01T00:00Z", "line 3: currency: 'XXX' is none"),
    ("r1,cash,suspense,,5,EUR,2025-01-01T00:00", "line 3: effective_at: it has no offset"),
    ("r1,cash,nothing,,5,EUR,2025-01-01T00:00Z", "line 3: 'nothing' is not a valid AccountType"),
    ("r1,cash,merchant_payable,,5,EUR,2025-01-01T00:00Z", "line 3: credit_merchant:"),
    ("r0,cash,suspense,,5,EUR,2025-01-01T00:00Z", "line 3: the reference stands in line 2"),
    ("r1,cash,suspense,,5,EUR", "line 3: the number of fields"),
    (",cash,suspense,,5,EUR,2025-01-01T00:00Z", "line 3: reference: it is empty"),
    ("r1,cash,cash,,5,EUR,2025-01-01T00:00Z", "line 3: accounts_must_be_different"),
    (
        f"r1,cash,merchant_payable,{ids.text('mer', ids.new_id())},5,EUR,2025-01-01T00:00Z",
        "line 3: there is no merchant mer_",
    ),
]


def test_a_bad_line_is_named_and_nothing_is_booked(
    database: Database,
    tmp_path: Path,
    run: Callable[[Path], int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whether it can't be read or the ledger refuses it."""
    good = "r0,cash,suspense,,5,EUR,2025-01-01T00:00Z"
    for line, why in BAD:
        assert run(written(tmp_path, good, line)) == 1, line

        assert why in capsys.readouterr().err
    assert database.connection().execute("SELECT 1 FROM transfers").fetchone() is None
