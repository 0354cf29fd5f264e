"""What a person does about a case, by `tools.cases`: no open question is closed."""

import datetime as dt
from pathlib import Path

import pytest

from paynexus import ids
from paynexus.gateways.port import Outcome, Result
from paynexus.payments import authority, ladder
from tests.integration.unknown_world import Shop, Wire
from tests.sandbox import Sandbox
from tools.cases import main


@pytest.fixture(name="shop")
def _shop(flow: object, sandbox: Sandbox, tmp_path: Path) -> Shop:
    shop = Shop(**vars(flow), wire=Wire(sandbox.gateway), sandbox=sandbox)
    shop.gateways = {"test": shop.wire}
    return shop


def run(url: str, *words: str) -> int:
    """The tool's exit status."""
    return main(["--database-url", url, *words])


def test_an_unknown_outcome_is_settled_by_the_gateways_word_alone(
    shop: Shop, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Listed with its reference; not to be closed; once settled its case is closed with it."""
    shop.wire.is_deaf = True
    payment_id, _ = shop.take("tok_timeout_after")
    shop.wire.is_dead = True
    shop.later(ladder.CASE_AFTER + dt.timedelta(minutes=1))
    [(case_id,)] = shop.ask("SELECT id FROM cases")
    listed = run(database_url, "list")
    shown = capsys.readouterr().out
    refused = run(database_url, "close", str(case_id), "--by", "ada", "--because", "old")
    settled = run(database_url, "settle", ids.text("chg", payment_id), "declined", "--by", "ada")

    assert (listed, refused, settled) == (0, 1, 0)
    assert ids.text("chg", payment_id) in shown
    assert ids.text("pay", payment_id) in shown
    assert shop.status(payment_id) == ("FAILED", "declined")
    assert shop.ask("SELECT state, who FROM cases") == [("CLOSED", "paynexus")]


def test_a_contradiction_is_closed_by_who_cleared_it_up(shop: Shop, database_url: str) -> None:
    """Once, and by name."""
    payment_id, _ = shop.take()
    authority.settle_unknown(
        shop.database, ids.text("chg", payment_id), Result(Outcome.DECLINED), now=shop.now
    )
    [(case_id,)] = shop.ask("SELECT id FROM cases WHERE state = 'OPEN'")
    words = ("close", str(case_id), "--by", "ada", "--because", "their file was wrong")

    assert [run(database_url, *words), run(database_url, *words)] == [0, 1]
    assert shop.ask("SELECT state, resolution, who FROM cases") == [
        ("CLOSED", "their file was wrong", "ada")
    ]
    assert run(database_url, "settle", "chg_of_nobody", "approved", "--by", "ada") == 1
