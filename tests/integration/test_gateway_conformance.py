"""What every gateway must do, whoever it is: one suite, run against each that can be had.

`sandbox` is our acquirer; `localstripe` a Stripe by others that ignores idempotency keys;
`stripe` the same behind keys. Where a counterparty can't do a thing, the test says which.
"""

import datetime as dt
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from paynexus.gateways.port import Gateway, Instruction, Operation, Outcome, Result, Sent
from paynexus.gateways.sandbox import SandboxGateway
from paynexus.gateways.stripe.adapter import StripeGateway
from paynexus.money import Money
from tests import stripe_fakes
from tests.sandbox import Sandbox

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
STRIPE_KEY = "sk_test_conformance"


@dataclass(frozen=True, slots=True)
class Counterparty:
    """A gateway, the cards it knows, and what it can't do."""

    gateway: Gateway
    stranger: Gateway
    """The same with a key that it doesn't know."""
    absent: Gateway
    """The same where nobody listens."""
    good: str
    bad: str
    keeps_keys: bool = True
    adds_up: bool = True
    """It refuses to return more than was taken."""

    def send(self, instruction: Instruction) -> Result:
        """What came of it."""
        return self.gateway.send(instruction, deadline_seconds=10)

    def inquire(
        self, instruction: Instruction, age: dt.timedelta = dt.timedelta(days=2)
    ) -> Result | None:
        """What became of what was sent so long ago."""
        return self.gateway.inquire(
            instruction.reference, deadline_seconds=10, sent=Sent(instruction, NOW - age)
        )

    def charge(self, reference: str, *, token: str | None = None, capture: bool = True) -> Result:
        """A payment of 12.50."""
        return self.send(self.charging(reference, token=token, capture=capture))

    def charging(
        self, reference: str, *, token: str | None = None, capture: bool = True
    ) -> Instruction:
        """The instruction for it."""
        return Instruction(
            Operation.CHARGE,
            reference,
            Money(1250, "EUR"),
            payment_method=token or self.good,
            capture=capture,
            description="Lunch for two",
        )


@pytest.fixture(scope="module")
def localstripe() -> Iterator[int]:
    """The port of a localstripe; one a module, for references tell payments apart."""
    with stripe_fakes.localstripe() as port:
        yield port


@pytest.fixture(name="sandbox")
def _sandbox(tmp_path: Path) -> Iterator[Counterparty]:
    sandbox = Sandbox(tmp_path)
    sandbox.start()
    url = f"http://127.0.0.1:{sandbox.port}"
    yield Counterparty(
        sandbox.gateway,
        SandboxGateway(url, api_key="wrong"),
        SandboxGateway("http://127.0.0.1:1", api_key="any"),
        good="tok_approve",
        bad="tok_decline_insufficient_funds",
    )
    sandbox.stop()


@pytest.fixture(name="bare")
def _bare(localstripe: int) -> Counterparty:
    return replace(_stripe(f"http://127.0.0.1:{localstripe}"), keeps_keys=False)


@pytest.fixture(name="keyed")
def _keyed(localstripe: int) -> Iterator[Counterparty]:
    with stripe_fakes.Keys(localstripe) as keys:
        yield _stripe(keys.url)


def _stripe(url: str) -> Counterparty:
    return Counterparty(
        StripeGateway(url, api_key=STRIPE_KEY, clock=lambda: NOW),
        StripeGateway(url, api_key="wrong", clock=lambda: NOW),
        StripeGateway("http://127.0.0.1:1", api_key=STRIPE_KEY, clock=lambda: NOW),
        good="pm_card_visa",
        bad="pm_card_chargeCustomerFail",
        adds_up=False,
    )


@pytest.fixture(params=["sandbox", "bare", "keyed"], ids=["sandbox", "localstripe", "stripe"])
def party(request: pytest.FixtureRequest) -> Counterparty:
    """Each in its turn."""
    counterparty: Counterparty = request.getfixturevalue(request.param)
    return counterparty


@pytest.fixture
def ref() -> Callable[[str], str]:
    """References of this test alone."""
    own = secrets.token_hex(6)
    return lambda name: f"pay_{own}_{name}"


def _later(operation: Operation, reference: str, charge: str, amount: int = 1250) -> Instruction:
    return Instruction(operation, reference, Money(amount, "EUR"), original_reference=charge)


def test_a_payment_is_taken_at_once_and_returned_in_parts(
    party: Counterparty, ref: Callable[[str], str]
) -> None:
    """Charged, and refunded twice; each answer names what the gateway calls it."""
    results = [
        party.charge(ref("a")),
        party.send(_later(Operation.REFUND, ref("r"), ref("a"), 400)),
        party.send(_later(Operation.REFUND, ref("s"), ref("a"), 850)),
    ]

    assert [one.outcome for one in results] == [Outcome.APPROVED] * 3
    assert len({one.gateway_reference for one in results} - {None}) == 3


