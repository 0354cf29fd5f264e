"""The ladder's tables: when an unknown outcome is asked for, and what is done then."""

import datetime as dt
from itertools import pairwise

import pytest

from paynexus.gateways.port import Operation, Outcome, Result
from paynexus.payments import ladder
from paynexus.payments.ladder import Move

SECOND, MINUTE, HOUR = (dt.timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours"))
DAY = 24 * HOUR
APPROVED, DECLINED, UNKNOWN = map(Result, (Outcome.APPROVED, Outcome.DECLINED, Outcome.UNKNOWN))
OTHERS = [one for one in Operation if one is not Operation.CHARGE]


def climbed(until: dt.timedelta) -> list[dt.timedelta]:
    """The ages of all turns up to `until`, each taken the moment it is due."""
    ages = [ladder.next_age(dt.timedelta())]
    while ages[-1] < until:
        ages.append(ladder.next_age(ages[-1]))
    return ages


def test_the_rungs_are_those_that_were_promised() -> None:
    """5 s, 30 s, 2 min, 10 min, 1 h, then each hour."""
    assert climbed(4 * HOUR) == [
        5 * SECOND,
        30 * SECOND,
        2 * MINUTE,
        10 * MINUTE,
        HOUR,
        2 * HOUR,
        3 * HOUR,
        4 * HOUR,
    ]


def test_turns_never_come_faster_than_the_first_and_never_end() -> None:
    """A week of them: the ladder is no hot loop, and nobody is forgotten on it."""
    turns = climbed(7 * DAY)

    assert min(after - before for before, after in pairwise(turns)) == 25 * SECOND
    assert len(turns) == 4 + 7 * 24


@pytest.mark.parametrize("late", [SECOND, 37 * MINUTE, 5 * HOUR, 40 * DAY])
def test_a_late_turn_stands_for_all_that_were_missed(late: dt.timedelta) -> None:
    """The next one is ahead, within the hour."""
    following = ladder.next_age(late)

    assert late < following <= late + ladder.EVERY
    assert ladder.rung(following) == ladder.rung(late) + 1


def test_the_next_turn_is_counted_from_the_beginning_of_the_attempt() -> None:
    """Not from the last turn: delays don't add up."""
    began = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)

    assert ladder.next_at(began, began + 9 * MINUTE) == began + 10 * MINUTE


@pytest.mark.parametrize("age", [SECOND, 11 * MINUTE, 7 * HOUR, 40 * DAY])
@pytest.mark.parametrize("found", [APPROVED, DECLINED])
def test_a_certain_answer_stands_at_any_age(found: Result, age: dt.timedelta) -> None:
    """The gateway's word is what all the asking is for."""
    for operation in Operation:
        assert ladder.move(operation, age, found) is Move.KEEP


@pytest.mark.parametrize(
    ("age", "found", "move"),
    [
        (5 * SECOND, None, Move.SEND),
        (10 * MINUTE - SECOND, None, Move.SEND),
        (10 * MINUTE, None, Move.CALL_OFF),
        (10 * MINUTE, UNKNOWN, Move.KEEP),
        (6 * HOUR - SECOND, UNKNOWN, Move.KEEP),
        (6 * HOUR, UNKNOWN, Move.CALL_OFF),
        (40 * DAY, UNKNOWN, Move.CALL_OFF),
    ],
)
def test_a_charge_is_sent_again_while_young_and_called_off_when_old(
    age: dt.timedelta, found: Result | None, move: Move
) -> None:
    """Never seen: ten minutes. Can't be asked, or no clear answer: six hours."""
    assert ladder.move(Operation.CHARGE, age, found) is move


def test_a_charge_that_nobody_waits_for_is_never_sent_again() -> None:
    """Its payment has ended: if the gateway never saw it, it never shall."""
    assert ladder.move(Operation.CHARGE, SECOND, None, may_send=False) is Move.CALL_OFF


@pytest.mark.parametrize(
    ("found", "move"),
    [
        (None, Move.CALL_OFF),
        (UNKNOWN, Move.CALL_OFF),
        (APPROVED, Move.CALL_OFF),
        (DECLINED, Move.KEEP),
    ],
)
def test_what_is_being_called_off_stays_so(found: Result | None, move: Move) -> None:
    """An approval may be about to be undone by the cancel that is under way."""
    assert ladder.move(Operation.CHARGE, SECOND, found, is_called_off=True) is move


@pytest.mark.parametrize("operation", OTHERS)
def test_captures_cancels_and_refunds_are_sent_again_and_never_called_off(
    operation: Operation,
) -> None:
    """There is no cancel of them; they stay what the merchant asked for."""
    assert ladder.move(operation, 40 * DAY, None) is Move.SEND
    assert ladder.move(operation, 40 * DAY, UNKNOWN) is Move.KEEP


def test_a_person_is_told_after_the_machine_has_tried_everything() -> None:
    """First all inquiries, then the cancel, then a case, due when a day's file has come."""
    assert ladder.SEND_AGAIN_BEFORE < ladder.CALL_OFF_AFTER < ladder.CASE_AFTER < DAY
    assert ladder.CASE_DUE > DAY
