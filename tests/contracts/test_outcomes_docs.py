"""docs/outcomes.md says what the code's tables say."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import pytest

from paynexus.gateways.outcomes import (
    REFUSED_READ,
    REFUSED_UNREAD,
    Failure,
    Kind,
    Moment,
    failed,
    refused,
)
from paynexus.gateways.port import Operation, Outcome, Result
from paynexus.payments import cases, ladder, pursuit
from paynexus.payments.authority import Settled

PAGE = (Path(__file__).parents[2] / "docs/outcomes.md").read_text(encoding="utf-8")
UNITS = (("h", 3600), ("min", 60), ("s", 1))
AGES = sorted({dt.timedelta(), ladder.SEND_AGAIN_BEFORE, ladder.CALL_OFF_AFTER})
FOUND = {
    "never saw it": None,
    "UNKNOWN, or can't be asked": Result(Outcome.UNKNOWN),
    "DECLINED": Result(Outcome.DECLINED),
    "APPROVED": Result(Outcome.APPROVED),
}


def rows(*lines: Sequence[object]) -> list[str]:
    """A table of markdown, its first line the heads."""
    written = ["| " + " | ".join(map(str, line)) + " |" for line in lines]
    return [written[0], "|" + "---|" * len(lines[0]), *written[1:]]


def said(age: dt.timedelta) -> str:
    """The age in its largest whole unit."""
    seconds = int(age.total_seconds())
    unit, size = next(((unit, size) for unit, size in UNITS if not seconds % size), UNITS[-1])
    return f"{seconds // size} {unit}"


def failures() -> list[str]:
    """Failure moment by kind."""
    heads = ("", *(f"`{moment}`" for moment in Moment))
    lines = [
        (f"`{kind}`", *(failed(Failure(moment, kind)).outcome for moment in Moment))
        for kind in Kind
    ]
    return rows(heads, *lines)


def statuses() -> list[str]:
    """HTTP status by whether the gateway's own error code came with it."""
    named = sorted({*REFUSED_UNREAD, *REFUSED_READ})
    lines = [
        (int(one), refused(one, "code").outcome, refused(one, None).outcome)
        for one in [*named, 409, 500, 503]
    ]
    return rows(("status", "with the gateway's error code", "without"), *lines)


def rungs() -> list[str]:
    """The ladder's rungs, and what else is counted by age."""
    marks = [(said(age), "the gateway is asked") for age in ladder.RUNGS]
    marks += [
        (f"each {said(ladder.EVERY)} from then on", "it is asked again"),
        (f"from {said(ladder.SEND_AGAIN_BEFORE)}", "a charge it never saw is called off"),
        (f"from {said(ladder.CALL_OFF_AFTER)}", "a charge it can't speak of is called off"),
        (f"from {said(ladder.CASE_AFTER)}", f"a case is open, due {said(ladder.CASE_DUE)} later"),
    ]
    return rows(("age", "what happens"), *marks)


def moves() -> list[str]:
    """What follows from an inquiry, of a charge by its age and of any other operation."""
    heads = ("the gateway says", *(f"charge, from {said(age)}" for age in AGES), "other operations")
    lines = []
    for words, found in FOUND.items():
        of_charge = [ladder.move(Operation.CHARGE, age, found) for age in AGES]
        lines.append((words, *of_charge, ladder.move(Operation.REFUND, AGES[-1], found)))
    return rows(heads, *lines)


@pytest.mark.parametrize(
    ("section", "table"),
    [
        ("failures", failures()),
        ("statuses", statuses()),
        ("rungs", rungs()),
        ("moves", moves()),
    ],
)
def test_the_page_holds_the_table(section: str, table: list[str]) -> None:
    """Paste the expected lines into the page when this fails."""
    _, _, rest = PAGE.partition(f"<!-- {section}: ")
    _, _, body = rest.partition("-->\n")
    documented, _, _ = body.partition(f"<!-- /{section} -->")

    assert documented.splitlines() == table


@pytest.mark.parametrize("word", [*cases.Kind, *Settled, *ladder.Move, pursuit.CALLED_OFF.code])
def test_the_page_explains_each_word(word: str) -> None:
    """Kinds of cases, what a settlement file led to, what is done after an inquiry."""
    assert f"`{word}`" in PAGE
