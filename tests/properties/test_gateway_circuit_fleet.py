"""The circuit in Redis is the circuit of the rules."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from paynexus.cache import Cache
from paynexus.gateways.breaker import Breaker
from paynexus.gateways.circuit import SECOND, Circuit, Policy, State, Verdict, admit, record

# A moment as the fleet's clock tells it: Lua has to carry 16 digits without rounding.
START = 1_790_000_000 * SECOND + 123_457
POLICY = Policy(
    failures_to_open=2,
    open_seconds=3,
    probe_permits=2,
    permit_seconds=2,
    calls_per_second=3,
    burst=4,
)

steps = st.lists(
    st.tuples(
        st.integers(0, 2 * SECOND),
        st.one_of(st.none(), st.tuples(st.integers(0, 9), st.sampled_from(Verdict))),
    ),
    max_size=40,
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=steps)
def test_redis_and_the_rules_agree_on_every_step(
    redis_url: str, steps: list[tuple[int, tuple[int, Verdict] | None]]
) -> None:
    """Whatever is asked, reported and probed, in whatever order and at whatever time."""
    cache = _patient(redis_url)
    cache.delete("gateway:sandbox:circuit")
    breaker = Breaker(cache, gateway="sandbox", policy=POLICY)
    circuit, now = Circuit(), START
    admissions = [admit(circuit, POLICY, now=now)[1]]
    for passed, report in steps:
        now += passed
        if report is None:
            circuit, expected = admit(circuit, POLICY, now=now)
            admissions.append(expected)

            assert breaker.admit(at=now) == expected
        else:
            which, verdict = report
            admission = admissions[-1 - which % len(admissions)]
            circuit = record(circuit, POLICY, epoch=admission.epoch, verdict=verdict, now=now)
            if verdict in {Verdict.PROBE_SUCCESS, Verdict.PROBE_FAILURE}:
                breaker.probed(verdict, at=now)
            else:
                breaker.record(admission, verdict, at=now)

        assert breaker.state() is State(circuit.state)


def _patient(url: str) -> Cache:
    """A cache that waits for a busy machine: a miss would be answered by the local circuit."""
    cache = Cache(url)
    cache._client = Redis.from_url(url, socket_timeout=30, single_connection_client=True)
    return cache
