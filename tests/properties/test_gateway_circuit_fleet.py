"""The circuit in Redis is the circuit of the rules."""

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from redis import Redis

from paynexus.cache import Cache
from paynexus.gateways.breaker import Breaker
from paynexus.gateways.circuit import SECOND, Circuit, Policy, State, Verdict, admit, record

# A moment as the fleet's clock tells it: Lua has to carry 16 digits without rounding.
START = 1_790_000_000 * SECOND + 123_457
POLICY = Policy(
    failures_to_open=3,
    window_seconds=5,
    least_calls=4,
    failed_percent=60,
    slow_percent=75,
    slow_seconds=1,
    open_seconds=3,
    probe_permits=2,
    permit_seconds=2,
    calls_per_second=3,
    burst=4,
)

# Time stands still, or passes to just before, at or after a moment at which a rule changes.
_EDGES = (
    POLICY.interval,
    POLICY.tolerance,
    POLICY.open_time,
    POLICY.permit_time,
    POLICY.window,
)
_passing = st.one_of(
    st.just(0),
    st.builds(lambda edge, by: edge + by, st.sampled_from(_EDGES), st.sampled_from((-1, 0, 1))),
)
# What happens: a call asks, or the n-th last that asked reports; mostly failures of the last.
_report = st.tuples(
    st.one_of(st.just(0), st.integers(0, 9)),
    st.one_of(st.just(Verdict.FAILURE), st.sampled_from(Verdict)),
    st.booleans(),
)
steps = st.lists(st.tuples(_passing, st.one_of(st.none(), _report)), min_size=10, max_size=80)


_ASKS, _FAILED = None, (0, Verdict.FAILURE, False)
_OPENS = [(0, _ASKS), *[(0, _FAILED)] * POLICY.failures_to_open]
_HALF_OPENS = [*_OPENS, (POLICY.open_time, _ASKS)]


# Two paths too narrow for chance: permits run out exactly when, and counted from the first.
@example(steps=[*_HALF_OPENS, (0, _ASKS), (POLICY.permit_time, _ASKS)])
@example(steps=[*_HALF_OPENS, (POLICY.interval, _ASKS), (POLICY.permit_time - 1, _ASKS)])
@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=steps)
def test_redis_and_the_rules_agree_on_every_step(
    redis_url: str, steps: list[tuple[int, tuple[int, Verdict, bool] | None]]
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
            which, verdict, is_slow = report
            admission = admissions[-1 - which % len(admissions)]
            circuit = record(
                circuit, POLICY, epoch=admission.epoch, verdict=verdict, now=now, is_slow=is_slow
            )
            if verdict in {Verdict.PROBE_SUCCESS, Verdict.PROBE_FAILURE}:
                breaker.probed(verdict, at=now)
            else:
                breaker.record(admission, verdict, seconds=float(is_slow), at=now)

        assert breaker.state() is State(circuit.state)


def _patient(url: str) -> Cache:
    """A cache that waits for a busy machine: a miss would be answered by the local circuit."""
    cache = Cache(url)
    cache._client = Redis.from_url(url, socket_timeout=30, single_connection_client=True)
    return cache
