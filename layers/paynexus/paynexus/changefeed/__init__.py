"""Changefeed: facts leave Postgres by its write-ahead log, in commit order, none lost.

A room appends its fact in the transaction that makes it true (`append_event`). The feed reads
the log (`pgoutput`), turns rows into events (`facts`), hands them to the bus (`port`) and only
then lets the log go (`feed`); what was lost is told again from the tables (`rebuild`).
"""

from paynexus.changefeed.rebuild import republish
from paynexus.changefeed.service import Report, create_slot, drain, run
from paynexus.changefeed.store import append_event

__all__ = ["Report", "append_event", "create_slot", "drain", "republish", "run"]
