"""Any day at an acquirer, with any faults in its file: one break for each, and none besides."""

import datetime as dt
import secrets
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql
from psycopg.conninfo import make_conninfo

from paynexus import ids
from paynexus.cache import Cache
from paynexus.db import Database
from paynexus.gateways.port import Operation
from paynexus.ids import MerchantId, PaymentId
from paynexus.ledger import audit
from paynexus.payments import operations
from tests import shown_by_the_bank
from tests.acquirer_files import AcquirerDay, reference_of
from tests.conftest import TEMPLATE
from tests.flow import Flow
from tests.sandbox import Sandbox
from tools.local_stack import postgres, valkey
from tools.sandbox_acquirer.disputes import Outcome
from tools.sandbox_acquirer.settlement import UNKNOWN_AMOUNT, WRONG_BY, FileFault

EXAMPLES = 25


@dataclass(frozen=True)
class Deed:
    """What happens to one payment, and what is wrong with the line of its charge."""

    kind: str
    amount: int
    fault: FileFault | None


KINDS = ("charge", "captures", "refund", "dispute", "dispute_won", "unknown", "declined")
OF_A_LINE = [fault for fault in FileFault if fault is not FileFault.UNKNOWN]
DEEDS = st.builds(
    Deed,
    st.sampled_from(KINDS),
    st.integers(1000, 5000),
    st.one_of(st.none(), st.none(), st.sampled_from(OF_A_LINE)),
)


@given(deeds=st.lists(DEEDS, min_size=1, max_size=6), strangers=st.integers(0, 2))
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_each_fault_of_a_day_is_one_break(
    postgres_server: postgres.Server,
    valkey_server: valkey.Server,
    deeds: list[Deed],
    strangers: int,
) -> None:
    """And what the gateway still owes is what the breaks say."""
    with a_day(postgres_server, valkey_server) as day:
        day.agree_on_fees()
        expected: Counter[str] = Counter()
        left = 0
        for deed in deeds:
            payment_id = _do(day, deed)
            if _has_a_fault(deed):
                assert deed.fault is not None
                day.plant(deed.fault, reference_of(payment_id), "charge")
                expected += Counter(_break_of(deed))
                left += _left(deed)
        for number in range(strangers):
            day.plant(FileFault.UNKNOWN, f"chg_nobody_{number}")
            expected["extra"] += 1
            left -= UNKNOWN_AMOUNT

        _pass(day)

        assert Counter(kind for kind, _, _ in day.breaks()) == expected
        assert day.balance("gateway_receivable") == left
        shown_by_the_bank.show(day.flow.database, now=day.flow.now)
        assert audit.violations(day.flow.database) == []


def _pass(day: AcquirerDay) -> None:
    """The files of two days come, each twice, and their payouts; then days go by."""
    tomorrow = day.day + dt.timedelta(days=1)
    day.take()
    day.arrive()
    day.take(after_days=1)
    day.take(tomorrow, after_days=2)
    day.arrive(tomorrow)
    day.take(after_days=10)


def _do(day: AcquirerDay, deed: Deed) -> PaymentId:
    flow = day.flow
    if deed.kind == "declined":
        return flow.take("tok_decline", amount=deed.amount)[0]
    if deed.kind == "unknown":
        return flow.take("tok_disconnect_after", amount=deed.amount)[0]
    if deed.kind == "captures":
        payment_id = flow.take(amount=deed.amount, capture="manual")[0]
        day.capture(payment_id, 400, 300, deed.amount - 700)
        return payment_id
    payment_id = flow.take(amount=deed.amount)[0]
    if deed.kind == "refund":
        flow.operate(Operation.REFUND, payment_id, operations.refund, amount=400, reason=None)
    elif deed.kind == "dispute":
        day.payers.learn(day.payers.open(payment_id, 600))
    elif deed.kind == "dispute_won":
        day.payers.dispute(payment_id, deed.amount, Outcome.WON)
    return payment_id


def _has_a_fault(deed: Deed) -> bool:
    """A declined payment has no line, one captured later none of its charge."""
    return deed.fault is not None and deed.kind not in {"declined", "captures"}


def _break_of(deed: Deed) -> list[str]:
    """A dropped line of an unknown outcome leaves it unknown: nothing is booked to be missing."""
    if deed.fault is FileFault.DROP:
        return [] if deed.kind == "unknown" else ["missing"]
    names = {FileFault.DOUBLE: "duplicate", FileFault.LATE: "timing"}
    assert deed.fault is not None
    return [names.get(deed.fault, str(deed.fault))]


def _left(deed: Deed) -> int:
    """What of the books the gateway's payouts leave open."""
    booked = 0 if deed.kind == "unknown" else deed.amount
    match deed.fault:
        case FileFault.DROP | FileFault.CURRENCY:
            return booked
        case FileFault.DOUBLE:
            return -deed.amount
        case FileFault.AMOUNT:
            return booked - deed.amount - WRONG_BY
        case _:
            return 0


@contextmanager
def a_day(server: postgres.Server, cache: valkey.Server) -> Iterator[AcquirerDay]:
    """A merchant, an acquirer and books of this day alone."""
    name = f"day_{secrets.token_hex(6)}"
    with redis.Redis.from_url(cache.url) as client:
        client.flushall()
    with (
        psycopg.connect(server.url, autocommit=True) as admin,
        tempfile.TemporaryDirectory() as folder,
    ):
        clone = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
        admin.execute(clone.format(sql.Identifier(name), sql.Identifier(TEMPLATE)))
        database = Database(lambda: make_conninfo(server.url, dbname=name))
        sandbox = Sandbox(Path(folder) / "acquirer")
        sandbox.start()
        now = dt.datetime.now(dt.UTC)  # noqa: TID251 - the test's edge
        gateways = {"test": sandbox.gateway}
        yield AcquirerDay(
            Flow(database, Cache(cache.url), gateways, _merchant(database), now), sandbox
        )
        sandbox.stop()
        database.close()
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _merchant(database: Database) -> MerchantId:
    merchant_id = MerchantId(ids.new_id())
    with database.transaction() as tx:
        tx.execute("INSERT INTO merchants (id, name) VALUES (%s, 'Café Müller')", (merchant_id,))
        tx.execute("INSERT INTO merchant_fees VALUES (%s, 'EUR', 150, 25)", (merchant_id,))
    return merchant_id
