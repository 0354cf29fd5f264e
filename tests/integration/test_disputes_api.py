"""Disputes over HTTP: callbacks true and false, in any order, and what merchants see of them."""

import itertools
import json
from typing import Any

import pytest

from payments_api.handler import handler as payments_api
from paynexus import ids
from paynexus.db import Database
from paynexus.gateways.port import Operation
from paynexus.ids import MerchantId, PaymentId
from paynexus.payments import pursuit
from sweep_payments.handler import handler as sweep_payments
from tests.integration.conftest import Caller
from tests.integration.test_gateway_callbacks import act, kept, said, take, tell
from tests.sandbox import Sandbox
from tools.sandbox_acquirer.disputes import Asked, Outcome


def dispute(acquirer: Sandbox, payment: dict[str, Any], amount: int | None = None) -> str:
    """The acquirer's name of a new dispute of the payment."""
    payment_id = PaymentId(ids.parse("pay", payment["id"]))
    reference = pursuit.reference_of(Operation.CHARGE, payment_id)
    opened = acquirer.server.acquirer.open_dispute(reference, Asked(amount, "product_not_received"))
    return str(opened["id"])


def decide(acquirer: Sandbox, name: str, outcome: Outcome) -> None:
    """The payer's bank has decided."""
    acquirer.server.acquirer.close_dispute(name, outcome)


def news(acquirer: Sandbox) -> list[str]:
    """Callbacks about disputes, in the order of the acquirer's books."""
    return [body for body in said(acquirer) if "dispute" in json.loads(body)]


def listed(call: Caller) -> list[dict[str, Any]]:
    """All disputes of the merchant."""
    found: list[dict[str, Any]] = call(payments_api, "GET", "/disputes").json()["data"]
    return found


def told(database: Database) -> list[str]:
    """The types of events about disputes, in order."""
    rows = database.connection().execute(
        "SELECT type FROM events WHERE type LIKE 'dispute.%' ORDER BY created_at"
    )
    return [row[0] for row in rows]


def test_a_merchant_sees_a_dispute_from_its_opening_to_its_end(
    call: Caller, acquirer: Sandbox, database: Database
) -> None:
    """As a resource, in the payment, in the timeline; by its callbacks alone."""
    payment = take(call, "tok_approve")
    name = dispute(acquirer, payment, 1000)
    assert tell(news(acquirer)[0]).status == 200

    [seen] = listed(call)
    assert seen | {"id": "", "created": "", "respond_by": ""} == {
        "id": "",
        "object": "dispute",
        "payment": payment["id"],
        "status": "OPEN",
        "amount": {"amount": 1000, "currency": "EUR"},
        "covered": {"amount": 1000, "currency": "EUR"},
        "reason": "product_not_received",
        "respond_by": "",
        "mode": "test",
        "created": "",
    }
    assert seen["respond_by"] > seen["created"]
    path = f"/payments/{payment['id']}"
    assert call(payments_api, "GET", path).json()["disputed"]["amount"] == 1000

    decide(acquirer, name, Outcome.LOST)
    assert tell(news(acquirer)[1]).status == 200
    lost = call(payments_api, "GET", f"/disputes/{seen['id']}")
    assert (lost.status, lost.json()) == (200, {**seen, "status": "LOST"})

    items = call(payments_api, "GET", f"{path}/timeline").json()["data"]
    mine = [item for item in items if item.get("object_id") == seen["id"]]
    assert [item.get("type") or item["transfer_kind"] for item in mine] == [
        "dispute.opened.v1",
        "dispute",
        "dispute_cover",
        "dispute.lost.v1",
        "dispute_cover",
    ]
    assert told(database) == ["dispute.opened.v1", "dispute.lost.v1"]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_callbacks_in_any_order_lead_to_one_same_end(
    call: Caller, acquirer: Sandbox, database: Database, order: tuple[int, ...]
) -> None:
    """The charge's, the opening's and the end's, each of them twice."""
    payment = take(call, "tok_error_after")
    name = dispute(acquirer, payment)
    decide(acquirer, name, Outcome.WON)
    bodies = said(acquirer)
    for n in (*order, *reversed(order)):
        assert tell(bodies[n]).status == 200

    assert [one["status"] for one in listed(call)] == ["WON"]
    assert told(database) == ["dispute.opened.v1", "dispute.won.v1"]
    assert kept(database) == [("APPLIED", "confirmed", 2)] * 3
    found = call(payments_api, "GET", f"/payments/{payment['id']}").json()
    assert (found["status"], found["disputed"]["amount"]) == ("COMPLETED", 0)


