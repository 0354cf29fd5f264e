"""Changefeed: facts leave Postgres by its write-ahead log, in commit order, none lost.

A room appends its fact in the transaction that makes it true (`append_event`). The server streams
its log (`replication`, `pgoutput`), rows become events (`facts`), stand in line (`backlog`) and are
handed to the bus (`port`); only then is the log let go (`feed`). What was lost is told again from
the tables (`rebuild`).
"""

from paynexus.changefeed.rebuild import republish
from paynexus.changefeed.replication import Source
from paynexus.changefeed.service import Report, create_slot, drain, run
from paynexus.changefeed.store import Fact, append_event, append_events

__all__ = [
    "Fact",
    "Report",
    "Source",
    "append_event",
    "append_events",
    "create_slot",
    "drain",
    "republish",
    "run",
]
