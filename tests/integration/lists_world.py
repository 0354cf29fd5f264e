"""Tables with thousands of rows over months, for tests of lists: written by SQL, not lived."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from merchants_api.handler import handler as merchants_api
from payments_api.handler import handler as payments_api
from paynexus import ids, runtime
from paynexus.ids import MerchantId
from tests.integration.conftest import Caller, Handler

ROWS = 4_000
"""Of each list, every fourth of them of other merchants."""
MONTHS = 4

# A row each half hour, from now on backwards; ids and times as different clocks tell them.
SQL_ROWS = """
SET session_replication_role = replica;
SELECT make_partitions('transactions', (now() - INTERVAL '4 months')::DATE, 5),
    make_partitions('ledger_entries', (now() - INTERVAL '4 months')::DATE, 5);
INSERT INTO merchants (id, name) VALUES (%(merchant)s, 'Café Müller'), (%(other)s, 'Other');
CREATE TEMPORARY TABLE rows ON COMMIT PRESERVE ROWS AS
SELECT n, at, uuidv7(at - clock_timestamp() + INTERVAL '20 milliseconds' * (n %% 3)) AS id,
    CASE WHEN n %% 4 = 0 THEN %(other)s::UUID ELSE %(merchant)s::UUID END AS merchant_id,
    CASE WHEN n %% 5 = 0 THEN 'USD' ELSE 'EUR' END AS currency
FROM (
    SELECT n, now() - n * INTERVAL '30 minutes' - n * INTERVAL '1.000123 seconds' AS at
    FROM generate_series(1, %(rows)s) AS n
) AS moments;
INSERT INTO transactions (
    id, merchant_id, amount, currency, status, created_at, mode, capture, payment_method,
    fingerprint, reference, transfer_id
)
SELECT id, merchant_id, n, currency,
    (ARRAY['COMPLETED', 'FAILED', 'AUTHORIZED'])[1 + n %% 3]::payment_status, at, 'test',
    'automatic', 'tok', 'x', CASE WHEN n %% 2 = 0 THEN 'order-' || n / 4 END, uuidv7()
FROM rows;
INSERT INTO payment_customers (payment_id, email) SELECT id, 'a@example.com' FROM rows;
INSERT INTO payment_customers (payment_id, email)
SELECT uuidv7(), 'b@example.com' FROM rows, generate_series(1, 9);
INSERT INTO disputes (
    id, payment_id, merchant_id, mode, amount, covered_amount, currency, status, gateway,
    gateway_reference, created_at, updated_at, asked_at
)
SELECT id, id, merchant_id, 'test', n, 0, currency, (ARRAY['OPEN', 'WON', 'LOST'])[1 + n %% 3],
    'sandbox', 'dp_' || n, at, at, at
FROM rows;
INSERT INTO settlements (
    id, merchant_id, amount, status, currency, mode, cutoff, account_id, after_entry,
    through_entry, booked_entry, reserve_amount, expected_on, message_id, end_to_end_id,
    instruction, payout_id, created_at
)
SELECT id, merchant_id, n, (ARRAY['PENDING', 'INSTRUCTED', 'ACCEPTED'])[1 + n %% 3], currency,
    'test', at, id, 0, 1, 2, 0, at::DATE, 'm' || n, 'e' || n,
    '{"creditor": {"holder": "Café Müller", "iban": "DE89370400440532013000", "bic": null}}',
    uuidv7(), at
FROM rows;
INSERT INTO events (id, source, type, mode, merchant_id, object_id, sequence, data, created_at)
SELECT id, 'payments.events', 'payment.' ||
    (ARRAY['created', 'completed', 'failed'])[1 + n %% 3] || '.v1', 'test', merchant_id,
    'pay_' || n / 4, n, '{}', at
FROM rows;
INSERT INTO webhook_endpoints (id, merchant_id, mode, url, secret, created_at)
SELECT id, merchant_id, 'test', 'https://example.com', '', at FROM rows;
INSERT INTO deliveries (
    id, event_id, endpoint_id, merchant_id, mode, event_type, object_id, sequence, state,
    next_attempt_at, resolved_at, created_at
)
SELECT r.id, r.id, e.id, r.merchant_id, 'test', 'payment.created.v1', 'pay_' || r.n / 4, r.n,
    CASE WHEN r.n %% 3 = 0 THEN 'exhausted' ELSE 'delivered' END, NULL, r.at, r.at
