"""Operators read and change when and where merchants are paid, and hear what is wrong."""

import datetime as dt
import json
from collections.abc import Callable

import pytest

from paynexus import ids
from paynexus.db import Database
from paynexus.ids import MerchantId
from tests.settling import IBAN, Shop, real_now
from tools import settlement_terms

type Tool = Callable[..., tuple[int, str, str]]


@pytest.fixture
def tool(database_url: str, capsys: pytest.CaptureFixture[str]) -> Tool:
    """Runs the tool; its exit status and what it printed."""

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = settlement_terms.main(["--database-url", database_url, *arguments])
        said = capsys.readouterr()
        lines = [line for line in said.out.splitlines() if '"service"' not in line]
        return status, "\n".join(lines), said.err

    return run


def test_terms_are_shown_and_changed_bit_by_bit(tool: Tool, merchant: MerchantId) -> None:
    """What is not named stays."""
    name = ids.text("mer", merchant)
    status, shown, _ = tool("show", name)
    assert status == 0
    assert [json.loads(line)["currency"] for line in shown.splitlines()] == ["EUR", "USD"]

    tool("set", name, "EUR", "--frequency", "weekly", "--weekday", "5", "--minimum-amount", "900")
    status, shown, _ = tool(
        "set", name, "EUR", "--cutoff-time", "18:30", "--time-zone", "Asia/Tokyo"
    )
    found = json.loads(shown)

    assert status == 0
    assert (found["frequency"], found["weekday"], found["cutoff_time"]) == ("weekly", 5, "18:30")
    assert (found["minimum"]["amount"], found["time_zone"]) == (900, "Asia/Tokyo")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("set", "{}", "EUR"), "Name what changes"),
        (("set", "{}", "EUR", "--time-zone", "Mars/Base"), "time_zone"),
        (("set", "{}", "EUR", "--frequency", "monthly"), "month_day"),
        (("set", "{}", "XXX", "--weekday", "1"), "currency"),
        (("set", "{}", "EUR", "--calendar", "NO"), "calendar"),
        (("set", "mer_1", "EUR", "--weekday", "1"), "merchant"),
        (
            ("set", ids.text("mer", ids.new_id()), "EUR", "--minimum-amount", "1"),
            "no such merchant",
        ),
        (("account", "{}", "EUR", "--holder", "A", "--iban", "DE00370400440532013000"), "iban"),
        (
            ("account", "{}", "EUR", "--holder", "A", "--iban", IBAN, "--country", "DE"),
            "town",
        ),
        (("holidays", "NO", "--add", "2027-13-01", "x"), "2027-05-17"),
        (("holidays", "NO", "--add", "2027-05-16", "x"), "weekend"),
    ],
)
def test_bad_input_is_told_and_changes_nothing(
    tool: Tool, merchant: MerchantId, arguments: tuple[str, ...], said: str
) -> None:
    """On the error output, with a status that scripts see."""
    name = ids.text("mer", merchant)
    before = tool("show", name)
    status, _, error = tool(*(one.format(name) for one in arguments))

    assert status == 1
    assert said in error
    assert tool("show", name) == before


def test_another_account_is_tried_by_the_next_run(
    tool: Tool, database: Database, merchant: MerchantId
) -> None:
    """The refused one is forgotten the moment it is replaced."""
    shop, name = Shop(database, merchant), ids.text("mer", merchant)
    shop.pays(1_000)
    shop.run()
    shop.fails(shop.settlements()[0], "AC04")
    status, shown, _ = tool(
        *("account", name, "EUR", "--holder", "Café Müller", "--bic", "SOLADEST600"),
        *("--iban", "DE75 5121 0800 1245 1261 99", "--town", "Berlin", "--country", "DE"),
    )

    assert (status, json.loads(shown)["iban"]) == (0, "DE75…6199")
    assert shop.run(at=real_now() + dt.timedelta(minutes=2)).made == 1
    creditor = shop.settlements()[0].creditor
    assert (creditor.iban, creditor.bic) == ("DE75512108001245126199", "SOLADEST600")
    assert creditor.address is not None
    assert (creditor.address.town, creditor.address.street) == ("Berlin", None)


def test_holidays_are_added_once_and_calendars_used(tool: Tool, merchant: MerchantId) -> None:
    """A calendar is known once it has a day."""
    assert tool("holidays", "NO") == (0, "", "")
    tool("holidays", "NO", "--add", "2027-05-17", "Constitution Day")
    status, shown, _ = tool("holidays", "NO", "--add", "2027-05-17", "Again")

    assert (status, shown) == (0, "2027-05-17\tConstitution Day")
    assert tool("set", ids.text("mer", merchant), "EUR", "--calendar", "NO")[0] == 0
