"""What Stripe's words mean, its amounts, and its callbacks; the SDK is the oracle of signatures."""

import datetime as dt
import json
from typing import Any

import pytest
import stripe

from paynexus.errors import SignatureRefused
from paynexus.gateways.callbacks import DIALECTS
from paynexus.gateways.port import Operation, Outcome, Result, Word
from paynexus.gateways.stripe import answers
from paynexus.gateways.stripe.amounts import amount_of, minor_of
from paynexus.money import Money

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
SECRET = "whsec_test"


def _intent(status: str, **more: object) -> dict[str, object]:
    metadata = {"paynexus_reference": "chg_a"}
    return {
        "object": "payment_intent",
        "id": "pi_1",
        "status": status,
        "amount": 1250,
        "currency": "eur",
        "metadata": metadata,
        "client_secret": "pi_1_secret_x",
    } | more


def _said(result: Result) -> tuple[Outcome, str | None]:
    return result.outcome, result.code


@pytest.mark.parametrize(
    ("intent", "outcome", "code"),
    [
        (_intent("succeeded"), Outcome.APPROVED, None),
        (_intent("requires_capture"), Outcome.APPROVED, None),
        (_intent("processing"), Outcome.UNKNOWN, "processing"),
        (_intent("requires_action"), Outcome.UNKNOWN, "requires_action"),
        (_intent("requires_confirmation"), Outcome.UNKNOWN, "requires_confirmation"),
        (_intent("requires_payment_method"), Outcome.UNKNOWN, "requires_payment_method"),
        (
            _intent("requires_payment_method", last_payment_error={"decline_code": "lost_card"}),
            Outcome.DECLINED,
            "lost_card",
        ),
        (_intent("canceled"), Outcome.DECLINED, "charge_canceled"),
        (_intent("canceled", latest_charge="ch_1"), Outcome.UNKNOWN, "charge_canceled"),
        (_intent("canceled", latest_charge={"status": "succeeded"}), Outcome.APPROVED, None),
        (
            _intent("canceled", latest_charge={"status": "failed"}),
            Outcome.DECLINED,
            "charge_canceled",
        ),
        (
            _intent("canceled", metadata={"paynexus_barred": "true"}),
            Outcome.DECLINED,
            "canceled_before_arrival",
        ),
        (_intent("a word of next year"), Outcome.UNKNOWN, "answer_unreadable"),
        ({}, Outcome.UNKNOWN, "answer_unreadable"),
    ],
)
def test_an_intent_tells_of_its_charge(
    intent: dict[str, object], outcome: Outcome, code: str | None
) -> None:
    """Only what Stripe says in so many words is certain."""
    result = answers.charged(intent)

    assert _said(result) == (outcome, code)
    assert "client_secret" not in result.response


@pytest.mark.parametrize(
    ("status", "outcome", "code"),
    [
        ("succeeded", Outcome.APPROVED, None),
        ("pending", Outcome.UNKNOWN, "processing"),
        ("requires_action", Outcome.UNKNOWN, "processing"),
        ("failed", Outcome.DECLINED, "refund_failed"),
        ("canceled", Outcome.DECLINED, "refund_canceled"),
        ("anything else", Outcome.UNKNOWN, "answer_unreadable"),
    ],
)
def test_a_refund_tells_of_itself(status: str, outcome: Outcome, code: str | None) -> None:
    """A pending one may still fail."""
    assert _said(answers.refunded({"id": "re_1", "status": status})) == (outcome, code)


@pytest.mark.parametrize(
    ("status", "received", "is_partly"),
    [
        ("succeeded", 400, True),
        ("succeeded", 1250, False),
        ("succeeded", 0, False),
        ("succeeded", None, False),
        ("requires_capture", 400, False),
    ],
)
def test_an_intent_is_partly_captured_by_what_was_received(
    status: str, received: int | None, *, is_partly: bool
) -> None:
    """A cancel then has nothing left to give up, and must not return what was captured."""
    intent = {"id": "pi_1", "status": status, "amount": 1250, "amount_received": received}

    assert answers.is_partly_captured(intent) is is_partly


