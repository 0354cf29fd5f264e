"""What is on a merchant's lists."""

from functools import partial
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from fraud_api.asked import act_of, owner_of
from fraud_api.list_schemas import EntryOrder, ImportOrder
from fraud_api.queries import EntriesAsked
from paynexus import http, ids, runtime
from paynexus.fraud.lists import service, views
from paynexus.fraud.lists.rules import ENTRY_PREFIX

router = APIGatewayRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it open


@router.post("/fraud/lists/<fraud_list_id>/entries", summary="List a value", status_code=201)
def add_fraud_list_entry(fraud_list_id: str, body: Annotated[EntryOrder, Body()]) -> Response[str]:
    """In its normal form, from the next decision on. Needs an Idempotency-Key."""
    act = act_of(router, f"/fraud/lists/{fraud_list_id}/entries", body)
    who, now = act.principal, act.now
    return act.answer(
        lambda tx, _: views.entry(
            service.entered(
                tx,
                fraud_list_id,
                body.value,
                merchant_id=who.merchant_id,
                author=who.client_id,
                now=now,
                note=body.note,
                expires_at=body.expires_at,
            )
        ),
        status=201,
    )


@router.get("/fraud/lists/<fraud_list_id>/entries", summary="List a fraud list's entries")
def list_fraud_list_entries(
    fraud_list_id: str, asked: Annotated[EntriesAsked, Query()]
) -> Response[str]:
    """Those that aren't removed, newest first."""
    page = asked.page(partial(ids.parse, ENTRY_PREFIX))
    found, has_more = service.entries_of(
        runtime.database(), fraud_list_id, page, merchant_id=owner_of(router)
    )
    return http.reply(200, http.page([views.entry(one) for one in found], has_more=has_more))


@router.delete("/fraud/list-entries/<list_entry_id>", summary="Remove an entry of a fraud list")
def remove_fraud_list_entry(list_entry_id: str) -> Response[str]:
    """It is listed no more, from the next decision on; that it was is kept."""
    owner, now = owner_of(router), runtime.clock()()
    removed = service.remove_listed(runtime.database(), list_entry_id, merchant_id=owner, now=now)
    return http.reply(200, views.entry(removed))


@router.post("/fraud/lists/<fraud_list_id>/import", summary="Import a file into a fraud list")
def import_fraud_list(fraud_list_id: str, body: Annotated[ImportOrder, Body()]) -> Response[str]:
    """Entries of earlier imports of this layout become those of the file; others stay.

    A line that is broken is named, and then nothing is imported. Needs an Idempotency-Key.
    """
    act = act_of(router, f"/fraud/lists/{fraud_list_id}/import", body)
    who, now = act.principal, act.now
    return act.answer(
        lambda tx, _: views.report(
            service.imported(
                tx,
                fraud_list_id,
                body.file.encode(),
                layout=body.layout,
                merchant_id=who.merchant_id,
                author=who.client_id,
                now=now,
            )
        )
    )
