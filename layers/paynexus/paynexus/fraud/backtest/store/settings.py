"""Which model scores, from where on, and what the gate asks: settings, in SQL."""

from collections.abc import Mapping
from typing import Any

from psycopg.types.json import Jsonb

from paynexus.db import Connection
from paynexus.ids import MerchantId

SQL_IN_FORCE = "SELECT fraud_settings_of(%s)"


def in_force(connection: Connection, merchant_id: MerchantId | None) -> dict[str, Any]:
    """What holds for the merchant, its own choices over the platform's; None: the platform's."""
    row = connection.execute(SQL_IN_FORCE, (merchant_id,)).fetchone()
    assert row is not None, "a SELECT without FROM has one row"  # noqa: S101 - says why
    settings: dict[str, Any] = row[0]
    return settings


SQL_OWN = """
SELECT jsonb_build_object('model', model, 'model_state', model_state,
    'challenge_at', challenge_at, 'block_at', block_at, 'gate', gate)
FROM fraud_settings WHERE merchant_id IS NOT DISTINCT FROM %s
"""


def own(connection: Connection, merchant_id: MerchantId | None) -> dict[str, Any]:
    """What the scope itself has chosen; empty where it has chosen nothing."""
    row = connection.execute(SQL_OWN, (merchant_id,)).fetchone()
    return {} if row is None else row[0]


SQL_CHOOSE = """
INSERT INTO fraud_settings AS s (merchant_id, model, model_state, challenge_at, block_at, gate)
SELECT %(merchant_id)s, c.model, c.model_state, c.challenge_at, c.block_at, coalesce(c.gate, '{}')
FROM jsonb_to_record(%(chosen)s) AS c (
    model TEXT, model_state TEXT, challenge_at DOUBLE PRECISION, block_at DOUBLE PRECISION,
    gate JSONB
)
ON CONFLICT ON CONSTRAINT fraud_settings_stand_once
DO UPDATE SET model = excluded.model, model_state = excluded.model_state,
    challenge_at = excluded.challenge_at, block_at = excluded.block_at, gate = excluded.gate
"""


def choose(tx: Connection, merchant_id: MerchantId | None, chosen: Mapping[str, Any]) -> None:
    """The scope has chosen this; what is not named stays as it was.

    The caller has called `fraud_revised`: one row holds what several changes are of.
    """
    whole = own(tx, merchant_id) | dict(chosen)
    tx.execute(SQL_CHOOSE, {"merchant_id": merchant_id, "chosen": Jsonb(whole)})
