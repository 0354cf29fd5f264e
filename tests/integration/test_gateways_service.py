"""Gateways as the house calls them: the sandbox acquirer behind its circuit, on real Redis."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from redis import Redis

from paynexus import runtime
from paynexus.cache import Cache
from paynexus.db import Database
from paynexus.gateways.breaker import Breaker
from paynexus.gateways.circuit import Policy, State, Verdict
from paynexus.gateways.port import Gateway, Instruction, Operation, Outcome, Result, Sent
from paynexus.gateways.retry import Pace
from paynexus.gateways.sandbox import SandboxGateway
from paynexus.gateways.service import Gateways, GuardedGateway
from paynexus.money import Money
from probe_gateways.handler import handler
from tests.sandbox import Sandbox

KEY = "sandbox-key"
POLICY = Policy(failures_to_open=3, open_seconds=10)
HASTY = Pace(sleep=lambda _: None, random=lambda: 0.0)


@pytest.fixture(name="sandbox")
def _sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    sandbox = Sandbox(tmp_path)
    sandbox.start()
    yield sandbox
    sandbox.stop()


@pytest.fixture(name="patient")
def _patient(redis_url: str) -> Callable[[], Cache]:
    """Makes caches that wait for a busy machine: a miss would be counted locally."""

    def make() -> Cache:
        cache = Cache(redis_url)
        cache._client = Redis.from_url(redis_url, socket_timeout=30, single_connection_client=True)
        return cache

    return make


def _guarded(gateway: Gateway, cache: Cache, policy: Policy = POLICY) -> GuardedGateway:
    breaker = Breaker(cache, gateway=gateway.name, policy=policy)
    return GuardedGateway(gateway, breaker=breaker, pace=HASTY)


def _charge(reference: str, token: str = "tok_approve", *, capture: bool = True) -> Instruction:
    return Instruction(
        Operation.CHARGE,
        reference,
        Money(1250, "EUR"),
        payment_method=token,
        capture=capture,
        description="Lunch",
    )


def _later(operation: Operation, reference: str, charge: str, amount: int = 1250) -> Instruction:
    return Instruction(operation, reference, Money(amount, "EUR"), original_reference=charge)


def _part(reference: str, charge: str, amount: int) -> Instruction:
    """A capture that more may follow."""
    return replace(_later(Operation.CAPTURE, reference, charge, amount), is_final=False)


def test_a_payments_life_at_the_gateway(sandbox: Sandbox) -> None:
    """Authorized, captured, refunded; each answer names the gateway's own reference."""
    gateway = sandbox.gateway
    steps = [
        (_charge("a", capture=False), Outcome.APPROVED, None),
        (_part("c", "a", 1000), Outcome.APPROVED, None),
        (_later(Operation.CAPTURE, "e", "a", 240), Outcome.APPROVED, None),
        (_later(Operation.CAPTURE, "f", "a", 10), Outcome.DECLINED, "charge_released"),
        (_later(Operation.REFUND, "r", "a", 400), Outcome.APPROVED, None),
        (_later(Operation.REFUND, "s", "a", 841), Outcome.DECLINED, "amount_exceeds_captured"),
        (_later(Operation.REFUND, "t", "nobody"), Outcome.DECLINED, "unknown_charge"),
        (_charge("d", "tok_decline_stolen"), Outcome.DECLINED, "stolen_card"),
        (_later(Operation.CANCEL, "y", "never came"), Outcome.APPROVED, None),
        (_charge("never came"), Outcome.DECLINED, "canceled_before_arrival"),
    ]
    for instruction, outcome, code in steps:
        result = gateway.send(instruction, deadline_seconds=10)

        assert (result.outcome, result.code) == (outcome, code)
        assert (result.gateway_reference is None) == (code == "unknown_charge")


