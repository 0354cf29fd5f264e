"""The ladder of an unknown outcome: when it is asked for again, and what is done then. Pure.

Ages are counted from the moment the attempt was put on record, just before its first call.
"""

import datetime as dt
from enum import StrEnum

from paynexus.gateways import routing
from paynexus.gateways.port import Operation, Outcome, Result

RUNGS = (
    dt.timedelta(seconds=5),
    dt.timedelta(seconds=30),
    dt.timedelta(minutes=2),
    dt.timedelta(minutes=10),
    dt.timedelta(hours=1),
)
"""The ages at which the gateway is asked again. A late turn stands for all that were missed."""
EVERY = dt.timedelta(hours=1)
"""From the last rung on it is asked as often as this, for as long as it takes."""
SEND_AGAIN_BEFORE = dt.timedelta(minutes=10)
"""So long a charge that the gateway never saw is sent again; nobody wants to pay later still."""
ELSEWHERE_BEFORE = SEND_AGAIN_BEFORE
"""So long it may be made at another gateway, once it is proven void at the one before."""
CALL_OFF_AFTER = dt.timedelta(hours=6)
"""From this age on a charge that no inquiry could clear up is called off at the gateway."""
CASE_AFTER = dt.timedelta(hours=12)
"""From this age on a person is told."""
CASE_DUE = dt.timedelta(hours=36)
"""So long a person has: by then the settlement file of the next business day has come."""


class Move(StrEnum):
    """What follows from an inquiry."""

    KEEP = "keep"
    """What was found is recorded; UNKNOWN waits for its next turn."""
    SEND = "send"
    """The same instruction is sent again, under the same reference."""
    CALL_OFF = "call_off"
    """The charge is canceled at the gateway, which bars it there if it never came."""


def next_age(age: dt.timedelta) -> dt.timedelta:
    """The age of the next turn, after one at `age`: always later."""
    for rung in RUNGS:
        if rung > age:
            return rung
    beyond = (age - RUNGS[-1]) // EVERY + 1
    return RUNGS[-1] + beyond * EVERY


def next_at(began: dt.datetime, now: dt.datetime) -> dt.datetime:
    """When an attempt that began at `began` is next asked for, after a turn at `now`."""
    return began + next_age(now - began)


def rung(age: dt.timedelta) -> int:
    """How many turns an attempt of this age can have had at most."""
    climbed = sum(one <= age for one in RUNGS)
    return climbed + max(age - RUNGS[-1], dt.timedelta()) // EVERY


def move(
    operation: Operation,
    age: dt.timedelta,
    found: Result | None,
    *,
    may_send: bool = True,
    is_called_off: bool = False,
    may_go_elsewhere: bool = False,
) -> Move:
    """What is done next about an attempt of this age, of which an inquiry found `found`.

    None is the gateway's own word that it never saw the reference. A charge whose payment was
    decided otherwise meanwhile must not be sent. One that is being called off stays so: its
    approval is worth nothing while a cancel of it may be under way. One that another gateway could
    make is called off while its payer still waits, unless its own is known to be at work on it.
    """
    if operation is not Operation.CHARGE:
        return Move.SEND if found is None else Move.KEEP
    if found is not None and found.outcome is Outcome.DECLINED:
        return Move.KEEP
    if is_called_off:
        return Move.CALL_OFF
    if found is None:
        return Move.SEND if may_send and age < SEND_AGAIN_BEFORE else Move.CALL_OFF
    if found.outcome is Outcome.APPROVED:
        return Move.KEEP
    is_for_another = may_go_elsewhere and age < ELSEWHERE_BEFORE and routing.is_given_up(found)
    return Move.CALL_OFF if is_for_another or age >= CALL_OFF_AFTER else Move.KEEP
