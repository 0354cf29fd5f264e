"""What is done each minute so that decisions needn't: each task apart from the others' failure."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from paynexus.cache import Cache
from paynexus.db import Database
from paynexus.fraud import labels
from paynexus.fraud.backtest import worker as backtests
from paynexus.fraud.lists import rescreening
from paynexus.fraud.rulebook import service as rules
from paynexus.fraud.velocity import service as velocity
from paynexus.observability import count, logger, trace_of


@dataclass(frozen=True, slots=True)
class Tending:
    """What the tasks work with."""

    database: Database
    cache: Cache
    now: dt.datetime


type Task = Callable[[Tending], int]
"""Does a bounded amount of work, and answers how much."""


def tend(tending: Tending, *, tasks: Mapping[str, Task] | None = None) -> dict[str, int]:
    """Every task has had its turn, in order; how much each did.

    Raises ExceptionGroup once all have, of what failed: the function's errors ring.
    """
    done, failed = {}, []
    for name, task in (TASKS if tasks is None else tasks).items():
        try:
            done[name] = task(tending)
        except Exception as error:  # noqa: BLE001 - whatever failed, the others have their turn
            logger.error("fraud upkeep failed", task=name, trace=trace_of(error))
            count("FraudUpkeepFailed", task=name)
            failed.append(error)
    if failed:
        raise ExceptionGroup("fraud upkeep failed", failed)
    return done


TASKS: Mapping[str, Task] = MappingProxyType(
    {
        "velocity": lambda one: velocity.tend(one.database, one.cache, one.now),
        "labels": lambda one: labels.gather(one.database, now=one.now),
        "statistics": lambda one: rules.fold_statistics(one.database, now=one.now),
        "backtests": lambda one: backtests.run_pending(one.database, now=one.now),
        "rescreening": lambda one: rescreening.rescreen_all(one.database, now=one.now),
    }
)
"""What decisions need most comes first."""