def test_a_payment_is_authorized_then_captured_in_part(
    party: Counterparty, ref: Callable[[str], str]
) -> None:
    """The gateway finds the charge by our reference alone, and by its own name too."""
    authorized = party.charge(ref("a"), capture=False)
    capture = _later(Operation.CAPTURE, ref("c"), ref("a"), 1000)
    named = replace(capture, original_gateway_reference=authorized.gateway_reference)

    assert authorized.outcome is Outcome.APPROVED
    assert party.send(named).outcome is Outcome.APPROVED
    assert party.send(named).outcome is Outcome.APPROVED
    assert _outcome(party.inquire(capture)) is Outcome.APPROVED


def test_a_declined_card_is_declined_and_stays_so(
    party: Counterparty, ref: Callable[[str], str]
) -> None:
    """With the bank's reason; an inquiry says the same."""
    declined = party.charge(ref("a"), token=party.bad)
    inquired = party.inquire(party.charging(ref("a"), token=party.bad))

    assert declined.outcome is Outcome.DECLINED
    assert declined.code in {"insufficient_funds", "card_declined"}
    assert inquired is not None
    assert (inquired.outcome, inquired.code) == (Outcome.DECLINED, declined.code)


def test_a_card_nobody_knows_is_declined(party: Counterparty, ref: Callable[[str], str]) -> None:
    """The request is at fault, not the line."""
    assert party.charge(ref("a"), token="pm_of_nobody").outcome is Outcome.DECLINED


def test_a_cancel_releases_what_was_authorized(
    party: Counterparty, ref: Callable[[str], str]
) -> None:
    """Again is the same; what was canceled is not captured; the charge stays what it was."""
    party.charge(ref("a"), capture=False)
    cancel = _later(Operation.CANCEL, ref("x"), ref("a"))

    assert party.send(cancel).outcome is Outcome.APPROVED
    assert party.send(cancel).outcome is Outcome.APPROVED
    assert _outcome(party.inquire(cancel)) is Outcome.APPROVED
    assert _outcome(party.inquire(party.charging(ref("a"), capture=False))) is Outcome.APPROVED
    capture = party.send(_later(Operation.CAPTURE, ref("c"), ref("a")))
    assert capture.outcome is not Outcome.APPROVED


def test_a_cancel_reverses_what_was_captured_once(
    party: Counterparty, ref: Callable[[str], str]
) -> None:
    """All goes back, once: whoever cancels twice has what they asked for."""
    party.charge(ref("a"))
    cancel = _later(Operation.CANCEL, ref("x"), ref("a"))

    assert party.send(cancel).outcome is Outcome.APPROVED
    assert party.send(cancel).outcome is Outcome.APPROVED
    assert _outcome(party.inquire(cancel)) is Outcome.APPROVED
    assert party.send(_later(Operation.CANCEL, ref("y"), ref("a"))).outcome is Outcome.APPROVED
    refund = party.send(_later(Operation.REFUND, ref("r"), ref("a"), 1))
    assert refund.outcome is Outcome.DECLINED or not party.adds_up


def test_a_cancel_of_a_partly_captured_charge_leaves_what_was_captured(
    party: Counterparty, ref: Callable[[str], str]
) -> None:
    """The rest is given up: the merchant's money does not go back.

    localstripe books the rest as a refund and can't be asked how much was captured.
    """
    party.charge(ref("a"), capture=False)
    party.send(_later(Operation.CAPTURE, ref("c"), ref("a"), 400))
    canceled = party.send(_later(Operation.CANCEL, ref("x"), ref("a")))
    refunded = party.send(_later(Operation.REFUND, ref("r"), ref("a"), 400))

    assert canceled.outcome is Outcome.APPROVED or canceled.code == "charge_refunded"
    assert canceled.outcome is Outcome.APPROVED or not party.adds_up
    assert refunded.outcome is Outcome.APPROVED
    assert refunded.gateway_reference != canceled.gateway_reference


def test_a_cancel_of_a_refunded_charge_returns_nothing_twice(
    party: Counterparty, ref: Callable[[str], str]
) -> None:
    """Part of it went back already: what is left is for a refund to say."""
    party.charge(ref("a"))
    party.send(_later(Operation.REFUND, ref("r"), ref("a"), 400))
    result = party.send(_later(Operation.CANCEL, ref("x"), ref("a")))

    assert (result.outcome, result.code) == (Outcome.DECLINED, "charge_refunded")


def test_a_charge_that_never_came_is_barred_by_its_cancel(
    party: Counterparty, ref: Callable[[str], str]
) -> None:
    """It arrives late, and takes nothing."""
    if not party.keeps_keys:
        pytest.skip("localstripe ignores idempotency keys: nothing bars a late request there")
    cancel = _later(Operation.CANCEL, ref("x"), ref("a"))

    assert party.send(cancel).outcome is Outcome.APPROVED
    assert party.charge(ref("a")).outcome is not Outcome.APPROVED
    inquired = party.inquire(party.charging(ref("a")))
    assert inquired is not None
    assert (inquired.outcome, inquired.code) == (Outcome.DECLINED, "canceled_before_arrival")
    assert _outcome(party.inquire(cancel)) is Outcome.APPROVED


