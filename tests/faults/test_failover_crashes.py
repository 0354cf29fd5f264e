"""A charge that goes from one acquirer to the next, killed or stalled anywhere on its way.

Whoever brings it to its end, the money is at one acquirer at most.
"""

import datetime as dt
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from paynexus.cache import Cache
from paynexus.db import Database
from paynexus.fraud.velocity import service as velocity
from paynexus.ids import MerchantId
from paynexus.ledger import audit
from paynexus.payments import sweeper
from paynexus.payments.model import Status
from tests.faults.cuts import CutDatabase, CutGateway, Killed, Knife, die
from tests.flow import Flow
from tests.sandbox import Sandbox

pytestmark = pytest.mark.proof

TOKENS = (
    "tok_decline_issuer_unavailable_at_sandbox",
    "tok_error_before_at_sandbox",
    "tok_error_after_at_sandbox",
    "tok_disconnect_after_at_sandbox",
    "tok_cancel_error_after_at_sandbox",
    "tok_rate_limited_at_sandbox",
)
TURNS = (70, 30, 60, 120, 300, 320)
"""Seconds between sweeps: within fifteen virtual minutes all is final."""
PATIENCE_SECONDS = 30


@dataclass
class Market:
    """A merchant whose charges may be made at two acquirers."""

    database: Database
    url: str
    cache: Cache
    acquirers: list[Sandbox]
    merchant: MerchantId
    now: dt.datetime

    def take(self, knife: Knife, token: str, key: str, *, before_commits: bool) -> None:
        """A payment, in a process of its own, as far as the knife lets it come."""
        database = CutDatabase(self.url, knife, before_commits=before_commits)
        gateways = {"test": self.cut(knife)}
        flow = Flow(database, self.cache, gateways, self.merchant, self.now)
        with suppress(Killed):
            flow.take(token, key=key)
        database.close()

    def cut(self, knife: Knife) -> list[CutGateway]:
        """Both lines, which the knife cuts."""
        return [CutGateway(one.gateway, knife, name=one.name) for one in self.acquirers]

    def healthy(self, now: dt.datetime) -> Flow:
        """A flow that nothing cuts."""
        gateways = {"test": [one.gateway for one in self.acquirers]}
        return Flow(self.database, self.cache, gateways, self.merchant, now)

    def heal(self, *, again: Knife | None = None) -> None:
        """Sweepers come by; the first of them may die, too."""
        now = self.now
        for seconds in TURNS:
            now += dt.timedelta(seconds=seconds)
            flow = self.healthy(now)
            if again is not None:
                flow.database = CutDatabase(self.url, again, before_commits=True)
                flow.gateways = {"test": self.cut(again)}
            with suppress(Killed):
                sweeper.sweep(flow.database, flow.run, now=now)
            if again is not None:
                flow.database.close()
                again = None

    def require_charged_once(self, token: str, key: str) -> Status:
        """By the merchant's own request, repeated: what it is told is what is in the books."""
        flow = self.healthy(self.now + dt.timedelta(minutes=16))
        payment_id, answer = flow.take(token, key=key)
        payment = flow.payment(payment_id)
        assert payment.status in {Status.COMPLETED, Status.FAILED}, payment.status
        assert (answer.status, payment.status) == (201, payment.status)
        captured = [
            str(charge.status)
            for one in self.acquirers
            for _, charge, *_ in one.store.charges(after=0, limit=100_000)
            if charge.reference in self.references(payment_id)
        ]
        assert captured.count("captured") == (payment.status is Status.COMPLETED), captured
        return payment.status

    def references(self, payment_id: object) -> set[str]:
        """Under which its charges were sent."""
        query = "SELECT reference FROM attempts WHERE operation_id = %s"
        return {row[0] for row in self.database.connection().execute(query, (payment_id,))}


@pytest.fixture(name="market")
def _market(  # noqa: PLR0917 - fixtures
    database: Database,
    database_url: str,
    cache: Cache,
    merchant: MerchantId,
    now: dt.datetime,
    tmp_path: Path,
) -> Iterator[Market]:
    acquirers = [Sandbox(tmp_path / name, name=name) for name in ("sandbox", "sandbox_two")]
    for one in acquirers:
        one.start()
    # As its upkeep leaves it: Redis counts, so that its call is what may be cut.
    velocity.tend(database, cache, now)
    yield Market(database, database_url, cache, acquirers, merchant, now)
    for one in acquirers:
        one.stop()


@pytest.mark.parametrize("token", TOKENS)
def test_a_failover_that_dies_anywhere_is_brought_to_its_end(
    market: Market, token: str, record_property: Callable[[str, object], None]
) -> None:
    """And so is one whose sweeper dies as well, at a point drawn anew each time."""
    deaths = 0
    for at in count():
        struck = False
        for second in (None, at % 7):
            key, knife = secrets.token_hex(8), Knife(at, die)
            card = f"{token}_{key}"
            market.take(knife, card, key, before_commits=True)
            struck = knife.has_struck
            market.heal(again=None if second is None else Knife(second, die))
            market.require_charged_once(card, key)
            deaths += struck
        if not struck:
            break
    assert audit.violations(market.database) == []
    record_property("points and pairs at which a failover was killed", deaths)
    assert deaths >= 16


@pytest.mark.parametrize("token", TOKENS)
def test_a_failover_that_stalls_anywhere_and_comes_back_charges_nothing_twice(
    market: Market, token: str, record_property: Callable[[str, object], None]
) -> None:
    """It was taken for dead, and others brought the payment to its end meanwhile."""
    for at in count():
        key, stalled, back = secrets.token_hex(8), threading.Event(), threading.Event()
        card = f"{token}_{key}"

        def stall(stalled: threading.Event = stalled, back: threading.Event = back) -> None:
            stalled.set()
            back.wait(PATIENCE_SECONDS)

        knife = Knife(at, stall)

        def play(knife: Knife, card: str, key: str, stalled: threading.Event) -> None:
            # Not within a transaction: the database ends one that idles.
            market.take(knife, card, key, before_commits=False)
            stalled.set()

        zombie = threading.Thread(target=play, args=(knife, card, key, stalled))
        zombie.start()
        assert stalled.wait(PATIENCE_SECONDS)
        if knife.has_struck:
            market.heal()
        back.set()
        zombie.join(PATIENCE_SECONDS)
        market.heal()
        market.require_charged_once(card, key)
        if not knife.has_struck:
            break
    assert audit.violations(market.database) == []
    record_property("points at which a failover was stalled", at)
    assert at >= 8
