"""The circuit and the rate of one gateway, shared by a whole fleet through Redis."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis

from paynexus.cache import Cache
from paynexus.gateways.breaker import Breaker
from paynexus.gateways.circuit import SECOND, Admission, Policy, Refusal, State, Verdict

POLICY = Policy(failures_to_open=3, open_seconds=10)


@pytest.fixture(name="patient")
def _patient(redis_url: str) -> Callable[[], Cache]:
    """Makes caches that wait for a busy machine: a miss would be counted locally."""

    def make() -> Cache:
        cache = Cache(redis_url)
        cache._client = Redis.from_url(redis_url, socket_timeout=30, single_connection_client=True)
        return cache

    return make


def test_one_of_fifty_simultaneous_callers_gets_to_try_a_half_open_circuit(
    patient: Callable[[], Cache],
) -> None:
    """Twenty rounds; each environment has a connection of its own."""
    with ThreadPoolExecutor(50) as pool:
        breakers = [Breaker(patient(), gateway="g", policy=POLICY) for _ in range(50)]
        for round_number in range(20):
            at = (1_000 + round_number * 100) * SECOND
            _open(breakers[0], at=at)
            later = at + 11 * SECOND
            admissions = list(pool.map(lambda b, now=later: b.admit(at=now), breakers))
            admitted = [one for one in admissions if not one.refusal]

            assert [one.state for one in admitted] == [State.HALF_OPEN]
            breakers[0].record(admitted[0], Verdict.SUCCESS, at=later)
            assert breakers[1].state() is State.CLOSED


def _open(breaker: Breaker, *, at: int) -> None:
    for _ in range(POLICY.failures_to_open):
        breaker.record(breaker.admit(at=at), Verdict.FAILURE, at=at)


def test_the_fleet_shares_one_rate(patient: Callable[[], Cache]) -> None:
    """Sixteen environments, one bucket: the burst and not one call more."""
    policy = Policy(calls_per_second=1, burst=100)
    breakers = [Breaker(patient(), gateway="g", policy=policy) for _ in range(16)]

    def admitted(breaker: Breaker) -> int:
        return sum(not breaker.admit(at=SECOND).refusal for _ in range(20))

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(admitted, breakers)) == 100


def test_counting_locally_and_each_change_of_state_are_metrics(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Once a minute, and once a change."""
    breaker = Breaker(Cache(""), gateway="g", policy=POLICY, monotonic=lambda: 100.0)
    _open(breaker, at=0)
    printed = capsys.readouterr().out

    # Its definition and its value, for the gateway and in total.
    assert printed.count('"CircuitCountedLocally"') == 4
    assert printed.count('"CircuitOpened"') == 4


def test_redis_lost_between_question_and_report_is_reported_locally(
    patient: Callable[[], Cache],
) -> None:
    """A failure isn't forgotten because the counter vanished."""
    cache = patient()
    breaker = Breaker(cache, gateway="g", policy=POLICY)
    admission = breaker.admit()
    cache._url = ""
    for _ in range(POLICY.failures_to_open):
        breaker.record(admission, Verdict.FAILURE)

    assert breaker.admit() == Admission(Refusal.CIRCUIT, State.OPEN, 1, is_local=True)
