"""A merchant's balances and the ledger entries that they are made of."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.event_handler.router import APIGatewayRouter
from pydantic import Field

from paynexus import http, ids, runtime
from paynexus.ledger import store
from paynexus.ledger.model import Balance, Entry

ENTRY_ID_MAX = 2**63 - 1

router = APIGatewayRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it open


@router.get("/balances", summary="Read what the merchant is owed, by currency")
def read_balances() -> Response[str]:
    """`posted` is booked, `pending` may come, `available` can be paid out or refunded."""
    principal = runtime.principal(router)
    with runtime.database().transaction() as tx:
        balances = store.balances(tx, principal.merchant_id, principal.mode)
    return http.reply(200, http.page([_balance(one) for one in balances], has_more=False))


@router.get("/ledger-entries", summary="List the entries of the merchant's account")
def list_entries(
    limit: Annotated[int, Query(ge=1, le=http.PAGE_SIZE_LIMIT)] = http.PAGE_SIZE_DEFAULT,
    starting_after: Annotated[int, Field(ge=1, le=ENTRY_ID_MAX), Query()] | None = None,
) -> Response[str]:
    """Newest first; `starting_after` is the id of the last entry that was seen."""
    principal = runtime.principal(router)
    with runtime.database().transaction() as tx:
        entries = store.entries(
            tx, principal.merchant_id, principal.mode, limit=limit + 1, before=starting_after
        )
    page = [_entry(one) for one in entries[:limit]]
    return http.reply(200, http.page(page, has_more=len(entries) > limit))


def _balance(balance: Balance) -> dict[str, object]:
    currency = balance.currency
    return {
        "object": "balance",
        "currency": currency,
        "pending": _money(balance.pending_in - balance.pending_out, currency),
        "posted": _money(balance.posted, currency),
        "available": _money(balance.available, currency),
    }


def _entry(entry: Entry) -> dict[str, object]:
    return {
        "id": str(entry.id),
        "object": "ledger_entry",
        "transfer": ids.text("tr", entry.transfer_id),
        "kind": entry.kind,
        "type": entry.type,
        "amount": _money(entry.amount, entry.currency),
        "balance_after": _money(entry.balance_after, entry.currency),
        "object_id": entry.object_id,
        "created": entry.created_at.isoformat(),
    }


def _money(amount: int, currency: str) -> dict[str, object]:
    return {"amount": amount, "currency": currency}
