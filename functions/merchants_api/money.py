"""A merchant's balances and the ledger entries that they are made of."""

import datetime as dt
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from merchants_api.asked import EntriesAsked, entry_id
from paynexus import http, ids, runtime
from paynexus.errors import InvalidRequest
from paynexus.ledger import reading
from paynexus.ledger.model import Balance, Entry
from paynexus.ledger.reading import Hold, Owed
from paynexus.lists.model import cut
from paynexus.lists.query import Moment

HOLDS_LIMIT = 100
"""Open holds that are told with each balance, the oldest first."""


router = APIGatewayRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it open


@router.get("/balances", summary="Read what the merchant is owed, by currency")
def read_balances(
    at: Annotated[Moment | None, Query()] = None,
    known_at: Annotated[Moment | None, Query()] = None,
    *,
    holds: Annotated[bool, Query()] = False,
) -> Response[str]:
    """`posted` is booked, `pending` may come, `available` can be paid out or refunded.

    `at` asks for a past moment (RFC 3339), by when bookings count; `known_at` for what was
    known of it at another. `holds=true` adds what is pending now, a hundred of each currency,
    read in the same moment as the balances.
    """
    now = runtime.clock()()
    for name, moment in (("at", at), ("known_at", known_at)):
        if moment is not None and moment > now:
            raise InvalidRequest(f"{name}: this moment has not come yet", param=name)
    if at is None and known_at is None:
        return _balances_now(holds=holds)
    if holds:
        raise InvalidRequest("holds: they are told of the present alone", param="holds")
    return _balances_at(at or known_at or now, known_at or now)


@router.get("/ledger-entries", summary="List the entries of the merchant's account")
def list_ledger_entries(asked: Annotated[EntriesAsked, Query()]) -> Response[str]:
    """Newest first, all those that fit every filter that is given."""
    principal = runtime.principal(router)
    page = asked.page(entry_id)
    with runtime.database().reading() as connection:
        found = reading.entries(connection, principal.merchant_id, principal.mode, page)
    entries, has_more = cut(found, page)
    return http.reply(200, http.page([_entry(one) for one in entries], has_more=has_more))


def _balances_now(*, holds: bool) -> Response[str]:
    principal = runtime.principal(router)
    limit = HOLDS_LIMIT + 1 if holds else 0
    with runtime.database().reading() as connection:
        owed = reading.balances(connection, principal.merchant_id, principal.mode, holds=limit)
    items = [_balance(one.balance) | (_holds(one) if holds else {}) for one in owed]
    return http.reply(200, http.page(items, has_more=False))


def _balances_at(at: dt.datetime, known_at: dt.datetime) -> Response[str]:
    principal = runtime.principal(router)
    with runtime.database().reading() as connection:
        balances = reading.balances_at(
            connection, principal.merchant_id, principal.mode, at=at, known_at=known_at
        )
    moment = {"at": at.isoformat(), "known_at": known_at.isoformat()}
    items = [_balance(one) | moment for one in balances]
    return http.reply(200, http.page(items, has_more=False))


def _balance(balance: Balance) -> dict[str, object]:
    currency = balance.currency
    return {
        "object": "balance",
        "currency": currency,
        "pending": _money(balance.pending_in - balance.pending_out, currency),
        "posted": _money(balance.posted, currency),
        "available": _money(balance.available, currency),
    }


def _holds(owed: Owed) -> dict[str, object]:
    page = [_hold(one, owed.balance.currency) for one in owed.holds[:HOLDS_LIMIT]]
    return {"holds": http.page(page, has_more=len(owed.holds) > HOLDS_LIMIT)}


def _hold(hold: Hold, currency: str) -> dict[str, object]:
    return {
        "transfer": ids.text("tr", hold.transfer_id),
        "kind": hold.kind,
        "object_id": hold.object_id,
        "amount": _money(-hold.amount if hold.is_outgoing else hold.amount, currency),
        "expires": hold.expires_at and hold.expires_at.isoformat(),
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
