"""A sweeper that dies anywhere while it calls a charge off, or sends late money back.

Whatever it had recorded, done or not yet done: the next ones bring it to the same end.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from paynexus import ids
from paynexus.cache import Cache
from paynexus.db import Database
from paynexus.fraud.velocity import service as velocity
from paynexus.gateways.port import Outcome, Result
from paynexus.ids import MerchantId, PaymentId
from paynexus.ledger import audit
from paynexus.payments import authority, sweeper
from tests.faults.cuts import CutDatabase, CutGateway, Killed, Knife, die
from tests.flow import Flow
from tests.sandbox import Sandbox

pytestmark = pytest.mark.proof

OLD = dt.timedelta(minutes=11)
HOURS_TO_HEAL = 3


@dataclass
class House:
    """The books, the acquirer, and sweepers that may be cut."""

    database: Database
    url: str
    cache: Cache
    sandbox: Sandbox
    merchant: MerchantId
    now: dt.datetime

    def healthy(self) -> Flow:
        """A flow that nothing cuts."""
        gateways = {"test": self.sandbox.gateway}
        return Flow(self.database, self.cache, gateways, self.merchant, self.now)

    def cut(self, knife: Knife, act: Callable[[Flow], object]) -> None:
        """The act, in a process of its own, as far as the knife lets it come."""
        database = CutDatabase(self.url, knife, before_commits=True)
        gateways = {"test": CutGateway(self.sandbox.gateway, knife)}
        with suppress(Killed):
            act(Flow(database, self.cache, gateways, self.merchant, self.now))
        database.close()

    def heal(self) -> None:
        """Sweepers come by, hour after hour."""
        for _ in range(HOURS_TO_HEAL):
            self.now += dt.timedelta(hours=1)
            sweep(self.healthy())
        assert audit.violations(self.database) == []

    def ask(self, query: str, payment_id: PaymentId) -> list[tuple[object, ...]]:
        """Rows about the payment."""
        return self.database.connection().execute(query.encode(), (payment_id,)).fetchall()


@pytest.fixture(name="house")
def _house(  # noqa: PLR0917 - fixtures
    database: Database,
    database_url: str,
    cache: Cache,
    merchant: MerchantId,
    now: dt.datetime,
    tmp_path: Path,
) -> Iterator[House]:
    sandbox = Sandbox(tmp_path / "acquirer")
    sandbox.start()
    # As its upkeep leaves it: Redis counts, so that its call is what may be cut.
    velocity.tend(database, cache, now)
    yield House(database, database_url, cache, sandbox, merchant, now)
    sandbox.stop()


def test_a_sweeper_that_dies_while_it_calls_off_is_made_up_for(
    house: House, record_property: Callable[[str, object], None]
) -> None:
    """One cancel under one reference, and FAILED only with its confirmation."""
    for at in count():
        payment_id, _ = house.healthy().take("tok_disconnect_before")
        house.now += OLD
        knife = Knife(at, die)
        house.cut(knife, sweep)
        house.heal()

        failure = house.healthy().payment(payment_id).failure
        assert failure is not None
        assert failure.code == "charge_called_off"
        query = "SELECT operation, outcome FROM attempts WHERE payment_id = %s ORDER BY created_at"
        assert house.ask(query, payment_id) == [("charge", "DECLINED"), ("cancel", "APPROVED")]
        if not knife.has_struck:
            break

    record_property("points at which a calling-off was killed", at)
    assert at >= 10


def test_a_return_that_dies_anywhere_is_made_once(
    house: House, record_property: Callable[[str, object], None]
) -> None:
    """Late money is booked in once, canceled once and booked out once."""
    for at in count():
        payment_id, _ = house.healthy().take("tok_disconnect_before")
        house.now += OLD
        sweep(house.healthy())
        knife = Knife(at, die)

        def come_late(flow: Flow, payment_id: PaymentId = payment_id) -> None:
            tell(flow, payment_id)
            flow.now += OLD
            sweep(flow)

        house.cut(knife, come_late)
        tell(house.healthy(), payment_id)  # the file is read again by whoever takes it up
        house.heal()

        query = (
            "SELECT kind::TEXT, count(*) FROM transfers WHERE transaction_id = %s"
            " AND kind IN ('late_approval', 'reversal') GROUP BY 1 ORDER BY 1"
        )
        assert house.ask(query, payment_id) == [("late_approval", 1), ("reversal", 1)]
        query = "SELECT count(*) FROM attempts WHERE payment_id = %s AND reference LIKE 'can_%%'"
        assert house.ask(query, payment_id) == [(1,)]
        if not knife.has_struck:
            break

    record_property("points at which a return was killed", at)
    assert at >= 10


def sweep(flow: Flow) -> None:
    """A sweeper comes by."""
    sweeper.sweep(flow.database, flow.run, now=flow.now)


def tell(flow: Flow, payment_id: PaymentId) -> None:
    """The acquirer's file says that the charge was taken."""
    reference = ids.text("chg", payment_id)
    authority.settle_unknown(flow.database, reference, Result(Outcome.APPROVED), now=flow.now)
