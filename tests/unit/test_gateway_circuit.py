"""The circuit's rules, in virtual time."""

from dataclasses import replace

from paynexus.gateways.circuit import (
    SECOND,
    Admission,
    Circuit,
    Policy,
    Refusal,
    State,
    Verdict,
    admit,
    record,
)

POLICY = Policy(failures_to_open=3, open_seconds=10, permit_seconds=5)


def _after(circuit: Circuit, *verdicts: Verdict, now: int = 0) -> Circuit:
    for verdict in verdicts:
        circuit = record(circuit, POLICY, epoch=circuit.epoch, verdict=verdict, now=now)
    return circuit


def _opened() -> Circuit:
    return _after(Circuit(), *[Verdict.FAILURE] * 3)


def test_consecutive_failures_open_the_circuit_and_a_success_begins_the_count_anew() -> None:
    """Three in a row, not three in all."""
    failure, success = Verdict.FAILURE, Verdict.SUCCESS

    assert _after(Circuit(), failure, failure, success, failure, failure).state is State.CLOSED
    assert _after(Circuit(), failure, failure, failure).state is State.OPEN


def test_an_open_circuit_refuses_at_once_and_then_lets_one_try() -> None:
    """One permit; the next caller waits for its result."""
    early, refused = admit(_opened(), POLICY, now=10 * SECOND - 1)
    trial, first = admit(early, POLICY, now=10 * SECOND)
    _, second = admit(trial, POLICY, now=10 * SECOND)

    assert refused.refusal is Refusal.CIRCUIT
    assert (first.refusal, first.state) == (Refusal.NONE, State.HALF_OPEN)
    assert second.refusal is Refusal.CIRCUIT


def test_a_trial_closes_or_reopens_the_circuit() -> None:
    """The one permitted call decides for all."""
    trial, _ = admit(_opened(), POLICY, now=10 * SECOND)

    assert _after(trial, Verdict.SUCCESS).state is State.CLOSED
    assert _after(trial, Verdict.FAILURE, now=10 * SECOND).state is State.OPEN


def test_a_permit_whose_holder_died_is_given_anew() -> None:
    """A Lambda that never reports can't hold the circuit half-open for ever."""
    trial, _ = admit(_opened(), POLICY, now=10 * SECOND)
    _, early = admit(trial, POLICY, now=15 * SECOND - 1)
    _, late = admit(trial, POLICY, now=15 * SECOND)

    assert early.refusal is Refusal.CIRCUIT
    assert late.refusal is Refusal.NONE


def test_news_from_an_earlier_epoch_changes_nothing() -> None:
    """A call that began before the rest and fails after it does not start another."""
    trial, admission = admit(_opened(), POLICY, now=10 * SECOND)
    closed = _after(trial, Verdict.SUCCESS)
    late = record(closed, POLICY, epoch=admission.epoch, verdict=Verdict.FAILURE, now=0)

    assert late == closed


def test_a_probe_ends_or_prolongs_a_rest_and_leaves_a_closed_circuit_alone() -> None:
    """Health probes never open a circuit: only calls do."""
    prolonged = _after(_opened(), Verdict.PROBE_FAILURE, now=9 * SECOND)
    _, refused = admit(prolonged, POLICY, now=12 * SECOND)

    assert refused == Admission(Refusal.CIRCUIT, State.OPEN, prolonged.epoch)
    assert _after(_opened(), Verdict.PROBE_SUCCESS).state is State.CLOSED
    assert _after(Circuit(), Verdict.PROBE_FAILURE) == Circuit()


