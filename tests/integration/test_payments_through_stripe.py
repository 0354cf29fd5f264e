"""Payments over HTTP that go to Stripe by configuration alone; localstripe stands in for it."""

import hmac
import json
from collections.abc import Iterator, Mapping

import pytest

import gateway_callbacks.handler as gateway_callbacks
from payments_api.handler import handler
from paynexus import ids, runtime
from paynexus.db import Database
from paynexus.errors import ConfigurationError
from paynexus.payments.workflow import Workflow
from tests import stripe_fakes
from tests.integration.conftest import Answer, Caller, answer_of, gateway_event
from tests.integration.steps_in_process import StepFunctions
from tests.stripe_fakes import Fault, Keys

SECRET = "whsec_test"
ORDER = {
    "amount": 1250,
    "currency": "EUR",
    "payment_method": "pm_card_visa",
    "description": "Lunch for two",
}


@pytest.fixture(scope="module")
def localstripe() -> Iterator[int]:
    """The port of a localstripe."""
    with stripe_fakes.localstripe() as port:
        yield port


@pytest.fixture
def stripe(localstripe: int, deployed: pytest.MonkeyPatch) -> Iterator[Keys]:
    """An environment whose test payments go to Stripe, and that Stripe."""
    stripe_fakes.empty(localstripe)
    with Keys(localstripe) as keys:
        _configure(deployed, TEST_GATEWAYS="stripe", STRIPE_URL=keys.url)
        deployed.setitem(runtime.keys(), "stripe_test_key", "sk_test_paynexus")
        deployed.setattr(runtime, "workflow", lambda: Workflow(StepFunctions(), "process_payment"))
        yield keys


def _configure(deployed: pytest.MonkeyPatch, **settings: str) -> None:
    for name, value in settings.items():
        deployed.setenv(f"PAYNEXUS_{name}", value)
    runtime.settings.cache_clear()
    runtime.gateways.cache_clear()


def _post(call: Caller, path: str, key: str, body: object = None) -> Answer:
    return call(handler, "POST", path, body, headers={"Idempotency-Key": key})


def test_a_payments_life_goes_through_stripe(
    call: Caller, stripe: Keys, database: Database
) -> None:
    """Authorized, captured, refunded; another canceled; a third declined."""
    held = _post(call, "/payments", "1", ORDER | {"capture": "manual"}).json()
    captured = _post(call, f"/payments/{held['id']}/capture", "2")
    refunded = _post(call, f"/payments/{held['id']}/refunds", "3")
    other = _post(call, "/payments", "4", ORDER | {"capture": "manual"}).json()
    canceled = _post(call, f"/payments/{other['id']}/cancel", "5")
    declined = _post(
        call, "/payments", "6", ORDER | {"payment_method": "pm_card_chargeCustomerFail"}
    )
    attempts = database.connection().execute(
        "SELECT gateway, outcome, gateway_reference LIKE 'pi\\_%%' OR"
        " gateway_reference LIKE 're\\_%%' FROM attempts ORDER BY id"
    )

    assert held["status"] == "AUTHORIZED"
    assert (captured.status, captured.json()["status"]) == (200, "COMPLETED")
    assert (refunded.status, refunded.json()["status"]) == (201, "COMPLETED")
    assert (canceled.status, canceled.json()["status"]) == (200, "CANCELED")
    assert declined.json()["status"] == "FAILED"
    assert attempts.fetchall()[:5] == [("stripe_test", "APPROVED", True)] * 5
    assert [one for one in stripe.seen if "search" in one.path] == []


def test_a_payment_whose_answer_is_lost_is_found_again(
    call: Caller, stripe: Keys, database: Database
) -> None:
    """Sent again under its Idempotency-Key, the payment is resumed by an inquiry: one charge."""
    stripe.faults.append(Fault("/v1/payment_intents", is_after=True))
    first = _post(call, "/payments", "1", ORDER)
    again = _post(call, "/payments", "1", ORDER)

    assert first.status == 202
    assert (again.status, again.json()["status"]) == (201, "COMPLETED")
    assert len(stripe.sent("/v1/payment_intents")) == 1


