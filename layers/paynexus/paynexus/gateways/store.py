"""The SQL of gateways, run on the caller's connection."""

from collections.abc import Mapping

from psycopg.types.json import Jsonb

from paynexus import ids
from paynexus.db import Connection

SQL_ANNOUNCE = "SELECT announce_circuit(%s, %s, %s, %s, %s)"


def announce(
    connection: Connection, kind: str, *, mode: str, object_id: str, data: Mapping[str, str]
) -> None:
    """The next event about this gateway's circuit is on record."""
    connection.execute(SQL_ANNOUNCE, (ids.new_id(), kind, mode, object_id, Jsonb(data)))