FROM rows AS r INNER JOIN rows AS e ON e.n = 1 + r.n %% 7;
INSERT INTO delivery_attempts (delivery_id, number, started_at) SELECT id, 1, at FROM rows;
INSERT INTO accounts (type, normal_side, mode, currency, merchant_id)
SELECT 'merchant_payable', 'credit', 'test', currency, merchant_id
FROM (SELECT DISTINCT currency, merchant_id FROM rows) AS owners;
INSERT INTO transfers (
    id, state, is_final, kind, debit_account_id, credit_account_id, debit_slot, credit_slot,
    amount, released, currency, mode, object_id, sequence, effective_at, created_at
)
SELECT r.id, 'single', TRUE, 'payment', uuidv7(), a.id, 0, 0, r.n, 0, r.currency, 'test',
    'pay_' || r.n, 1, r.at, r.at
FROM rows AS r INNER JOIN accounts AS a USING (merchant_id, currency);
INSERT INTO ledger_entries (
    id, account_id, delta, balance_after, type, created_at, transfer_id, currency, slot,
    effective_at
)
SELECT ledger_entry_id_at(r.at), a.id, -r.n, 0, 'posted', r.at, r.id, r.currency, 0, r.at
FROM rows AS r INNER JOIN accounts AS a USING (merchant_id, currency);
DROP TABLE rows;
ANALYZE;
"""


@dataclass(frozen=True, slots=True)
class List:
    """A list of the API, the table behind it, and filters that it takes."""

    handler: Handler
    path: str
    table: str
    filters: tuple[Mapping[str, str], ...]

    def walk(
        self, call: Caller, query: Mapping[str, str] | None = None, *, limit: int = 100
    ) -> Iterator[dict[str, Any]]:
        """Everything that the list holds, page by page."""
        after: dict[str, str] = {}
        while True:
            asked = {"limit": str(limit), **(query or {}), **after}
            answer = call(self.handler, "GET", self.path, query=asked)
            assert answer.status == 200, answer
            page = answer.json()
            yield from page["data"]
            if not page["has_more"]:
                return
            after = {"starting_after": page["data"][-1]["id"]}


EUROS: Mapping[str, str] = {"currency": "EUR"}
LISTS = (
    List(
        payments_api,
        "/payments",
        "transactions",
        ({}, {"status": "FAILED"}, EUROS, {"reference": "order-17"}, {"status": "FAILED", **EUROS}),
    ),
    List(payments_api, "/disputes", "disputes", ({}, {"status": "OPEN"}, EUROS)),
    List(merchants_api, "/settlements", "settlements", ({}, {"status": "PENDING"}, EUROS)),
    List(
        merchants_api,
        "/events",
        "events",
        ({}, {"type": "payment.failed.v1"}, {"object_id": "pay_17"}),
    ),
    List(merchants_api, "/deliveries", "deliveries", ({}, {"state": "exhausted"})),
    List(merchants_api, "/ledger-entries", "ledger_entries", ({}, EUROS)),
    List(merchants_api, "/webhook-endpoints", "webhook_endpoints", ({}, {"status": "enabled"})),
)


def filled(database_url: str, merchant: MerchantId) -> None:
    """Each list of the merchant, and of another one, has its rows."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        values = {"merchant": merchant, "other": ids.new_id(), "rows": ROWS}
        psycopg.ClientCursor(connection).execute(SQL_ROWS.encode(), values)


type Scan = tuple[str, str, str | None]
"""How a plan reads: node type, table, index."""


@contextmanager
def plans(*, generic: bool) -> Iterator[list[dict[str, Any]]]:
    """The plans of the statements that the API's functions run meanwhile, as they were executed.

    `generic`: as a server plans that doesn't know what the values will be.
    """
    connection = runtime.database().connection()
    found: list[dict[str, Any]] = []

    def keep(notice: psycopg.errors.Diagnostic) -> None:
        _, told, plan = (notice.message_primary or "").partition("plan:\n")
        if told:
            found.append(json.loads(plan))

    connection.execute("LOAD 'auto_explain'")
    settings = {
        "auto_explain.log_min_duration": "0",
        "auto_explain.log_nested_statements": "on",
        "auto_explain.log_analyze": "on",
        "auto_explain.log_format": "json",
        "client_min_messages": "log",
        "plan_cache_mode": "force_generic_plan" if generic else "auto",
    }
    for name, value in settings.items():
        connection.execute("SELECT set_config(%s, %s, FALSE)", (name, value))
    connection.add_notice_handler(keep)
    yield found
    connection.remove_notice_handler(keep)


def scans(plan: Mapping[str, Any]) -> Iterator[Scan]:
    """What kind of scan read which table by which index; those that never began are left out."""
    node = plan.get("Plan", plan)
    if node.get("Actual Loops", 0) and "Scan" in node["Node Type"] and "Relation Name" in node:
        yield node["Node Type"], node["Relation Name"], node.get("Index Name")
    if node.get("Actual Loops", 0) and node["Node Type"] == "Bitmap Index Scan":
        yield node["Node Type"], "", node["Index Name"]
    for child in node.get("Plans", ()):
        yield from scans(child)