def test_a_capture_is_believed_with_its_sum() -> None:
    """What was received is what was asked for, or it proves nothing."""
    intent = _intent("succeeded", amount_received=1000)

    assert answers.captured(intent, 1000).outcome is Outcome.APPROVED
    assert answers.captured(intent, 1250).outcome is Outcome.UNKNOWN
    assert answers.captured(_intent("requires_capture"), 1250).outcome is Outcome.UNKNOWN
    assert answers.canceled(_intent("canceled")).outcome is Outcome.APPROVED
    assert answers.canceled(_intent("succeeded")).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("status", "error", "outcome", "code"),
    [
        (
            402,
            {"type": "card_error", "code": "card_declined", "decline_code": "do_not_honor"},
            Outcome.DECLINED,
            "do_not_honor",
        ),
        (402, {"type": "card_error", "code": "expired_card"}, Outcome.DECLINED, "expired_card"),
        (402, None, Outcome.UNKNOWN, "gateway_status_402"),
        (400, {"type": "invalid_request_error"}, Outcome.DECLINED, "invalid_request_error"),
        (400, {"type": "x", "code": "amount_too_small"}, Outcome.DECLINED, "amount_too_small"),
        (400, None, Outcome.NOT_SENT, "gateway_status_400"),
        (400, {"type": "idempotency_error"}, Outcome.UNKNOWN, "reference_reused"),
        (409, {"code": "idempotency_key_in_use"}, Outcome.UNKNOWN, "operation_in_progress"),
        (409, {"code": "lock_timeout"}, Outcome.UNKNOWN, "lock_timeout"),
        (401, {"type": "invalid_request_error"}, Outcome.NOT_SENT, "gateway_credentials_refused"),
        (429, {"code": "lock_timeout"}, Outcome.NOT_SENT, "gateway_rate_limited"),
        (400, {"code": "rate_limit"}, Outcome.NOT_SENT, "gateway_rate_limited"),
        (404, {"code": "resource_missing"}, Outcome.DECLINED, "resource_missing"),
        (424, {"type": "api_error"}, Outcome.UNKNOWN, "api_error"),
        (500, {"type": "api_error"}, Outcome.UNKNOWN, "api_error"),
        (503, None, Outcome.UNKNOWN, "gateway_status_503"),
    ],
)
def test_an_error_is_certain_only_where_stripe_says_that_nothing_was_done(
    status: int, error: dict[str, object] | None, outcome: Outcome, code: str
) -> None:
    """A reused key speaks of an earlier request, which may have taken effect."""
    assert _said(answers.erred(status, error)) == (outcome, code)


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        (1250, "EUR", 1250),
        (500, "JPY", 500),
        (5, "ISK", 500),
        (5, "UGX", 500),
        (1000, "MGA", 10),
        (1010, "MGA", None),
        (5120, "KWD", 5120),
        (5124, "KWD", None),
    ],
)
def test_amounts_in_stripes_units(amount: int, currency: str, expected: int | None) -> None:
    """Exactly, or not at all."""
    assert amount_of(Money(amount, currency)) == expected
    if expected is not None:
        assert minor_of(expected, currency) == amount


def _event(thing: object) -> str:
    return json.dumps({"id": "evt_1", "object": "event", "data": {"object": thing}})


def _signed(body: str, *, secret: str = SECRET, at: dt.datetime = NOW) -> str:
    time = int(at.timestamp())
    sign: Any = stripe.WebhookSignature._compute_signature
    return f"t={time},v1={sign(f'{time}.{body}', secret)}"


def _verify(body: str, signature: str, *, key: str = SECRET) -> None:
    DIALECTS["stripe_test"].verify({"stripe-signature": signature}, body, key=key, now=NOW)


