"""What is certain after a call, from when and how it ended."""

import pytest

from paynexus.gateways.circuit import Verdict
from paynexus.gateways.outcomes import FAILURES, Failure, Kind, Moment, failed, refused
from paynexus.gateways.port import Instruction, Operation, Outcome, Result
from paynexus.gateways.service import verdict_on
from paynexus.money import Money


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("moment", Moment)
def test_only_a_request_handed_over_whole_can_have_had_an_effect(
    moment: Moment, kind: Kind
) -> None:
    """The moment decides, whatever the kind."""
    expected = Outcome.UNKNOWN if moment is Moment.ANSWER else Outcome.NOT_SENT

    assert failed(Failure(moment, kind)).outcome is expected
    assert set(FAILURES) == set(Moment)


@pytest.mark.parametrize("status", [*range(200, 600)])
def test_a_status_is_unknown_unless_it_is_listed_as_certain(status: int) -> None:
    """No 5xx, redirect, 408 or 409 is ever taken for "nothing was done"."""
    certain = {400, 401, 403, 404, 405, 413, 415, 422, 429}
    outcome = refused(status, None).outcome

    assert outcome is (Outcome.NOT_SENT if status in certain else Outcome.UNKNOWN)


def test_a_refusal_in_the_gateways_own_words_is_a_decline() -> None:
    """A proxy's 404 says nothing of the payment; the gateway's own does."""
    assert refused(404, "unknown_charge") == Result(Outcome.DECLINED, code="unknown_charge")
    assert refused(404, None).outcome is Outcome.NOT_SENT
    assert refused(401, "unauthorized").code == "gateway_credentials_refused"
    assert refused(409, "operation_in_progress").outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("result", "verdict"),
    [
        (Result(Outcome.APPROVED), Verdict.SUCCESS),
        (Result(Outcome.DECLINED, code="do_not_honor"), Verdict.SUCCESS),
        (Result(Outcome.UNKNOWN, code="processing"), Verdict.SUCCESS),
        (Result(Outcome.NOT_SENT, code="gateway_rate_limited"), Verdict.NEUTRAL),
        (Result(Outcome.NOT_SENT, code="connect_refused"), Verdict.FAILURE),
        (Result(Outcome.UNKNOWN, code="answer_timed_out"), Verdict.FAILURE),
    ],
)
def test_a_decline_is_a_healthy_answer(result: Result, verdict: Verdict) -> None:
    """The circuit judges the gateway, not the customer's card."""
    assert verdict_on(result) is verdict


def test_an_instruction_that_cannot_be_meant_is_refused() -> None:
    """A charge names its payment method, anything else its charge."""
    money = Money(100, "EUR")
    with pytest.raises(ValueError, match="payment method"):
        Instruction(Operation.CHARGE, "a", money)
    with pytest.raises(ValueError, match="charge they speak of"):
        Instruction(Operation.REFUND, "a", money)


def test_every_result_carries_its_reason_in_one_word() -> None:
    """What attempts and metrics are told by."""
    assert failed(Failure(Moment.SEND, Kind.BROKEN)) == Result(Outcome.NOT_SENT, code="send_broken")
    assert refused(404, None) == Result(Outcome.NOT_SENT, code="gateway_status_404")
    assert refused(500, None) == Result(Outcome.UNKNOWN, code="gateway_status_500")
    assert refused(500, "internal") == Result(Outcome.UNKNOWN, code="internal")
