"""What becomes of a circuit, as facts: committed, told on the bus, in order per gateway."""

import datetime as dt
from collections.abc import Mapping
from types import MappingProxyType
from uuid import UUID, uuid5

from paynexus import ids
from paynexus.changefeed.facts import written
from paynexus.db import Database
from paynexus.gateways import store
from paynexus.gateways.breaker import Announce
from paynexus.gateways.circuit import Change, State

GATEWAYS = UUID("6f3a1f0e-5f0b-5d6e-9c0a-2f1d7b9e4c11")
"""The namespace (RFC 9562, 5.5) in which a gateway's name makes its id."""
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
FACTS: Mapping[State, str] = MappingProxyType(
    {
        State.OPEN: "gateway.circuit_opened.v1",
        State.HALF_OPEN: "gateway.circuit_half_opened.v1",
        State.CLOSED: "gateway.circuit_closed.v1",
    }
)


def id_of(gateway: str) -> str:
    """A gateway as events name it: the same in each installation."""
    return ids.text("gw", uuid5(GATEWAYS, gateway))


def announcing(db: Database, *, mode: str) -> Announce:
    """Puts each change of a circuit on record, by a statement that commits by itself.

    Called where no transaction is open: calls to gateways never are within one.
    """

    def announce(gateway: str, change: Change) -> None:
        name = id_of(gateway)
        data = {
            "id": name,
            "object": "gateway_circuit",
            "gateway": gateway,
            "before": str(change.before),
            "state": str(change.after),
            "mode": mode,
            "changed": written(EPOCH + dt.timedelta(microseconds=change.at)),
        }
        with db.statement() as connection:
            store.announce(connection, FACTS[change.after], mode=mode, object_id=name, data=data)

    return announce
