"""Settlement's use cases: pay merchants what they are owed, and show them how it adds up."""

from dataclasses import asdict, dataclass, field
from datetime import datetime

from aws_lambda_powertools.metrics import MetricUnit

from paynexus.db import Database
from paynexus.observability import gauge, logger
from paynexus.settlement import store
from paynexus.settlement.bank.port import Bank
from paynexus.settlement.batching.service import make_settlements
from paynexus.settlement.payouts import service as payouts
from paynexus.settlement.statements import service as statements


@dataclass(slots=True)
class Run:
    """What one run of settlement did."""

    made: int = 0
    instructed: int = 0
    failed: int = 0
    released: int = 0
    carried: dict[str, int] = field(default_factory=dict)


def settle(db: Database, bank: Bank, *, now: datetime, cutoff: datetime | None = None) -> Run:
    """Every merchant's money that is due is on its way.

    Due is what was posted before the merchant's own last cut-off or, for everybody, before
    `cutoff`. What an earlier run left without a file, or unsent, goes out now. What the bank
    should have said by now and hasn't is on record as a break, and asked for.
    """
    made = make_settlements(db, now=now, cutoff=cutoff)
    payouts.assemble(db, now=now)
    sent = payouts.send(db, bank, now=now)
    run = Run(
        made=made.made,
        instructed=sent.instructed,
        failed=made.failed + sent.failed,
        released=made.released,
        carried=made.carried,
    )
    payouts.watch(db, bank, now=now)
    statements.watch(db, now=now)
    # A bank that says nothing at all shows here: nothing else would.
    with db.reading() as connection:
        oldest = store.oldest_open_cutoff(connection) or now
    lag = max((now - oldest).total_seconds(), 0.0)
    gauge("SettlementLagSeconds", lag, unit=MetricUnit.Seconds)
    logger.info("settlement run", **asdict(run))
    return run