def _tell(dispute: Mapping[str, object]) -> Answer:
    """The API's answer to Stripe's event about a dispute."""
    event = {"id": f"evt_{ids.new_id().hex}", "type": "charge.dispute.updated"}
    body = json.dumps(event | {"data": {"object": dispute}})
    seconds = int(runtime.clock()().timestamp())
    signed = hmac.new(SECRET.encode(), f"{seconds}.{body}".encode(), "sha256").hexdigest()
    headers = {"Stripe-Signature": f"t={seconds},v1={signed}"}
    path = "/gateways/stripe_test/callbacks"
    event_in = gateway_event("POST", path, text=body, headers=headers)
    return answer_of(gateway_callbacks.handler(event_in, None))


def test_a_dispute_at_stripe_is_asked_for_and_ends(
    call: Caller, stripe: Keys, deployed: pytest.MonkeyPatch, database: Database
) -> None:
    """An inquiry changes nothing; the dispute that follows is opened, then lost."""
    deployed.setitem(runtime.keys(), "stripe_test_callback_secret", SECRET)
    payment = _post(call, "/payments", "1", ORDER).json()
    [(intent,)] = database.connection().execute("SELECT gateway_reference FROM attempts").fetchall()
    dispute: dict[str, object] = {
        "id": "du_1",
        "object": "dispute",
        "amount": 1250,
        "currency": "eur",
        "payment_intent": intent,
        "reason": "fraudulent",
        "evidence_details": {"due_by": 1796515199},
    }

    for status, expected in [
        ("warning_needs_response", []),
        ("needs_response", ["OPEN"]),
        ("under_review", ["OPEN"]),
        ("lost", ["LOST"]),
    ]:
        stripe.disputes["du_1"] = dispute | {"status": status}
        assert _tell(stripe.disputes["du_1"]).status == 200
        found = call(handler, "GET", "/disputes").json()["data"]
        assert [one["status"] for one in found] == expected

    assert [(one["payment"], one["reason"], one["respond_by"]) for one in found] == [
        (payment["id"], "fraudulent", "2026-12-05T23:59:59.000Z")
    ]
    verdicts = database.connection().execute("SELECT state, verdict FROM gateway_callbacks")
    assert verdicts.fetchall() == [("APPLIED", "without_news")] + [("APPLIED", "confirmed")] * 3


def test_a_dispute_that_stripe_knows_nothing_of_is_refused(
    call: Caller,
    stripe: Keys,
    deployed: pytest.MonkeyPatch,
    database: Database,
) -> None:
    """Whoever holds the secret can make us ask, and nothing else."""
    deployed.setitem(runtime.keys(), "stripe_test_callback_secret", SECRET)
    assert _tell({"id": "du_2", "object": "dispute", "status": "lost"}).status == 200
    verdicts = database.connection().execute("SELECT state, verdict FROM gateway_callbacks")
    assert verdicts.fetchall() == [("REFUSED", "unknown_reference")]


def test_each_mode_goes_where_it_is_sent(deployed: pytest.MonkeyPatch) -> None:
    """Both to Stripe under keys of their own, or each elsewhere; live nowhere unless told."""
    _configure(deployed, SANDBOX_ACQUIRER_URL="http://127.0.0.1:1")
    unconfigured = [one.name for one in runtime.gateways().all()]
    deployed.setitem(runtime.keys(), "stripe_live_key", "rk_live_paynexus")
    _configure(deployed, LIVE_GATEWAYS="stripe")
    configured = [one.name for one in runtime.gateways().all()]

    assert unconfigured == ["sandbox"]
    assert configured == ["sandbox", "stripe"]


@pytest.mark.parametrize(
    ("settings", "key", "message"),
    [
        ({"LIVE_GATEWAYS": "sandbox"}, None, "PAYNEXUS_LIVE_GATEWAYS"),
        ({"TEST_GATEWAYS": "strype"}, None, "PAYNEXUS_TEST_GATEWAYS"),
        ({"LIVE_GATEWAYS": "stripe"}, None, "stripe_live_key"),
        ({"LIVE_GATEWAYS": "stripe"}, "sk_test_paynexus", "stripe_live_key"),
    ],
)
def test_what_would_mix_modes_is_refused(
    deployed: pytest.MonkeyPatch, settings: dict[str, str], key: str | None, message: str
) -> None:
    """A live payment never goes to a sandbox, nor under a key that moves no money."""
    if key is not None:
        deployed.setitem(runtime.keys(), "stripe_live_key", key)
    _configure(deployed, SANDBOX_ACQUIRER_URL="http://127.0.0.1:1", **settings)

    with pytest.raises(ConfigurationError, match=message):
        runtime.gateways()
