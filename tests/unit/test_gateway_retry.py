"""Sending again in place."""

from dataclasses import dataclass, field

import pytest

from paynexus.gateways.port import Outcome, Result
from paynexus.gateways.retry import Pace, send_with_retries

NOT_SENT = Result(Outcome.NOT_SENT, code="connect_refused")


@dataclass
class World:
    """A clock that only sleeping moves, and a gateway with its answers laid out."""

    answers: list[Result]
    chance: float = 1.0
    now: float = 100.0
    given: list[float] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def send(self, seconds: float) -> Result:
        """The next answer."""
        self.given.append(seconds)
        return self.answers.pop(0)

    def sleep(self, seconds: float) -> None:
        """Time passes."""
        self.slept.append(seconds)
        self.now += seconds

    def run(self, deadline_seconds: float) -> Result:
        """Send with retries in this world."""
        pace = Pace(monotonic=lambda: self.now, sleep=self.sleep, random=lambda: self.chance)
        return send_with_retries(self.send, deadline_seconds=deadline_seconds, pace=pace)


@pytest.mark.parametrize("outcome", [Outcome.APPROVED, Outcome.DECLINED, Outcome.UNKNOWN])
def test_anything_that_may_have_had_an_effect_is_sent_once(outcome: Outcome) -> None:
    """A blind retry after a time-out is the classic double charge."""
    world = World([Result(outcome)])

    assert world.run(10).outcome is outcome
    assert world.given == [10]


def test_what_was_certainly_not_sent_is_sent_at_most_three_times() -> None:
    """The waits double up to their jitter, and each send is given what is left."""
    world = World([NOT_SENT] * 9)

    assert world.run(10) == NOT_SENT
    assert world.slept == pytest.approx([0.1, 0.2])
    assert world.given == pytest.approx([10, 9.9, 9.7])


def test_the_retry_that_gets_through_is_the_result() -> None:
    """Two refused connections, then an approval."""
    world = World([NOT_SENT, NOT_SENT, Result(Outcome.APPROVED)], chance=0.0)

    assert world.run(10).outcome is Outcome.APPROVED
    assert world.slept == [0, 0]


def test_no_send_starts_without_time_for_it() -> None:
    """The deadline is the caller's, not ours to stretch."""
    world = World([NOT_SENT] * 9)

    assert world.run(0.3) == NOT_SENT
    assert len(world.given) == 1


@pytest.mark.parametrize("code", ["circuit_open", "gateway_credentials_refused"])
def test_what_waiting_does_not_cure_is_not_tried_again(code: str) -> None:
    """An open circuit answers at once."""
    world = World([Result(Outcome.NOT_SENT, code=code)] * 9)
    world.run(10)

    assert len(world.given) == 1
