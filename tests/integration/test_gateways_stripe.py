"""Stripe's adapter where lines break: faults before and after the effect, and replays.

The counterparty is localstripe behind keys kept as Stripe documents them (tests/stripe_fakes.py),
and, for the wire and the words of errors, stripe-stateful-mock.
"""

import datetime as dt
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from paynexus.gateways.port import Instruction, Operation, Outcome, Result, Sent
from paynexus.gateways.stripe.adapter import StripeGateway
from paynexus.gateways.stripe.line import CallEnded, Line
from paynexus.money import Money
from tests import stripe_fakes
from tests.stripe_fakes import Fault, Keys

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
KEY = "sk_test_faults"
INTENTS = "/v1/payment_intents"
INSTALL_SECONDS = 120.0

AT_ONCE = dt.timedelta(seconds=5)
LONG_AFTER = dt.timedelta(days=2)


@pytest.fixture(scope="module")
def localstripe() -> Iterator[int]:
    """The port of a localstripe."""
    with stripe_fakes.localstripe() as port:
        yield port


@pytest.fixture
def stripe(localstripe: int) -> Iterator[Keys]:
    """A Stripe with empty books, which faults can be ordered from."""
    stripe_fakes.empty(localstripe)
    with Keys(localstripe) as keys:
        yield keys


@pytest.fixture
def gateway(stripe: Keys) -> StripeGateway:
    """The adapter for it."""
    return StripeGateway(stripe.url, api_key=KEY, clock=lambda: NOW)


def _charge(reference: str = "pay_a", *, capture: bool = True, amount: int = 1250) -> Instruction:
    return Instruction(
        Operation.CHARGE,
        reference,
        Money(amount, "EUR"),
        payment_method="pm_card_visa",
        capture=capture,
    )


def _later(operation: Operation, reference: str, amount: int = 1250) -> Instruction:
    return Instruction(operation, reference, Money(amount, "EUR"), original_reference="pay_a")


def _inquire(
    gateway: StripeGateway, instruction: Instruction, age: dt.timedelta = AT_ONCE
) -> Result | None:
    sent = Sent(instruction, NOW - age)
    return gateway.inquire(instruction.reference, deadline_seconds=10, sent=sent)


def _intents(stripe: Keys) -> list[dict[str, Any]]:
    line = Line(stripe.url, api_key=KEY, deadline_seconds=10)
    page: Any = line.ask(lambda: line.api.payment_intents.list({"limit": 100}))
    found: list[dict[str, Any]] = page["data"]
    return found


