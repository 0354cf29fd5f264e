"""What Stripe's words mean, its amounts, and its callbacks; the SDK is the oracle of signatures."""

import datetime as dt
import hmac
import json
from typing import Any

import pytest
import stripe

from paynexus.errors import InvalidRequest, Unauthenticated
from paynexus.gateways.port import Outcome, Result
from paynexus.gateways.stripe import answers
from paynexus.gateways.stripe.amounts import amount_of
from paynexus.gateways.stripe.callbacks import read_callback
from paynexus.money import Money

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
SECRET = "whsec_test"


def _intent(status: str, **more: object) -> dict[str, object]:
    metadata = {"paynexus_reference": "pay_a"}
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


def _event(thing: object) -> bytes:
    return json.dumps({"id": "evt_1", "object": "event", "data": {"object": thing}}).encode()


def _signed(body: bytes, *, secret: str = SECRET, at: dt.datetime = NOW) -> str:
    time = int(at.timestamp())
    sign: Any = stripe.WebhookSignature._compute_signature
    return f"t={time},v1={sign(f'{time}.{body.decode()}', secret)}"


def _read(
    body: bytes, signature: str, *, secrets: tuple[str, ...] = (SECRET,)
) -> tuple[str, Result] | None:
    return read_callback(body, signature, secrets=secrets, now=NOW)


def test_a_signed_event_says_what_became_of_which_operation() -> None:
    """Of a charge, and of a refund."""
    refund = {
        "object": "refund",
        "id": "re_1",
        "status": "failed",
        "failure_reason": "expired_or_canceled_card",
        "metadata": {"paynexus_reference": "ref_a"},
    }
    charge_event, refund_event = _event(_intent("succeeded")), _event(refund)

    charged = _read(charge_event, _signed(charge_event))
    refunded = _read(refund_event, _signed(refund_event))
    assert charged is not None
    assert refunded is not None
    assert (charged[0], *_said(charged[1])) == ("pay_a", Outcome.APPROVED, None)
    assert (refunded[0], *_said(refunded[1])) == (
        "ref_a",
        Outcome.DECLINED,
        "expired_or_canceled_card",
    )


@pytest.mark.parametrize(
    "thing",
    [{"object": "customer", "metadata": {"paynexus_reference": "x"}}, _intent("x", metadata={})],
)
def test_what_is_none_of_ours_says_nothing(thing: object) -> None:
    """Others may use the same account."""
    body = _event(thing)

    assert _read(body, _signed(body)) is None


def test_a_secret_may_be_rolled() -> None:
    """Both are believed meanwhile, on either side."""
    body = _event(_intent("succeeded"))
    both = f"{_signed(body, secret='whsec_old')},{_signed(body).partition(',')[2]}"

    assert _read(body, _signed(body), secrets=("whsec_new", SECRET)) is not None
    assert _read(body, both) is not None


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
        _signed(_event(_intent("succeeded")), at=NOW - dt.timedelta(minutes=6)),
        _signed(_event(_intent("succeeded")), at=NOW + dt.timedelta(minutes=6)),
        _signed(_event(_intent("succeeded"))).replace("v1=", "v0="),
    ],
)
def test_a_forged_or_replayed_event_is_refused(signature: str) -> None:
    """Whoever sent it."""
    with pytest.raises(Unauthenticated):
        _read(_event(_intent("succeeded")), signature)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"data": {"object": 1}}', b"\xffx"])
def test_what_stripe_would_not_sign_is_no_event(body: bytes) -> None:
    """Not even with its secret."""
    time = int(NOW.timestamp())

    signature = hmac.digest(SECRET.encode(), b"%d." % time + body, "sha256").hex()
    with pytest.raises(InvalidRequest):
        _read(body, f"t={time},v1={signature}")