@pytest.mark.parametrize(
    ("token", "outcome", "code", "found"),
    [
        ("tok_timeout_before", Outcome.UNKNOWN, "answer_timed_out", None),
        ("tok_timeout_after", Outcome.UNKNOWN, "answer_timed_out", Outcome.APPROVED),
        ("tok_error_before", Outcome.UNKNOWN, "internal_error", None),
        ("tok_error_after", Outcome.UNKNOWN, "internal_error", Outcome.APPROVED),
        ("tok_disconnect_before", Outcome.UNKNOWN, "answer_broken", None),
        ("tok_disconnect_after", Outcome.UNKNOWN, "answer_broken", Outcome.APPROVED),
        ("tok_garbled_after", Outcome.UNKNOWN, "answer_unreadable", Outcome.APPROVED),
        ("tok_rate_limited", Outcome.NOT_SENT, "gateway_rate_limited", None),
        ("tok_slow", Outcome.UNKNOWN, "answer_timed_out", Outcome.UNKNOWN),
        ("tok_approve", Outcome.APPROVED, None, Outcome.APPROVED),
    ],
)
def test_each_token_leads_to_its_outcome_and_an_inquiry_to_the_truth(
    sandbox: Sandbox, token: str, outcome: Outcome, code: str | None, found: Outcome | None
) -> None:
    """What the call could not tell, the books do; a slow one is never "never seen"."""
    result = sandbox.gateway.send(_charge("a", token), deadline_seconds=0.5)
    inquired = sandbox.gateway.inquire("a", deadline_seconds=10)

    assert (result.outcome, result.code) == (outcome, code)
    assert (inquired and inquired.outcome) == found


def test_what_was_not_sent_is_sent_again_under_its_reference(
    sandbox: Sandbox, cache: Cache
) -> None:
    """The first send is turned away at the door; the second gets through, once."""
    result = _guarded(sandbox.gateway, cache).send(
        _charge("a", "tok_rate_limited_once"), deadline_seconds=10
    )

    assert result.outcome is Outcome.APPROVED
    assert sandbox.charges() == ["a"]


def test_a_wrong_key_is_not_the_customers_fault(sandbox: Sandbox) -> None:
    """Nothing was sent, and an inquiry doesn't take a refusal for "never seen"."""
    stranger = SandboxGateway(f"http://127.0.0.1:{sandbox.port}", api_key="wrong")
    result = stranger.send(_charge("a"), deadline_seconds=10)
    inquired = stranger.inquire("a", deadline_seconds=10)

    assert (result.outcome, result.code) == (Outcome.NOT_SENT, "gateway_credentials_refused")
    assert inquired == Result(Outcome.UNKNOWN, code="unauthorized")


def test_a_gateway_that_is_down_opens_the_circuit_and_a_probe_closes_it(
    sandbox: Sandbox, patient: Callable[[], Cache]
) -> None:
    """Three refused connections; then nobody in the fleet knocks until it is back."""
    one, other = (_guarded(sandbox.gateway, patient()) for _ in range(2))
    sandbox.stop()

    assert one.send(_charge("a"), deadline_seconds=10).code == "connect_refused"
    assert one.state() is State.OPEN
    assert other.send(_charge("b"), deadline_seconds=10) == Result(
        Outcome.NOT_SENT, code="circuit_open"
    )
    assert other.inquire("b", deadline_seconds=10) == Result(Outcome.UNKNOWN, code="circuit_open")
    assert other.probe() is State.OPEN
    sandbox.start()
    assert other.probe() is State.CLOSED
    assert one.send(_charge("a"), deadline_seconds=10).outcome is Outcome.APPROVED


def test_declines_never_open_the_circuit(sandbox: Sandbox, cache: Cache) -> None:
    """The gateway is well; the cards are not."""
    gateway = _guarded(sandbox.gateway, cache)
    codes = [
        gateway.send(_charge(f"a{n}", "tok_decline"), deadline_seconds=10).code for n in range(9)
    ]

    assert set(codes) == {"generic_decline"}
    assert gateway.state() is State.CLOSED


def test_a_call_beyond_the_rate_is_answered_at_once(
    sandbox: Sandbox, patient: Callable[[], Cache]
) -> None:
    """NOT_SENT: the gateway never heard of it."""
    gateway = _guarded(sandbox.gateway, patient(), Policy(calls_per_second=0.001, burst=1))
    codes = [gateway.send(_charge(ref), deadline_seconds=10).code for ref in ("a", "b")]

    assert codes == [None, "gateway_busy"]
    assert sandbox.charges() == ["a"]