def test_the_same_reference_twice_is_one_operation(
    party: Counterparty, ref: Callable[[str], str]
) -> None:
    """One charge, one refund: the second answer is the first."""
    if not party.keeps_keys:
        pytest.skip("localstripe ignores idempotency keys: the same key made two charges")
    charges = [party.charge(ref("a")) for _ in range(2)]
    refund = _later(Operation.REFUND, ref("r"), ref("a"), 400)
    refunds = [party.send(refund) for _ in range(2)]

    assert charges[0] == charges[1]
    assert refunds[0] == refunds[1]
    assert charges[0].outcome is refunds[0].outcome is Outcome.APPROVED


@pytest.mark.parametrize("capture", [True, False])
def test_an_inquiry_tells_what_the_answer_told(
    party: Counterparty,
    ref: Callable[[str], str],
    capture: bool,  # noqa: FBT001 - a parameter
) -> None:
    """Of a charge, by reference alone too, and of a refund."""
    charged = party.charge(ref("a"), capture=capture)
    inquired = party.inquire(party.charging(ref("a"), capture=capture))
    by_reference = party.gateway.inquire(ref("a"), deadline_seconds=10)

    for found in (inquired, by_reference):
        assert found is not None
        assert (found.outcome, found.gateway_reference) == (
            Outcome.APPROVED,
            charged.gateway_reference,
        )


def test_an_inquiry_tells_what_became_of_a_refund(
    party: Counterparty, ref: Callable[[str], str]
) -> None:
    """And that another one never came."""
    party.charge(ref("a"))
    refund = _later(Operation.REFUND, ref("r"), ref("a"), 400)
    sent = party.send(refund)
    found = party.inquire(refund)

    assert found is not None
    assert (found.outcome, found.gateway_reference) == (sent.outcome, sent.gateway_reference)
    assert party.inquire(_later(Operation.REFUND, ref("s"), ref("a"), 400)) is None


@pytest.mark.parametrize("operation", Operation)
def test_what_never_came_is_said_to_be_so(
    party: Counterparty, ref: Callable[[str], str], operation: Operation
) -> None:
    """None, from the gateway's own books, and nothing is done by asking."""
    instruction = party.charging(ref("a"))
    if operation is not Operation.CHARGE:
        instruction = _later(operation, ref("x"), ref("a"))

    assert party.inquire(instruction) is None
    assert party.inquire(instruction) is None


def test_a_refund_of_a_charge_nobody_knows_is_declined(
    party: Counterparty, ref: Callable[[str], str]
) -> None:
    """So is its capture."""
    for operation in (Operation.REFUND, Operation.CAPTURE):
        result = party.send(_later(operation, ref(operation), ref("nobody")))

        assert (result.outcome, result.code) == (Outcome.DECLINED, "unknown_charge")


def test_a_gateway_that_is_not_there_was_sent_nothing(
    party: Counterparty, ref: Callable[[str], str]
) -> None:
    """NOT_SENT for what it was to do; UNKNOWN for what it was asked."""
    asked = party.charging(ref("a"))
    refund = _later(Operation.REFUND, ref("r"), ref("a"))

    for instruction in (asked, refund):
        sent = party.absent.send(instruction, deadline_seconds=5)
        assert sent == Result(Outcome.NOT_SENT, code="connect_refused")
    for since in (NOW, NOW - dt.timedelta(days=2)):
        inquired = party.absent.inquire(ref("a"), deadline_seconds=5, sent=Sent(asked, since))
        assert inquired == Result(Outcome.UNKNOWN, code="connect_refused")


def test_a_key_that_it_does_not_know_was_turned_away_at_the_door(
    party: Counterparty, ref: Callable[[str], str]
) -> None:
    """Nobody's card is at fault, and an inquiry does not take it for "never seen"."""
    asked = party.charging(ref("a"))
    result = party.stranger.send(asked, deadline_seconds=5)
    inquired = party.stranger.inquire(ref("a"), deadline_seconds=5, sent=Sent(asked, NOW))

    assert (result.outcome, result.code) == (Outcome.NOT_SENT, "gateway_credentials_refused")
    assert _outcome(inquired) is Outcome.UNKNOWN


def test_its_health_is_asked(party: Counterparty) -> None:
    """By a question that it answers."""
    assert party.gateway.is_healthy()
    assert not party.absent.is_healthy()


def test_what_is_kept_of_answers_holds_no_secret_and_no_card(
    party: Counterparty, ref: Callable[[str], str]
) -> None:
    """Neither of an approval nor of a decline."""
    results = [party.charge(ref("a")), party.charge(ref("b"), token=party.bad)]
    kept = str([one.response for one in results])

    assert all(one.response for one in results)
    for word in ("secret", "last4", "4242", "exp_", party.good):
        assert word not in kept


def _outcome(result: Result | None) -> Outcome | None:
    return result.outcome if result else None
