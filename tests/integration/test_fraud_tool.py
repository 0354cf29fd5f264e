"""What operators decide for all merchants, by `tools.fraud`."""

import datetime as dt
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from paynexus import ids
from paynexus.clock import system_clock
from paynexus.db import Database
from paynexus.fraud.backtest import worker
from tools.fraud.__main__ import main

SDN = (
    '173,"ZARKOV, Ivan Petrovich","individual","SDGT","Minister",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,'
    "-0- \r\n\x1a"
)
ALT = '173,9,"aka","SARKOV, Iwan","-0- "\r\n\x1a'
RULE = ("many_cards", "card_count_10m > 3", "block", "Many payments with one card")

type Tool = Callable[..., str]


@pytest.fixture(name="tool")
def _tool(database_url: str, capsys: pytest.CaptureFixture[str]) -> Tool:
    """Runs the command and answers what it printed; `fails` answers what it complained of."""

    def run(*words: str, fails: bool = False) -> str:
        status = main(["--database-url", database_url, *words])
        printed = capsys.readouterr()
        assert bool(status) is fails, printed
        lines = (printed.err if fails else printed.out).splitlines(keepends=True)
        # Metrics go to the same place as answers.
        return "".join(line for line in lines if not line.startswith('{"_aws"'))

    return run


def id_in(text: str, prefix: str) -> str:
    """The first id with this prefix."""
    found = re.search(rf"{prefix}_[0-9a-z]{{26}}", text)
    assert found is not None, text
    return found[0]


def line_of(text: str, object_id: str) -> dict[str, str]:
    """The line of the object, by the names of its members."""
    [line] = [line for line in text.splitlines() if line.startswith(f"id={object_id}\t")]
    return dict(member.split("=", 1) for member in line.split("\t"))


def test_a_rule_of_the_platforms_from_draft_to_disabled(database: Database, tool: Tool) -> None:
    """Each step by name; the list and the statistics say how it stands."""
    made = tool("rules", "create", *RULE, "--by", "ada")
    rule, version = id_in(made, "frl"), id_in(made, "frv")
    worded = json.loads(tool("rules", "version", rule, *RULE[1:], "--by", "ada"))
    tool("rules", "shadow", rule, version, "--by", "bob")
    listed = tool("rules", "list")
    counted = tool("rules", "statistics", rule)
    disabled = json.loads(tool("rules", "disable", rule, "--by", "eve"))

    assert (json.loads(made)["scope"], json.loads(made)["state"]) == ("platform", "draft")
    assert worded["newest"]["number"] == 2
    assert line_of(listed, rule)["state"] == "shadow"
    assert counted == ""
    assert disabled["state"] == "disabled"
    query = "SELECT started_by, ended_by FROM fraud_rule_runs WHERE rule_id = %s"
    runs = database.connection().execute(query, (ids.parse("frl", rule),))
    assert runs.fetchall() == [("bob", "eve")]


def test_a_rule_with_a_fault_is_refused_with_its_place(tool: Tool) -> None:
    """Line and column, and what would be right; nothing is stored."""
    said = tool("rules", "create", "wrong", "amout > 5", "block", "No", "--by", "ada", fails=True)

    assert "1:1" in said
    assert "amount" in said
    assert "code=wrong" not in tool("rules", "list")


def test_a_sanctions_list_is_imported_with_its_aliases(tool: Tool, tmp_path: Path) -> None:
    """Again, it changes nothing; a broken line is named."""
    (tmp_path / "sdn.csv").write_bytes(SDN.encode())
    (tmp_path / "alt.csv").write_bytes(ALT.encode())
    (tmp_path / "broken.csv").write_text("173,too short\n")
    made = id_in(tool("lists", "create", "OFAC", "name", "block", "--by", "ada"), "fls")
    usual = ("--layout", "ofac_sdn", "--by", "ada")
    whole = ("lists", "import", made, str(tmp_path / "sdn.csv"))
    words = (*whole, "--aliases", str(tmp_path / "alt.csv"), *usual)

    assert "added=2" in tool(*words)
    assert "unchanged=2" in tool(*words)
    broken = ("lists", "import", made, str(tmp_path / "broken.csv"), *usual)
    assert "Line 1" in tool(*broken, fails=True)
    assert f"id={made}" in tool("lists", "list")


def test_entries_come_and_go_by_hand(tool: Tool) -> None:
    """And the list is stopped for a while."""
    made = id_in(tool("lists", "create", "Thieves", "email", "block", "--by", "ada"), "fls")
    entry = id_in(tool("lists", "add", made, "Eve@Mail.example", "--by", "ada"), "fle")

    assert "removed=2" in tool("lists", "remove", entry, "--by", "ada")
    assert "state=disabled" in tool("lists", "change", made, "--state", "disabled", "--by", "ada")
    assert tool("lists", "remove", entry, "--by", "ada", fails=True)


def test_a_closed_gate_is_told_and_overruled_with_a_reason_alone(
    database: Database, tool: Tool
) -> None:
    """Without one nothing takes effect; reverting puts back what stood."""
    made = tool("rules", "create", *RULE, "--by", "ada")
    rule = id_in(made, "frl")
    change = {"type": "rule", "rule": rule, "version": id_in(made, "frv")}

    def state() -> str:
        return line_of(tool("rules", "list"), rule)["state"]

    now = system_clock()
    period = ("--from", (now - dt.timedelta(days=1)).isoformat(), "--to", now.isoformat())
    ordered = tool("backtests", "order", json.dumps(change), *period, "--by", "ada")
    backtest = id_in(ordered, "fbt")
    worker.run_pending(database, now=system_clock())

    said = tool("promotions", "promote", backtest, "--by", "ada", fails=True)
    assert "payments_min" in said
    assert state() == "draft"
    words = ("promotions", "promote", backtest, "--by", "ada", "--because", "an attack is on")
    promoted = json.loads(tool(*words))
    assert promoted["because"] == "an attack is on"
    assert state() == "active"
    tool("promotions", "revert", promoted["id"], "--by", "ada")
    assert state() == "disabled"
    assert f"id={promoted['id']}" in tool("promotions", "list")
    assert f"id={backtest}" in tool("backtests", "list")
    assert json.loads(tool("backtests", "show", backtest))["report"]["payments"] == 0


def test_the_platform_chooses_what_gates_ask(tool: Tool) -> None:
    """Of itself and of merchants that chose nothing."""
    chosen = json.loads(tool("settings", "gate", '{"payments_min": 5000}', "--by", "ada"))

    assert chosen["gate"]["payments_min"] == 5000
    assert json.loads(tool("settings", "show")) == chosen
    assert "shoe" in tool("settings", "gate", '{"shoe": 1}', "--by", "ada", fails=True)


@pytest.mark.parametrize(
    "words",
    [
        ("rules", "disable", "frl_x"),
        ("lists", "import", "fls_x", "/nowhere.csv", "--by", "ada"),
        ("settings", "gate", "5", "--by", "ada"),
        ("backtests", "order", "{}", "--from", "2026-01-01", "--to", "2026-01-02", "--by", "ada"),
    ],
)
def test_words_that_make_no_sense_are_refused_before_anything_is_asked(
    words: tuple[str, ...], tool: Tool
) -> None:
    """No name, no file, no object, no offset."""
    with pytest.raises(SystemExit):
        tool(*words)
