"""What becomes of a merchant's payouts when one has failed. Pure."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PERMANENT_CODES = frozenset(
    {
        *("AC01", "AC02", "AC03", "AC04", "AC05", "AC06", "AC07", "AC13", "AC14", "AC15", "AC16"),
        *("AG01", "AG02", "BE01", "BE04", "BE05", "BE06", "BE07", "BE11", "BE16", "BE22"),
        *("MD07", "RC01", "RC04", "RC11", "RR01", "RR02", "RR03", "RR04", "R02", "R03", "R04"),
    }
)
"""Reasons that lie in the payee's details (ISO 20022, ExternalStatusReason1Code and
ExternalReturnReason1Code): the same account is not tried again."""
FIRST_WAIT = dt.timedelta(hours=1)
"""After the first failure for a reason that may pass; each further one doubles it."""
BOOKING_TIME = dt.timedelta(minutes=1)
"""So long after a failure, at the latest, its money is back on the merchant's balance."""
LONGEST_WAIT = dt.timedelta(days=4)
FAILURES_LIMIT = 8
"""Failures in a row after which a person has to look, whatever the reason."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A merchant's payouts wait since one failed: until `retry_at`, or for other details.

    `refused` is the payee's account as it was in the refused instruction, `since` the last failure.
    """

    failures: int
    code: str | None
    refused: Mapping[str, Any]
    retry_at: dt.datetime | None
    since: dt.datetime


def after_failure(
    held: Hold | None, code: str | None, refused: Mapping[str, Any], *, now: dt.datetime
) -> Hold:
    """The hold once a payout to `refused` has failed with the bank's `code`."""
    failures = 1 + (held.failures if held and held.refused == refused else 0)
    if code in PERMANENT_CODES or failures >= FAILURES_LIMIT:
        return Hold(failures, code, refused, None, now)
    wait = min(FIRST_WAIT * 2 ** (failures - 1), LONGEST_WAIT)
    return Hold(failures, code, refused, now + wait, now)


def retry_moment(
    held: Hold | None, payee: Mapping[str, Any] | None, changed_at: dt.datetime | None
) -> dt.datetime | None:
    """From when on the money is tried again: details that differ are tried at once."""
    if held is None or payee is None:
        return None
    if payee == held.refused:
        return held.retry_at
    # They may have changed while the refused payout was on its way still.
    return max(changed_at or held.since, held.since + BOOKING_TIME)