def _refund(reference: str, **more: object) -> dict[str, object]:
    metadata = {"paynexus_reference": reference}
    refund = {"object": "refund", "id": "re_1", "status": "succeeded", "metadata": metadata}
    return refund | {"amount": 250, "currency": "eur"} | more


CAPTURED = {"metadata": {"paynexus_reference": "chg_a", "paynexus_capture": "cap_a"}}


@pytest.mark.parametrize(
    ("thing", "word"),
    [
        (_intent("succeeded"), Word(Operation.CHARGE, "chg_a", Outcome.APPROVED, 1250, "EUR")),
        (_intent("processing"), Word(Operation.CHARGE, "chg_a", Outcome.UNKNOWN, 1250, "EUR")),
        (
            _intent("succeeded", amount_received=500, **CAPTURED),
            Word(Operation.CAPTURE, "cap_a", Outcome.APPROVED, 500, "EUR"),
        ),
        (
            _intent("requires_capture", **CAPTURED),
            Word(Operation.CHARGE, "chg_a", Outcome.APPROVED, 1250, "EUR"),
        ),
        (_refund("ref_a"), Word(Operation.REFUND, "ref_a", Outcome.APPROVED, 250, "EUR")),
        (_refund("can_a"), Word(Operation.CANCEL, "can_a", Outcome.APPROVED, 250, "EUR")),
        (
            _refund("ref_a", status="failed"),
            Word(Operation.REFUND, "ref_a", Outcome.DECLINED, 250, "EUR"),
        ),
        (
            _refund("ref_a", amount=700, currency="isk"),
            Word(Operation.REFUND, "ref_a", Outcome.APPROVED, 7, "ISK"),
        ),
    ],
)
def test_an_event_speaks_of_one_operation(thing: object, word: Word) -> None:
    """Of a charge, its capture, a refund, or a cancel that Stripe knows as one."""
    body = _event(thing)

    assert (DIALECTS["stripe"].id_of(body), DIALECTS["stripe"].read(body)) == ("evt_1", word)


@pytest.mark.parametrize(
    "body",
    [
        _event({"object": "customer", "metadata": {"paynexus_reference": "chg_x"}}),
        _event(_intent("succeeded", metadata={})),
        _event(_intent("succeeded", metadata={"paynexus_reference": "order_1"})),
        _event(_intent("succeeded", amount="1250")),
        _event(_intent("succeeded", currency="zzz")),
        _event(_refund("ref_a", amount=701, currency="isk")),
        "",
        "[]",
        "{}",
        '{"data": {"object": 1}}',
        '{"data": []}',
    ],
)
def test_what_is_none_of_ours_says_nothing(body: str) -> None:
    """Others may use the same account."""
    assert DIALECTS["stripe"].read(body) is None


def test_a_secret_may_be_rolled() -> None:
    """Both are believed meanwhile, on either side."""
    body = _event(_intent("succeeded"))
    both = f"{_signed(body, secret='whsec_old')},{_signed(body).partition(',')[2]}"

    _verify(body, _signed(body), key=f"whsec_new, {SECRET}")
    _verify(body, both)


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "t=,v1=",
        "v1=abc",
        "t=1,t=2,v1=abc",
        f"t={'9' * 5000},v1=abc",
        f"t={int(NOW.timestamp())},v1=ü",
        _signed(_event(_intent("canceled"))),
        _signed(_event(_intent("succeeded")), secret="whsec_other"),
        _signed(_event(_intent("succeeded")), secret=""),
        _signed(_event(_intent("succeeded")), at=NOW - dt.timedelta(minutes=6)),
        _signed(_event(_intent("succeeded")), at=NOW + dt.timedelta(minutes=6)),
        _signed(_event(_intent("succeeded"))).replace("v1=", "v0="),
    ],
)
def test_a_forged_or_replayed_event_is_refused(signature: str) -> None:
    """Whoever sent it."""
    with pytest.raises(SignatureRefused):
        _verify(_event(_intent("succeeded")), signature)