def test_the_bucket_lets_a_burst_pass_and_then_exactly_its_rate() -> None:
    """Ten calls a second with a burst of three, over two seconds."""
    policy = Policy(calls_per_second=10, burst=3)
    circuit, passed = Circuit(), 0
    for now in range(0, 2 * SECOND, SECOND // 100):
        circuit, admission = admit(circuit, policy, now=now)
        passed += admission.refusal is Refusal.NONE

    assert passed == 3 + 19


def test_each_change_of_state_is_a_new_epoch_that_begins_with_nothing_counted() -> None:
    """Opened, half open, and either way from there: nothing of the time before is carried on."""
    opened = _after(Circuit(), *[Verdict.FAILURE] * 3, now=7)
    due = 7 + 10 * SECOND
    trial, first = admit(opened, POLICY, now=due)
    until = due + 5 * SECOND
    half_open = Circuit(State.HALF_OPEN, 2, 0, 7, 1, until, due + POLICY.interval)

    assert opened == Circuit(State.OPEN, 1, 0, 7, 0, 0, 0)
    assert trial == half_open
    assert first == Admission(Refusal.NONE, State.HALF_OPEN, 2)
    assert _after(trial, Verdict.SUCCESS) == replace(
        half_open, state=State.CLOSED, epoch=3, permits_out=0
    )
    assert _after(trial, Verdict.FAILURE, now=due) == replace(
        half_open, state=State.OPEN, epoch=3, permits_out=0, opened_at=due
    )


def test_a_trial_that_tells_nothing_gives_its_permit_back() -> None:
    """The next caller may try at once; and a permit given back twice was still one."""
    trial, _ = admit(_opened(), POLICY, now=10 * SECOND)
    returned = _after(trial, Verdict.NEUTRAL)
    _, next_one = admit(returned, POLICY, now=10 * SECOND)

    assert returned == replace(trial, permits_out=0)
    assert _after(returned, Verdict.NEUTRAL) == returned
    assert next_one.refusal is Refusal.NONE


def test_as_many_try_at_once_as_there_are_permits() -> None:
    """Two permits, two callers; one reports without news, one more may try."""
    policy = replace(POLICY, probe_permits=2)
    circuit, refusals = _opened(), []
    for _ in range(3):
        circuit, admission = admit(circuit, policy, now=10 * SECOND)
        refusals.append(admission.refusal)

    assert refusals == [Refusal.NONE, Refusal.NONE, Refusal.CIRCUIT]
    assert circuit.permits_out == 2
    assert _after(circuit, Verdict.NEUTRAL).permits_out == 1


def test_a_call_beyond_the_rate_is_told_so_and_changes_nothing() -> None:
    """The bucket refuses it, not the circuit."""
    policy = Policy(calls_per_second=10, burst=1)
    once, _ = admit(Circuit(epoch=4), policy, now=SECOND)

    assert admit(once, policy, now=SECOND) == (once, Admission(Refusal.RATE, State.CLOSED, 4))


WINDOWED = Policy(
    failures_to_open=100, window_seconds=10, least_calls=4, failed_percent=50, slow_percent=75
)
GOOD, BAD, SLOW = (Verdict.SUCCESS, False), (Verdict.FAILURE, False), (Verdict.SUCCESS, True)


def _called(circuit: Circuit, *calls: tuple[Verdict, bool], now: int = 0) -> Circuit:
    for verdict, is_slow in calls:
        circuit = record(
            circuit, WINDOWED, epoch=circuit.epoch, verdict=verdict, now=now, is_slow=is_slow
        )
    return circuit


def test_a_rate_of_failures_opens_the_circuit_though_none_follows_another() -> None:
    """Half of four; of three calls nothing is concluded."""
    assert _called(Circuit(), BAD, GOOD, BAD).state is State.CLOSED
    assert _called(Circuit(), GOOD, BAD, GOOD, BAD).state is State.OPEN
    assert _called(Circuit(), GOOD, GOOD, GOOD, BAD).state is State.CLOSED


def test_slow_answers_open_the_circuit_though_all_are_approvals() -> None:
    """Three of four."""
    assert _called(Circuit(), SLOW, SLOW, GOOD, GOOD).state is State.CLOSED
    assert _called(Circuit(), SLOW, GOOD, SLOW, SLOW).state is State.OPEN


def test_calls_are_judged_with_those_of_the_window_before_and_no_older_ones() -> None:
    """Two failures of four calls, in two windows that follow one another, or don't."""
    first = _called(Circuit(), GOOD, BAD, now=9 * SECOND)

    assert _called(first, GOOD, BAD, now=10 * SECOND).state is State.OPEN
    assert _called(first, GOOD, BAD, now=20 * SECOND).state is State.CLOSED
    assert _called(first, (Verdict.NEUTRAL, False), BAD, now=10 * SECOND).state is State.CLOSED


def test_a_slow_trial_opens_the_circuit_anew() -> None:
    """The gateway answers, but not yet in a time that payers wait."""
    trial, _ = admit(_opened(), POLICY, now=10 * SECOND)
    tried = record(
        trial, POLICY, epoch=trial.epoch, verdict=Verdict.SUCCESS, now=10 * SECOND, is_slow=True
    )

    assert tried.state is State.OPEN