FAULTS = {
    "hung up before": Fault(INTENTS),
    "hung up after": Fault(INTENTS, is_after=True),
    "error before": Fault(INTENTS, status=500),
    "error after": Fault(INTENTS, is_after=True, status=500),
    "unavailable after": Fault(INTENTS, is_after=True, status=503),
    "gateway time-out after": Fault(INTENTS, is_after=True, status=504),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_charge_whose_answer_is_lost_is_unknown_until_it_is_asked_after(
    stripe: Keys, gateway: StripeGateway, name: str
) -> None:
    """One charge in the end where it can be known; never two, and never a guess."""
    stripe.faults.append(FAULTS[name])
    sent = gateway.send(_charge(), deadline_seconds=10)
    inquired = _inquire(gateway, _charge())

    assert sent.outcome is Outcome.UNKNOWN
    assert inquired is not None
    if name == "error before":
        # Stripe keeps a 500 under the key: only a cancel brings this to an end.
        assert (inquired.outcome, len(_intents(stripe))) == (Outcome.UNKNOWN, 0)
    else:
        assert (inquired.outcome, len(_intents(stripe))) == (Outcome.APPROVED, 1)


GARBAGE = [
    b"",
    b"null",
    b"[]",
    b"[[1]]",
    b"{}",
    b'{"object": "list"}',
    b'{"data": [1]}',
    b"{" * 9999,
]


@pytest.mark.parametrize("content", GARBAGE)
def test_an_answer_that_is_none_of_stripes_proves_nothing(
    stripe: Keys, gateway: StripeGateway, content: bytes
) -> None:
    """A 200 by whomever: the charge is unknown, and so is what an inquiry was to find."""
    stripe.faults.append(Fault(INTENTS, is_after=True, status=200, content=content))
    sent = gateway.send(_charge(), deadline_seconds=10)
    stripe.faults.append(Fault(INTENTS, status=200, content=content, method="GET"))
    inquired = _inquire(gateway, _charge(), LONG_AFTER)

    assert (sent.outcome, sent.code) == (Outcome.UNKNOWN, "answer_unreadable")
    assert (inquired and inquired.outcome) is Outcome.UNKNOWN


def test_after_a_day_an_inquiry_looks_and_never_sends(stripe: Keys, gateway: StripeGateway) -> None:
    """The key may be gone: the same request would be a second charge."""
    stripe.faults.append(Fault(INTENTS))
    gateway.send(_charge(), deadline_seconds=10)
    stripe.expire()

    assert _inquire(gateway, _charge(), LONG_AFTER) is None
    assert _intents(stripe) == []
    assert len(stripe.sent(INTENTS)) == 1


def test_without_what_was_sent_nothing_is_said_to_be_absent(gateway: StripeGateway) -> None:
    """A bare reference may be a refund's, which only its charge leads to."""
    found = gateway.inquire("ref_a", deadline_seconds=10)

    assert found == Result(Outcome.UNKNOWN, code="not_found_yet")


@pytest.mark.parametrize("operation", [Operation.CAPTURE, Operation.REFUND, Operation.CANCEL])
@pytest.mark.parametrize("is_after", [False, True])
def test_a_later_operation_whose_answer_is_lost_takes_effect_once(
    stripe: Keys,
    gateway: StripeGateway,
    operation: Operation,
    is_after: bool,  # noqa: FBT001 - a parameter
) -> None:
    """Asked after, it is found or sent again under its key."""
    gateway.send(_charge(capture=operation is Operation.REFUND), deadline_seconds=10)
    ends = {"capture": "/capture", "refund": "/v1/refunds", "cancel": "/cancel"}
    stripe.faults.append(Fault(ends[operation], is_after=is_after))
    instruction = _later(operation, "ref_a", 400)
    sent = gateway.send(instruction, deadline_seconds=10)
    inquired = _inquire(gateway, instruction)

    assert (sent.outcome, sent.code) == (Outcome.UNKNOWN, "answer_broken")
    assert inquired is not None
    assert inquired.outcome is Outcome.APPROVED
    assert _inquire(gateway, instruction, LONG_AFTER) == inquired


def test_a_capture_that_could_not_be_prepared_was_not_sent(
    stripe: Keys, gateway: StripeGateway
) -> None:
    """The mark on the intent failed: nothing that moves money left the house."""
    authorized = gateway.send(_charge(capture=False), deadline_seconds=10)
    stripe.faults.append(Fault(f"{INTENTS}/{authorized.gateway_reference}", status=500))
    result = gateway.send(_later(Operation.CAPTURE, "cap_a"), deadline_seconds=10)

    assert (result.outcome, result.code) == (Outcome.NOT_SENT, "api_error")
    assert stripe.sent(f"{INTENTS}/{authorized.gateway_reference}/capture") == []


def test_a_capture_that_more_would_follow_is_refused_before_anything_is_sent(
    stripe: Keys, gateway: StripeGateway
) -> None:
    """Stripe would give the rest up with it: the authorization is as it was, whole."""
    gateway.send(_charge(capture=False), deadline_seconds=10)
    part = replace(_later(Operation.CAPTURE, "cap_a", 400), is_final=False)
    result = gateway.send(part, deadline_seconds=10)

    assert (result.outcome, result.code) == (Outcome.DECLINED, "partial_captures_unsupported")
    assert [one["status"] for one in _intents(stripe)] == ["requires_capture"]
    assert gateway.send(_later(Operation.CAPTURE, "cap_b"), deadline_seconds=10).outcome is (
        Outcome.APPROVED
    )


def test_a_cancel_overtaken_by_its_charge_releases_it(stripe: Keys, gateway: StripeGateway) -> None:
    """The charge takes effect between the look and the bar; its key tells, and it is found."""
    gateway.send(_charge(capture=False), deadline_seconds=10)
    kept = dict(stripe.kept)
    blind = Blind(stripe.upstream, kept=kept)
    with blind:
        late = StripeGateway(blind.url, api_key=KEY, clock=lambda: NOW)
        result = late.send(_later(Operation.CANCEL, "can_a"), deadline_seconds=10)

    assert result.outcome is Outcome.APPROVED
    assert [one["status"] for one in _intents(stripe)] == ["canceled"]


class Blind(Keys):
    """Shows no intents in its first list, as if the charge had not arrived yet."""

    def _answer(self, request: stripe_fakes.Seen, authorization: str) -> tuple[int, bytes]:
        lists = [one for one in self.seen if one.path.startswith(f"{INTENTS}?")]
        if request.path.startswith(f"{INTENTS}?") and len(lists) == 1:
            return 200, b'{"object": "list", "data": [], "has_more": false}'
        return super()._answer(request, authorization)


def test_a_barred_charge_that_arrives_late_takes_nothing(
    stripe: Keys, gateway: StripeGateway
) -> None:
    """Its key is taken by an intent that has no card."""
    stripe.faults.append(Fault(INTENTS))
    gateway.send(_charge(), deadline_seconds=10)
    barred = gateway.send(_later(Operation.CANCEL, "can_a"), deadline_seconds=10)
    late = gateway.send(_charge(), deadline_seconds=10)

    assert barred.outcome is Outcome.APPROVED
    assert (late.outcome, late.code) == (Outcome.UNKNOWN, "reference_reused")
    assert [(one["status"], one["payment_method"]) for one in _intents(stripe)] == [
        ("canceled", None)
    ]


def test_a_bar_whose_answer_is_lost_is_unknown(stripe: Keys, gateway: StripeGateway) -> None:
    """And tried again it holds."""
    cancel = _later(Operation.CANCEL, "can_a")
    stripe.faults.append(Fault(INTENTS, is_after=True))

    assert gateway.send(cancel, deadline_seconds=10).outcome is Outcome.UNKNOWN
    assert gateway.send(cancel, deadline_seconds=10).outcome is Outcome.APPROVED


def test_a_card_that_wants_its_holder_is_declined_and_closed(
    stripe: Keys, gateway: StripeGateway
) -> None:
    """Nobody here can answer; an intent left open could still be paid."""
    line = Line(stripe.url, api_key=KEY, deadline_seconds=10)
    params: Any = {
        "type": "card",
        "card": {"number": "4000002500003155", "exp_month": 12, "exp_year": 2030, "cvc": "123"},
    }
    card = line.ask(lambda: line.api.payment_methods.create(params))
    instruction = Instruction(
        Operation.CHARGE, "pay_a", Money(1250, "EUR"), payment_method=str(card["id"])
    )
    result = gateway.send(instruction, deadline_seconds=10)
    inquired = _inquire(gateway, instruction, LONG_AFTER)

    assert (result.outcome, result.code) == (Outcome.DECLINED, "authentication_required")
    assert [one["status"] for one in _intents(stripe)] == ["canceled"]
    assert inquired is not None
    assert inquired.outcome is Outcome.DECLINED


def test_our_reference_is_key_and_metadata_and_nothing_is_sent_twice(
    stripe: Keys, gateway: StripeGateway
) -> None:
    """One POST a charge: the SDK repeats nothing, not even what it calls safe to."""
    stripe.faults.append(Fault(INTENTS, status=500))
    gateway.send(_charge(), deadline_seconds=10)
    (request,) = stripe.sent(INTENTS)
    form = parse_qs(request.body.decode())

    assert request.key == "pay_a"
    assert form["metadata[paynexus_reference]"] == ["pay_a"]
    assert (form["amount"], form["currency"]) == (["1250"], ["eur"])


def test_an_amount_that_stripe_cannot_hold_is_declined_here(gateway: StripeGateway) -> None:
    """Fils that end in something but zero."""
    instruction = Instruction(
        Operation.CHARGE, "pay_a", Money(1255, "KWD"), payment_method="pm_card_visa"
    )
    result = gateway.send(instruction, deadline_seconds=10)

    assert (result.outcome, result.code) == (Outcome.DECLINED, "amount_unsupported")


def test_a_deadline_that_is_over_sends_nothing(gateway: StripeGateway, stripe: Keys) -> None:
    """Certain, for no connection was made."""
    result = gateway.send(_charge(), deadline_seconds=0)

    assert (result.outcome, stripe.seen) == (Outcome.NOT_SENT, [])


def test_another_sum_under_our_reference_proves_nothing(
    stripe: Keys, gateway: StripeGateway
) -> None:
    """An intent over 5.00 is not the answer to a question after 12.50."""
    gateway.send(_charge(amount=500), deadline_seconds=10)

    assert _inquire(gateway, _charge(), LONG_AFTER) == Result(
        Outcome.UNKNOWN, code="answer_unreadable"
    )


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """stripe-stateful-mock, as pinned in tests/stripe_mock, from npm."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed: stripe-stateful-mock comes from there")
    target = tmp_path_factory.mktemp("stripe_mock")
    shutil.copy(stripe_fakes.STRIPE_MOCK / "package.json", target)
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock"]
    command = ["npm", "install", *options]
    try:
        done = subprocess.run(
            command, cwd=target, capture_output=True, check=False, timeout=INSTALL_SECONDS
        )
    except subprocess.TimeoutExpired:
        pytest.skip("npm's registry does not answer: stripe-stateful-mock comes from there")
    if done.returncode:
        if b"ENOTFOUND" in done.stderr or b"ECONNREFUSED" in done.stderr:
            pytest.skip("npm's registry can't be reached: stripe-stateful-mock comes from there")
        pytest.fail(done.stderr.decode())
    return target


@pytest.fixture(name="charge")
def _mock_charge(installation: Path) -> Iterator[Callable[..., Any]]:
    """Charges at stripe-stateful-mock, which has the older Charges API alone, over our line."""
    with stripe_fakes.stateful_mock(installation) as port:
        line = Line(f"http://127.0.0.1:{port}", api_key=KEY, deadline_seconds=30)

        def charge(key: str, source: str = "tok_visa", amount: int = 1250) -> Any:  # noqa: ANN401
            params: Any = {"amount": amount, "currency": "eur", "source": source}
            options: Any = {"idempotency_key": key}
            return line.ask(lambda: line.api.charges.create(params, options))

        yield charge


def test_the_mock_replays_a_key_over_our_line(charge: Callable[..., Any]) -> None:
    """The same request under the same key is the same charge; another key is another."""
    first, second, other = charge("a"), charge("a"), charge("b")

    assert first == second
    assert first["id"] != other["id"]


@pytest.mark.parametrize(
    ("source", "outcome", "code"),
    [
        ("tok_chargeDeclined", Outcome.DECLINED, "generic_decline"),
        ("tok_chargeDeclinedInsufficientFunds", Outcome.DECLINED, "insufficient_funds"),
        ("tok_chargeDeclinedExpiredCard", Outcome.DECLINED, "expired_card"),
        ("tok_chargeDeclinedProcessingError", Outcome.DECLINED, "processing_error"),
        ("tok_429", Outcome.NOT_SENT, "gateway_rate_limited"),
        ("tok_500", Outcome.UNKNOWN, "api_error"),
    ],
)
def test_the_mocks_errors_are_read(
    charge: Callable[..., Any], source: str, outcome: Outcome, code: str
) -> None:
    """Each in Stripe's own words."""
    with pytest.raises(CallEnded) as ended:
        charge("a", source)

    assert (ended.value.result.outcome, ended.value.result.code) == (outcome, code)


def test_the_mock_refuses_a_key_with_other_parameters(charge: Callable[..., Any]) -> None:
    """UNKNOWN: what was first sent under the key may have taken effect, and here it has."""
    charge("a")
    with pytest.raises(CallEnded) as ended:
        charge("a", amount=1300)

    assert ended.value.result.outcome is Outcome.UNKNOWN
    assert ended.value.result.code == "reference_reused"