def test_without_redis_each_environment_counts_for_itself(sandbox: Sandbox) -> None:
    """Payments go on, the circuit still opens, and the metric says it is local."""
    one, other = (_guarded(sandbox.gateway, Cache("")) for _ in range(2))

    assert one.send(_charge("a"), deadline_seconds=10).outcome is Outcome.APPROVED
    sandbox.stop()
    one.send(_charge("b"), deadline_seconds=10)
    sandbox.start()

    assert one.send(_charge("b"), deadline_seconds=10).code == "circuit_open"
    assert other.send(_charge("b"), deadline_seconds=10).outcome is Outcome.APPROVED
    assert one.probe() is State.CLOSED


class Broken:
    """An adapter with a mistake in it."""

    name = "broken"

    def send(self, instruction: Instruction, *, deadline_seconds: float) -> Result:  # noqa: ARG002 - the port's
        """Never returns."""
        raise ZeroDivisionError

    def inquire(
        self,
        reference: str,  # noqa: ARG002 - the port's
        *,
        deadline_seconds: float,  # noqa: ARG002 - the port's
        sent: Sent | None = None,  # noqa: ARG002 - the port's
    ) -> Result | None:
        """Never returns."""
        raise ZeroDivisionError

    def is_healthy(self) -> bool:
        """Says no."""
        return False


def test_a_mistake_of_ours_is_counted_and_not_hidden(patient: Callable[[], Cache]) -> None:
    """No outcome is invented for a call that ended in an exception."""
    gateway = _guarded(Broken(), patient())
    with pytest.raises(ZeroDivisionError):
        gateway.send(_charge("a"), deadline_seconds=10)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            gateway.inquire("a", deadline_seconds=10)

    assert gateway.state() is State.OPEN


def test_a_mode_without_gateways_has_none(cache: Cache) -> None:
    """Each mode has its own, and one without any has none."""
    gateways = Gateways(cache, {"test": [_guarded(Broken(), cache)]})

    assert (list(gateways.of("test")), gateways.of("live")) == ([Broken.name], {})
    assert [one.name for one in gateways.all()] == [Broken.name]
    assert gateways.health() == {}


def test_how_gateways_are_is_believed_for_a_second(
    patient: Callable[[], Cache], sandbox: Sandbox
) -> None:
    """One look serves all payments of it; what has happened since is seen by the next look."""
    now, cache = [0.0], patient()
    two = [_guarded(Broken(), cache), _guarded(sandbox.gateway, cache)]
    gateways = Gateways(cache, {"test": two}, monotonic=lambda: now[0])
    seen = []
    for at in (0, 0.5, 1.0, 1.01):
        now[0] = at
        seen.append(gateways.health()[Broken.name].state)
        with suppress(ZeroDivisionError):
            two[0].send(_charge(f"{at}"), deadline_seconds=1)

    assert seen == [State.CLOSED, State.CLOSED, State.CLOSED, State.OPEN]


def test_the_schedule_probes_what_the_runtime_configures(
    database: Database,
    sandbox: Sandbox,
    patient: Callable[[], Cache],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From settings and keys to a closed circuit."""
    monkeypatch.setenv("PAYNEXUS_SANDBOX_ACQUIRER_URL", f"http://127.0.0.1:{sandbox.port}")
    monkeypatch.setattr(runtime, "keys", lambda: {"sandbox_acquirer_key": KEY})
    cache = patient()
    monkeypatch.setattr(runtime, "cache", lambda: cache)
    monkeypatch.setattr(runtime, "database", lambda: database)
    runtime.settings.cache_clear()
    runtime.gateways.cache_clear()
    breaker = Breaker(cache, gateway="sandbox", policy=Policy())
    for _ in range(Policy().failures_to_open):
        breaker.record(breaker.admit(), Verdict.FAILURE)
    assert breaker.state() is State.OPEN

    assert handler({}, _Context()) == {"sandbox": "CLOSED"}
    runtime.settings.cache_clear()
    runtime.gateways.cache_clear()


@dataclass
class _Context:
    function_name: str = "probe_gateways"
    memory_limit_in_mb: int = 128
    invoked_function_arn: str = "arn:aws:lambda:eu-central-1:1:function:probe_gateways"
    aws_request_id: str = "1"