def test_a_forged_callback_opens_nothing(
    call: Caller, acquirer: Sandbox, database: Database
) -> None:
    """Under another key it is not stored; under the right one the acquirer denies it."""
    take(call, "tok_approve")
    body = json.dumps({"id": "cb_1", "dispute": {"id": "dsp_made_up", "status": "lost"}})
    assert tell(body, key="another").status == 401
    assert kept(database) == []

    assert tell(body).status == 200

    assert kept(database) == [("REFUSED", "unknown_reference", 1)]
    assert listed(call) == []
    assert acquirer.server.acquirer.dispute("dsp_made_up") is None


def test_a_dispute_says_what_the_acquirer_says_and_not_what_its_callback_says(
    call: Caller, acquirer: Sandbox
) -> None:
    """Lost for a million, by a signed callback: it is open, for what was captured."""
    payment = take(call, "tok_approve")
    dispute(acquirer, payment)
    body = json.loads(news(acquirer)[0])
    body["dispute"] |= {"status": "lost", "amount": 100_000_000, "currency": "USD"}
    assert tell(json.dumps(body)).status == 200
    [seen] = listed(call)
    assert (seen["status"], seen["amount"]) == ("OPEN", {"amount": 1250, "currency": "EUR"})


def test_an_acquirer_that_is_away_is_asked_again(
    call: Caller, acquirer: Sandbox, database: Database
) -> None:
    """The callback waits for the sweeper, and nothing is guessed meanwhile."""
    payment = take(call, "tok_approve")
    dispute(acquirer, payment)
    [body] = news(acquirer)
    acquirer.stop()
    assert tell(body).status == 200
    assert kept(database) == [("PENDING", None, 1)]
    assert listed(call) == []
    acquirer.start()
    database.connection().execute(
        "UPDATE gateway_callbacks SET updated_at = updated_at - INTERVAL '2 minutes'"
    )

    sweep_payments({}, None)

    assert kept(database) == [("APPLIED", "confirmed", 1)]
    assert [one["status"] for one in listed(call)] == ["OPEN"]


def test_refunds_have_what_no_dispute_has_taken(call: Caller, acquirer: Sandbox) -> None:
    """More is refused in the usual form."""
    payment = take(call, "tok_approve")
    dispute(acquirer, payment, 1000)
    tell(news(acquirer)[0])

    refused = act(call, payment, "refunds", amount=251)
    assert (refused["status"], refused["code"]) == (400, "invalid_request")
    assert act(call, payment, "refunds", amount=250)["status"] == "COMPLETED"


def test_disputes_are_listed_by_pages_newest_first(call: Caller, acquirer: Sandbox) -> None:
    """Each once."""
    payment = take(call, "tok_approve")
    for _ in range(3):
        dispute(acquirer, payment, 100)
    for body in news(acquirer):
        tell(body)

    first = call(payments_api, "GET", "/disputes", query={"limit": "2"}).json()
    query = {"limit": "2", "starting_after": first["data"][-1]["id"]}
    second = call(payments_api, "GET", "/disputes", query=query).json()

    found = [one["id"] for one in first["data"] + second["data"]]
    assert (first["has_more"], second["has_more"]) == (True, False)
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == 3


@pytest.mark.parametrize("case", ["merchant", "mode", "form", "prefix"])
def test_nobody_elses_dispute_is_found(call: Caller, acquirer: Sandbox, case: str) -> None:
    """Another merchant's, the other mode's, and what is no id of a dispute."""
    payment = take(call, "tok_approve")
    dispute(acquirer, payment)
    tell(news(acquirer)[0])
    [seen] = listed(call)
    who = {
        "merchant": Caller(MerchantId(ids.new_id())),
        "mode": Caller(call.merchant_id, mode="live"),
    }.get(case, call)
    name = {"form": "nothing", "prefix": payment["id"]}.get(case, seen["id"])

    assert call(payments_api, "GET", f"/disputes/{seen['id']}").status == 200
    assert who(payments_api, "GET", f"/disputes/{name}").status == 404
    if who is not call:
        assert who(payments_api, "GET", "/disputes").json()["data"] == []
    wrong = call(payments_api, "GET", "/disputes", query={"starting_after": payment["id"]})
    assert (wrong.status, wrong.json()["param"]) == (400, "starting_after")
