"""Labels are gathered from disputes and refunds, which pay nothing for it.

Fraud is what the payer's bank or the merchant calls so: a dispute whose reason is `fraudulent`, a
refund whose reason is that very word. Such a dispute that is won shows the payment genuine; of any
other dispute or refund nothing follows. Cases write their own labels as they are closed.
"""

import datetime as dt

from paynexus.db import Database
from paynexus.fraud.labels import store
from paynexus.fraud.labels.store import Label, Source
from paynexus.ids import PaymentId
from paynexus.observability import count

LABELS_PER_RUN = 1_000
"""Labels that one run writes from one source; the next run is a minute away."""
OVERLAP = dt.timedelta(hours=1)
"""What was read before is read again for so long: rows are seen when they are committed, which is
later than the time they carry, though never by more than a function may run."""


def gather(database: Database, *, now: dt.datetime) -> int:
    """What disputes and refunds said up to `now` is on record as labels; how many are new.

    Each is known since its source said so, never earlier. What is beyond `LABELS_PER_RUN` of a
    source is the next run's. A payment that was never judged gets no label.
    """
    written = sum(_read(database, source, now) for source in store.GATHERED)
    count("FraudLabelsGathered", written)
    return written


def label_of(database: Database, payment_id: PaymentId, *, as_of: dt.datetime) -> Label | None:
    """What was known of the payment at that moment: of several labels the latest."""
    with database.reading() as connection:
        return store.label_of(connection, payment_id, as_of=as_of)


def _read(database: Database, source: Source, now: dt.datetime) -> int:
    with database.transaction() as tx:
        read_until = store.locked_progress(tx, source)
        written = store.gather(tx, source, since=read_until - OVERLAP, limit=LABELS_PER_RUN)
        if written < LABELS_PER_RUN:
            store.set_progress(tx, source, read_until=now)
    return written
