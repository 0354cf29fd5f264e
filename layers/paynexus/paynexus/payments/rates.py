"""How gateways have done of late: told to whoever chooses one, once a minute."""

import datetime as dt

from paynexus.cache import Cache
from paynexus.db import Database
from paynexus.gateways import breaker
from paynexus.payments.store import attempts

LATELY = dt.timedelta(hours=1)
LEAST_CHARGES = 20
"""Fewer say nothing of a gateway."""


def refresh(db: Database, cache: Cache, *, now: dt.datetime) -> breaker.Rates:
    """The success rates of the last hour are known to the fleet; they are returned.

    Of charges that were decided: a fault is the circuit's business, and a decline for want of
    money counts at every gateway alike.
    """
    with db.reading() as connection:
        decided = attempts.decided_charges(connection, since=now - LATELY)
    found: dict[str, dict[str, float]] = {}
    for gateway, currency, approved, charges in decided:
        if charges >= LEAST_CHARGES:
            found.setdefault(gateway, {})[currency] = round(approved / charges, 4)
    breaker.remember_rates(cache, found)
    return found
