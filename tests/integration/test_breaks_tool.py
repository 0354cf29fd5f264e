"""What operators do about breaks, by `tools.breaks`."""

import datetime as dt
from collections.abc import Iterator

import pytest

from paynexus import ids
from paynexus.db import Database
from paynexus.ids import MerchantId
from paynexus.settlement.breaks.model import BreakId, BreakStatus, BreakType
from tests import shown_by_the_bank
from tests.integration.breaks_world import Desk
from tools.breaks import main


@pytest.fixture(name="desk")
def _desk(database: Database, merchant: MerchantId, now: dt.datetime) -> Iterator[Desk]:
    yield Desk(database, merchant, now)
    shown_by_the_bank.show(database, now=now)


class Shell:
    """Runs the tool, and keeps what it printed."""

    def __init__(self, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.url, self.capsys = url, capsys

    def __call__(self, what: str, *words: str) -> tuple[int, str]:
        """The exit status, and what was printed, errors too; without the log."""
        self.capsys.readouterr()
        try:
            status = main(["--database-url", self.url, what, *words])
        except SystemExit as stop:
            status = int(str(stop.code))
        printed = self.capsys.readouterr()
        lines = [line for line in printed.out.splitlines() if not line.startswith("{")]
        return status, "\n".join(lines) + printed.err


@pytest.fixture(name="run")
def _run(database_url: str, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(database_url, capsys)


def name(of: BreakId) -> str:
    """As operators write it."""
    return ids.text("brk", of)


def test_a_break_is_found_handed_over_and_resolved_by_two(desk: Desk, run: Shell) -> None:
    """Word for word as docs/settlement/breaks.md walks through it."""
    of = desk.arrive("0123456789abcdef:3", amount=12_500)
    merchant = f"merchant_payable:{ids.text('mer', desk.merchant)}"
    money = ("--debit", "suspense", "--credit", merchant)

    status, printed = run("list", "--type", "extra", "--mode", "test")
    [titles, row] = [line.split("\t") for line in printed.splitlines()]
    assert status == 0
    assert dict(zip(titles, row, strict=True)) == {
        "break": name(of),
        "type": "extra",
        "status": "OPEN",
        "severity": "high",
        "due": desk.broken(of).due_at.isoformat(timespec="minutes"),
        "mode": "test",
        "amount": "12500",
        "currency": "EUR",
        "policy": "find_the_reason_of_money",
        "assignee": "-",
        "subject": "bank_line:0123456789abcdef:3",
    }
    assert run("assign", name(of), "--to", "ada") == (0, "assigned to ada")
    status, printed = run("propose", name(of), "--by", "ada", "--because", "invoice 7", *money)
    assert (status, printed) == (0, "proposed: another person approves or refuses")
    status, printed = run("approve", name(of), "--by", "Ada ")
    assert (status, "four eyes" in printed) == (1, True)
    status, printed = run("approve", name(of), "--by", "bob")
    [(transfer_id, amount)] = desk.transfers(of)
    assert (status, printed) == (0, f"resolved by transfer {transfer_id}")
    assert amount == 12_500

    status, printed = run("show", name(of))
    assert status == 0
    assert f"proposed by ada: debit suspense, credit {merchant}, 12500 EUR minor units" in printed
    assert "approved by bob" in printed
    assert "resolution: invoice 7" in printed
    assert run("list")[1].splitlines() == ["\t".join(titles)]


def test_an_explanation_is_refused_and_given_again(desk: Desk, run: Shell) -> None:
    """Nothing is booked; both are shown."""
    of = desk.open(type=BreakType.TIMING, amount=0, merchant_id=desk.merchant)
    assert run("propose", name(of), "--by", "ada", "--because", "holiday")[0] == 0
    assert run("refuse", name(of), "--by", "bob", "--because", "it was none")[0] == 0
    assert run("propose", name(of), "--by", "ada", "--because", "strike")[0] == 0
    assert run("approve", name(of), "--by", "bob") == (0, "resolved")

    status, printed = run("show", name(of))

    assert status == 0
    assert f"merchant: {ids.text('mer', desk.merchant)}" in printed
    assert "an explanation, no transfer, because holiday" in printed
    assert "refused, because it was none by bob" in printed
    assert desk.transfers(of) == []


def test_the_breaks_own_merchant_need_not_be_named(desk: Desk, run: Shell) -> None:
    """And less than all may be moved."""
    of = desk.open(merchant_id=desk.merchant)
    words = ("--by", "ada", "--because", "so", "--debit", "merchant_payable", "--credit", "fees")

    assert run("propose", name(of), *words, "--amount", "499")[0] == 0

    assert run("approve", name(of), "--by", "bob")[0] == 0
    assert [amount for _, amount in desk.transfers(of)] == [499]


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (("--debit", "fees"), 1, "give both --debit and --credit"),
        (("--amount", "5"), 1, "give --debit and --credit"),
        (("--debit", "fees", "--credit", "cash", "--amount", "501"), 1, "500 minor units at most"),
        (("--debit", "fees", "--credit", "fees"), 1, "two accounts"),
        (("--debit", "merchant_payable", "--credit", "fees"), 1, "is a merchant's"),
        (("--debit", "till", "--credit", "fees"), 2, "no such account; there are gateway_rec"),
        (("--debit", "merchant_payable:mer_x", "--credit", "fees"), 2, "mer_x: not an id"),
        (("--debit", "fees", "--credit", "cash", "--amount", "much"), 2, "invalid int"),
    ],
)
def test_what_can_not_be_proposed_is_told(
    desk: Desk, run: Shell, words: tuple[str, ...], status: int, says: str
) -> None:
    """With what to do; the break stays open."""
    of = desk.open()

    found, printed = run("propose", name(of), "--by", "ada", "--because", "so", *words)

    assert found == status
    assert says in printed
    assert desk.broken(of).status is BreakStatus.OPEN


def test_more_than_the_break_takes_a_word_more(desk: Desk, run: Shell) -> None:
    """Expressly."""
    of = desk.open()
    words = ("--debit", "fees", "--credit", "cash", "--amount", "501", "--beyond")

    assert run("propose", name(of), "--by", "ada", "--because", "so", *words)[0] == 0


def test_there_is_no_such_break(desk: Desk, run: Shell) -> None:
    """Said of a wrong id, and of one that isn't any."""
    desk.open()
    assert run("show", ids.text("brk", ids.new_id())) == (1, "There is no such break.\n")
    status, printed = run("show", "brk_1")
    assert status == 2
    assert "not an id with the prefix brk_" in printed
    assert run("list", "--type", "odd")[0] == 2
    assert run("list", "--status", "RESOLVED")[0] == 0
